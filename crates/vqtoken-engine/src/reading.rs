//! A question under way to its answer: waiting, then having its prompt read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;
use vqtoken_model::{
    LanguageSide, ModelError, Purpose, Sequence, TextToRead, Unread, VideoInPrompt, VisualTokens,
};
use vqtoken_video::Cancellation;

use crate::prefixes::{Prefix, PrefixKey, Prefixes};
use crate::question::{AnswerEvent, Question, SubjectContent};

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

/// A prompt that has been read to its end.
pub(crate) struct ReadPrompt {
    pub(crate) asked: Asked,
    pub(crate) started: Instant,
    pub(crate) sequence: Sequence,
    pub(crate) video_tokens: usize,
    pub(crate) cached_tokens: usize,
    /// After its last token, `[vocabulary]`.
    pub(crate) logits: Vec<f32>,
}

/// What became of a prompt.
pub(crate) enum Read {
    /// There is more to read.
    More(Box<Reading>),
    /// Its answer can begin.
    Done(Box<ReadPrompt>),
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

    /// Whether only the question is left, which no other prompt shares.
    pub(crate) fn is_at_question(&self) -> bool {
        self.parts.len() == 1
    }

    /// Reads up to `most` tokens of each prompt, with one pass over the weights. What is read of a prompt does not depend on the others.
    pub(crate) fn read(
        readings: Vec<Self>,
        language: &LanguageSide,
        most: usize,
        prefixes: &mut Prefixes,
    ) -> Vec<Read> {
        let mut read = Vec::new();
        let mut begun = Vec::new();
        for mut reading in readings {
            match reading.begin_part(language) {
                Ok(()) => begun.push(reading),
                Err(error) => read.push(reading.fail(error)),
            }
        }
        let mut texts: Vec<_> = begun.iter_mut().filter_map(Self::text_to_read).collect();
        match language.read_some(&mut texts, most) {
            Ok(logits) => {
                let done = begun.into_iter().zip(logits);
                read.extend(done.map(|(reading, logits)| reading.after(logits, prefixes)));
            }
            Err(error) => read.extend(begun.into_iter().map(|reading| reading.fail(for_each_text(&error)))),
        }
        read
    }

    /// Prepares the next part, unless some of it has been read.
    fn begin_part(&mut self, language: &LanguageSide) -> Result<(), ModelError> {
        if self.unread.is_none() {
            let part =
                self.parts.front().ok_or(ModelError::Question("the prompt ends before the question"))?;
            self.unread = Some(language.unread(&self.sequence, &part.ids, part.visual.as_ref())?);
        }
        Ok(())
    }

    fn text_to_read(&mut self) -> Option<TextToRead<'_>> {
        let purpose = if self.is_at_question() { Purpose::Logits } else { Purpose::Cache };
        let (sequence, cancellation) = (&mut self.sequence, &self.asked.cancellation);
        Some(TextToRead { unread: self.unread.as_mut()?, sequence, purpose, cancellation })
    }

    /// What follows once some has been read.
    fn after(mut self, logits: Option<Vec<f32>>, prefixes: &mut Prefixes) -> Read {
        if let Some(logits) = logits {
            let Self { asked, started, sequence, video_tokens, cached_tokens, .. } = self;
            let prompt = ReadPrompt { asked, started, sequence, video_tokens, cached_tokens, logits };
            return Read::Done(Box::new(prompt));
        }
        if self.unread.as_ref().is_none_or(|unread| unread.tokens() == 0) {
            self.unread = None;
            if let Some(Part { visual, key: Some(key), .. }) = self.parts.pop_front() {
                let video_tokens = visual.as_ref().map_or(0, VisualTokens::count);
                prefixes.insert(key, Prefix { sequence: Arc::new(self.sequence.clone()), video_tokens });
            }
        }
        Read::More(Box::new(self))
    }

    fn fail(self, error: ModelError) -> Read {
        self.asked.fail(error);
        Read::Failed
    }
}

/// An error of several texts, to tell one of them.
pub(crate) fn for_each_text(error: &ModelError) -> ModelError {
    match error {
        ModelError::Cancelled => ModelError::Cancelled,
        other => ModelError::TensorData(other.to_string()),
    }
}

fn visual_tokens(language: &LanguageSide, content: &SubjectContent) -> Result<VisualTokens, ModelError> {
    match content {
        SubjectContent::Tokens(tokens) => language.visual_tokens(tokens),
        SubjectContent::Visual(visual) => Ok(VisualTokens::clone(visual)),
    }
}
