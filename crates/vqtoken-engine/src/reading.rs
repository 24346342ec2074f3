//! A question under way to its answer: waiting, then having its prompt read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;
use vqtoken_model::{
    LanguageSide, ModelError, Purpose, Sequence, TextPart, TextToRead, Unread, VideoInPrompt, VisualTokens,
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

/// A prompt that is being read: the text before the video, the video, the question. Where these parts end is decided by the prompt
/// alone, so that the bits of what follows do not depend on what has been read before.
#[derive(Debug)]
pub(crate) struct Reading {
    asked: Asked,
    started: Instant,
    sequence: Sequence,
    unread: Unread,
    /// Where parts end that other prompts share, the first one first.
    shared_ends: VecDeque<SharedEnd>,
    video_tokens: usize,
    cached_tokens: usize,
}

/// Where a part of a prompt ends that other prompts share.
#[derive(Debug)]
struct SharedEnd {
    /// Tokens up to there.
    tokens: usize,
    /// What all text up to there is kept as when it has been read.
    key: PrefixKey,
    /// Visual tokens in it.
    video_tokens: usize,
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
    unread: Unread,
    shared_ends: VecDeque<SharedEnd>,
    video_tokens: usize,
}

impl Reading {
    /// Prepares a prompt; what another question has read already is not read again. None where it cannot be asked, which is told.
    pub(crate) fn new(language: &LanguageSide, asked: Asked, prefixes: &mut Prefixes) -> Option<Self> {
        match Self::prepared(language, &asked, prefixes) {
            Ok(Prepared { sequence, unread, shared_ends, video_tokens }) => Some(Self {
                cached_tokens: sequence.tokens(),
                started: Instant::now(),
                asked,
                sequence,
                unread,
                shared_ends,
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
        let question = TextPart { ids: &ids.after, visual: None };
        let Some(subject) = subject else {
            let sequence = language.sequence();
            let unread = language.unread(&sequence, &[question])?;
            return Ok(Prepared { sequence, unread, shared_ends: VecDeque::new(), video_tokens: 0 });
        };
        let key = PrefixKey::video(subject.key.clone(), ids.before.clone());
        if let Some(Prefix { sequence, video_tokens }) = prefixes.get(&key) {
            let sequence = Sequence::clone(&sequence);
            let unread = language.unread(&sequence, &[question])?;
            return Ok(Prepared { sequence, unread, shared_ends: VecDeque::new(), video_tokens });
        }
        let visual = visual_tokens(language, &subject.content)?;
        let video_tokens = visual.count();
        // A newline follows visual tokens.
        let tokens = ids.before.len() + video_tokens + 1;
        let mut shared_ends: VecDeque<_> = [SharedEnd { tokens, key, video_tokens }].into();
        let video = TextPart { ids: &[], visual: Some(&visual) };
        let key = PrefixKey::text(ids.before.clone());
        let (sequence, unread) = match prefixes.get(&key) {
            Some(prefix) => {
                let sequence = Sequence::clone(&prefix.sequence);
                let unread = language.unread(&sequence, &[video, question])?;
                (sequence, unread)
            }
            None => {
                let (sequence, tokens) = (language.sequence(), ids.before.len());
                let text = TextPart { ids: &ids.before, visual: None };
                let unread = language.unread(&sequence, &[text, video, question])?;
                shared_ends.push_front(SharedEnd { tokens, key, video_tokens: 0 });
                (sequence, unread)
            }
        };
        Ok(Prepared { sequence, unread, shared_ends, video_tokens })
    }

    /// Whether somebody still waits for the answer.
    pub(crate) fn is_wanted(&self) -> bool {
        self.asked.is_wanted()
    }

    /// Tokens left to read.
    pub(crate) fn tokens(&self) -> usize {
        self.unread.tokens()
    }

    /// Whether only the question is left, which no other prompt shares.
    pub(crate) fn is_at_question(&self) -> bool {
        self.shared_ends.is_empty()
    }

    /// Reads up to `most` tokens of each prompt, with one pass over the weights. What is read of a prompt does not depend on the others.
    pub(crate) fn read(
        mut readings: Vec<Self>,
        language: &LanguageSide,
        most: usize,
        prefixes: &mut Prefixes,
    ) -> Vec<Read> {
        let mut texts: Vec<_> = readings.iter_mut().map(Self::text_to_read).collect();
        match language.read_some(&mut texts, most) {
            Ok(logits) => {
                let done = readings.into_iter().zip(logits);
                done.map(|(reading, logits)| reading.after(logits, prefixes)).collect()
            }
            Err(error) => readings.into_iter().map(|reading| reading.fail(for_each_text(&error))).collect(),
        }
    }

    fn text_to_read(&mut self) -> TextToRead<'_> {
        let Self { asked, sequence, unread, .. } = self;
        TextToRead { unread, sequence, purpose: Purpose::Logits, cancellation: &asked.cancellation }
    }

    /// What follows once some has been read.
    fn after(mut self, logits: Option<Vec<f32>>, prefixes: &mut Prefixes) -> Read {
        let read = self.sequence.tokens();
        while let Some(end) = self.shared_ends.pop_front_if(|end| end.tokens <= read) {
            let SharedEnd { tokens, key, video_tokens } = end;
            let sequence = self.sequence.up_to(tokens).map(Arc::new);
            sequence
                .into_iter()
                .for_each(|sequence| prefixes.insert(key.clone(), Prefix { sequence, video_tokens }));
        }
        match logits {
            None => Read::More(Box::new(self)),
            Some(logits) => {
                let Self { asked, started, sequence, video_tokens, cached_tokens, .. } = self;
                let prompt = ReadPrompt { asked, started, sequence, video_tokens, cached_tokens, logits };
                Read::Done(Box::new(prompt))
            }
        }
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
