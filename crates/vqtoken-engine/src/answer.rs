//! One answer under way: drawing its tokens, giving out its text.

use std::collections::BTreeSet;
use std::time::Instant;

use vqtoken_model::{LanguageSide, ModelError, Sampler, Sequence, TextStream};

use crate::question::{AnswerEvent, FinishReason, Finished, Piece, Started, TokenScore};
use crate::reading::{Asked, ReadPrompt};
use crate::stop_texts::StopTexts;

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
    /// Begins an answer with its first token. None where its options make no sense, which is told.
    pub(crate) fn new(language: &LanguageSide, prompt: ReadPrompt) -> Option<Self> {
        let ReadPrompt { asked, started, sequence, video_tokens, cached_tokens, logits } = prompt;
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
