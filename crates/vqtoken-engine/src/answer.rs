//! One answer under way: reading its prompt, drawing its tokens, giving out its text.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;
use vqtoken_model::{
    LanguageSide, ModelError, Purpose, Sampler, Sequence, TextStream, Unread, VideoInPrompt, VisualTokens,
};
use vqtoken_video::Cancellation;

use crate::prefixes::{Prefix, PrefixKey, Prefixes};
use crate::question::{
    AnswerEvent, FinishReason, Finished, Piece, Question, Started, SubjectContent, TokenScore,
};
use crate::stop_texts::StopTexts;

/// A question that waits, or is being answered.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) question: Question,
    pub(crate) events: UnboundedSender<AnswerEvent>,
    pub(crate) asked: Instant,
    /// Set once nobody waits for the answer.
    pub(crate) cancellation: Cancellation,
}

impl Asked {
    /// Whether somebody still waits for the answer.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.cancellation.is_cancelled()
    }

    /// Says that there will be no answer.
    pub(crate) fn fail(self, error: ModelError) {
        // Where nobody listens, nobody has to be told.
        let _ = self.events.send(AnswerEvent::Failed(error));
    }
}

/// A prompt that is being read, part by part: the text before the video, the video, the question.
#[derive(Debug)]
pub(crate) struct Reading {
    asked: Asked,
    started: Instant,
    sequence: Sequence,
    /// Not read to their ends yet; the last one is the question.
    parts: VecDeque<Part>,
    /// What is left of the first of them, once it has been begun.
    unread: Option<Unread>,
    video_tokens: usize,
    cached_tokens: usize,
}

/// A part of a prompt. Where a part ends is decided by the prompt alone, so that the bits of what follows do not depend on what has been
/// read before.
#[derive(Debug)]
struct Part {
    ids: Vec<u32>,
    visual: Option<VisualTokens>,
    /// What all text up to here is kept as when it has been read.
    key: Option<PrefixKey>,
}

impl Part {
    fn tokens(&self) -> usize {
        // A newline follows visual tokens.
        self.ids.len() + self.visual.as_ref().map_or(0, |visual| visual.count() + 1)
    }
}

/// What became of a prompt.
pub(crate) enum Read {
    /// There is more to read.
    More(Box<Reading>),
    /// Its answer begins.
    Done(Box<Answer>),
    /// There will be no answer, which has been told.
    Failed,
}

/// What a prompt needs to be read.
struct Prepared {
    sequence: Sequence,
    parts: VecDeque<Part>,
    video_tokens: usize,
}

impl Reading {
    /// Prepares a prompt; what another question has read already is not read again. None where it cannot be asked, which is told.
    pub(crate) fn new(language: &LanguageSide, asked: Asked, prefixes: &mut Prefixes) -> Option<Self> {
        match Self::prepared(language, &asked, prefixes) {
            Ok(Prepared { sequence, parts, video_tokens }) => Some(Self {
                cached_tokens: sequence.tokens(),
                started: Instant::now(),
                unread: None,
                asked,
                sequence,
                parts,
                video_tokens,
            }),
            Err(error) => {
                asked.fail(error);
                None
            }
        }
    }

    fn prepared(
        language: &LanguageSide,
        asked: &Asked,
        prefixes: &mut Prefixes,
    ) -> Result<Prepared, ModelError> {
        let Question { subject, chat, options, .. } = &asked.question;
        options.check()?;
        let ids = language.chat_parts(chat, VideoInPrompt::of(subject.as_ref()))?;
        let question = Part { ids: ids.after, visual: None, key: None };
        let Some(subject) = subject else {
            let parts = [question].into();
            return Ok(Prepared { sequence: language.sequence(), parts, video_tokens: 0 });
        };
        let key = PrefixKey::video(subject.key.clone(), ids.before.clone());
        if let Some(Prefix { sequence, video_tokens }) = prefixes.get(&key) {
            let sequence = Sequence::clone(&sequence);
            return Ok(Prepared { sequence, parts: [question].into(), video_tokens });
        }
        let visual = visual_tokens(language, &subject.content)?;
        let video_tokens = visual.count();
        let mut parts: VecDeque<_> =
            [Part { ids: Vec::new(), visual: Some(visual), key: Some(key) }, question].into();
        let key = PrefixKey::text(ids.before.clone());
        let sequence = match prefixes.get(&key) {
            Some(prefix) => Sequence::clone(&prefix.sequence),
            None => {
                parts.push_front(Part { ids: ids.before, visual: None, key: Some(key) });
                language.sequence()
            }
        };
        Ok(Prepared { sequence, parts, video_tokens })
    }

    /// Whether somebody still waits for the answer.
    pub(crate) fn is_wanted(&self) -> bool {
        self.asked.is_wanted()
    }

    /// Tokens left of the part that is read next.
    pub(crate) fn next_tokens(&self) -> usize {
        match &self.unread {
            Some(unread) => unread.tokens(),
            None => self.parts.front().map_or(0, Part::tokens),
        }
    }

    /// Reads up to `most` tokens.
    pub(crate) fn read(
        mut self: Box<Self>,
        language: &LanguageSide,
        most: usize,
        prefixes: &mut Prefixes,
    ) -> Read {
        match self.read_some(language, most, prefixes) {
            Ok(None) => Read::More(self),
            Ok(Some(logits)) => match Answer::new(language, *self, logits) {
                Some(answer) => Read::Done(Box::new(answer)),
                None => Read::Failed,
            },
            Err(error) => {
                self.asked.fail(error);
                Read::Failed
            }
        }
    }

    fn read_some(
        &mut self,
        language: &LanguageSide,
        most: usize,
        prefixes: &mut Prefixes,
    ) -> Result<Option<Vec<f32>>, ModelError> {
        let part = self.parts.front().ok_or(ModelError::Question("the prompt ends before the question"))?;
        let mut unread = match self.unread.take() {
            Some(unread) => unread,
            None => language.unread(&self.sequence, &part.ids, part.visual.as_ref())?,
        };
        let purpose = if self.parts.len() == 1 { Purpose::Logits } else { Purpose::Cache };
        let cancellation = &self.asked.cancellation;
        let logits = language.read_some(&mut unread, most, &mut self.sequence, purpose, cancellation)?;
        if unread.tokens() > 0 {
            self.unread = Some(unread);
        } else if let Some(Part { visual, key: Some(key), .. }) = self.parts.pop_front() {
            let video_tokens = visual.as_ref().map_or(0, VisualTokens::count);
            prefixes.insert(key, Prefix { sequence: Arc::new(self.sequence.clone()), video_tokens });
        }
        Ok(logits)
    }
}

fn visual_tokens(language: &LanguageSide, content: &SubjectContent) -> Result<VisualTokens, ModelError> {
    match content {
        SubjectContent::Tokens(tokens) => language.visual_tokens(tokens),
        SubjectContent::Visual(visual) => Ok(VisualTokens::clone(visual)),
    }
}

/// An answer of which tokens are being drawn.
#[derive(Debug)]
pub(crate) struct Answer {
    asked: Asked,
    pub(crate) sequence: Sequence,
    sampler: Sampler,
    end_tokens: BTreeSet<u32>,
    stream: TextStream,
    stop: StopTexts,
    /// Drawn and not read by the model yet.
    pub(crate) next: u32,
    generated: usize,
    most: usize,
    /// Scores of tokens whose text is not given out yet.
    scores: Vec<TokenScore>,
    began: Instant,
}

/// Whether an answer goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    GoesOn,
    Ends,
}

impl Answer {
    fn new(language: &LanguageSide, reading: Reading, logits: Vec<f32>) -> Option<Self> {
        let Reading { asked, started, sequence, video_tokens, cached_tokens, .. } = reading;
        let options = &asked.question.options;
        let sampler = match Sampler::new(options.sampling) {
            Ok(sampler) => sampler,
            Err(error) => {
                asked.fail(error);
                return None;
            }
        };
        let end_tokens = options.end_tokens.as_deref().unwrap_or(language.end_tokens());
        let left = language.config().max_positions.saturating_sub(sequence.position());
        // Nobody listening is noticed before the next token.
        let _ = asked.events.send(AnswerEvent::Started(Started {
            prompt_tokens: sequence.tokens(),
            video_tokens,
            cached_tokens,
            queue_seconds: (started - asked.asked).as_secs_f64(),
            prefill_seconds: started.elapsed().as_secs_f64(),
        }));
        let mut answer = Self {
            sampler,
            end_tokens: end_tokens.iter().copied().collect(),
            stream: TextStream::new(language.tokenizer()),
            stop: StopTexts::new(&asked.question.stop),
            next: 0,
            generated: 0,
            most: options.max_tokens.min(left),
            scores: Vec::new(),
            began: Instant::now(),
            sequence,
            asked,
        };
        match answer.most {
            0 => answer.finish(FinishReason::Length),
            _ => drop(answer.take(language, &logits)),
        }
        Some(answer)
    }

    /// Whether somebody still waits, and the answer has not ended.
    pub(crate) fn is_wanted(&self) -> bool {
        self.asked.is_wanted() && self.most > 0
    }

    /// Draws the next token from logits and gives out its text.
    pub(crate) fn take(&mut self, language: &LanguageSide, logits: &[f32]) -> Course {
        match self.draw(language, logits) {
            Ok(None) => Course::GoesOn,
            Ok(Some(reason)) => {
                self.finish(reason);
                Course::Ends
            }
            Err(error) => {
                self.fail(error);
                Course::Ends
            }
        }
    }

    fn draw(&mut self, language: &LanguageSide, logits: &[f32]) -> Result<Option<FinishReason>, ModelError> {
        let token = self.sampler.pick(logits);
        if self.end_tokens.contains(&token) {
            return Ok(Some(FinishReason::Stop));
        }
        self.generated += 1;
        self.next = token;
        if let Some(alternatives) = self.asked.question.logprobs {
            self.scores.push(score(language, logits, token, alternatives)?);
        }
        let text = self.stream.push(token)?.unwrap_or_default();
        let (text, stopped) = self.stop.push(&text);
        self.give(text);
        match () {
            () if stopped => Ok(Some(FinishReason::Stop)),
            () if self.generated == self.most => Ok(Some(FinishReason::Length)),
            () => Ok(None),
        }
    }

    fn give(&mut self, text: String) {
        if !text.is_empty() {
            let tokens = std::mem::take(&mut self.scores);
            // The next step notices that nobody listens.
            let _ = self.asked.events.send(AnswerEvent::Piece(Piece { text, tokens }));
        }
    }

    fn finish(&mut self, reason: FinishReason) {
        // After a stop text nothing is held back.
        let rest = self.stream.finish().ok().flatten().filter(|_| reason == FinishReason::Length);
        let (text, _) = self.stop.push(&rest.unwrap_or_default());
        let text = text + &self.stop.finish();
        let tokens = std::mem::take(&mut self.scores);
        if !text.is_empty() || !tokens.is_empty() {
            let _ = self.asked.events.send(AnswerEvent::Piece(Piece { text, tokens }));
        }
        let seconds = self.began.elapsed().as_secs_f64();
        let finished = Finished { reason, generated_tokens: self.generated, seconds };
        let _ = self.asked.events.send(AnswerEvent::Finished(finished));
        self.most = 0;
    }

    /// Ends it with an error.
    pub(crate) fn fail(&mut self, error: ModelError) {
        let _ = self.asked.events.send(AnswerEvent::Failed(error));
        self.most = 0;
    }
}

/// The log-probability of a token and of the most likely ones.
fn score(
    language: &LanguageSide,
    logits: &[f32],
    token: u32,
    alternatives: usize,
) -> Result<TokenScore, ModelError> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
    let logprob = |id: u32| (f64::from(logits[id as usize] - largest) - total.ln()) as f32;
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let by_logit = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    let alternatives = alternatives.min(order.len());
    if alternatives > 0 && alternatives < order.len() {
        order.select_nth_unstable_by(alternatives - 1, by_logit);
    }
    order.truncate(alternatives);
    order.sort_by(by_logit);
    let named = |id: u32| {
        language
            .tokenizer()
            .token_bytes(id)
            .map(|bytes| (String::from_utf8_lossy(&bytes).into_owned(), bytes))
    };
    let (text, bytes) = named(token)?;
    let top = order.into_iter().map(|id| named(id).map(|(text, bytes)| (text, bytes, logprob(id))));
    Ok(TokenScore { text, bytes, logprob: logprob(token), top: top.collect::<Result<_, _>>()? })
}
