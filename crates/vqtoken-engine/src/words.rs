//! The thread that reads prompts and writes answers: all answers under way get their next token together, and between two
//! tokens a part of new prompts is read.

use std::sync::Arc;

use rayon::ThreadPool;
use vqtoken_model::{Chat, LanguageSide, ModelError, Purpose, VideoInPrompt};
use vqtoken_video::Cancellation;

use crate::answer::{Answer, Asked, Course, Read, Reading};
use crate::engine::EngineOptions;
use crate::prefixes::{Prefix, PrefixKey, Prefixes};
use crate::shared::{Shared, State};

/// Tokens of prompts that are read between two tokens of the answers under way, and tokens of one prompt that are read at once. That is always
/// the same, whoever else asks, so that the bits of an answer do not depend on it. The default of
/// 32 codes fits, and it is a multiple of the rows of tiles with AVX2 and AVX-512.
const PROMPT_TOKENS_AT_ONCE: usize = 48;

/// What the thread works with.
pub(crate) struct Words {
    pub(crate) language: LanguageSide,
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: EngineOptions,
    pub(crate) pool: ThreadPool,
    /// The text before the video that all conversations without a system message share; none where the model's template fails, which
    /// whoever asks is told.
    pub(crate) default_text: Option<(PrefixKey, Prefix)>,
}

/// Reads the text before the video that all conversations without a system message share.
pub(crate) fn read_default_text(language: &LanguageSide) -> Result<(PrefixKey, Prefix), ModelError> {
    let before = language.chat_parts(&Chat::new("?"), VideoInPrompt::Present)?.before;
    let mut sequence = language.sequence();
    let mut unread = language.unread(&sequence, &before, None)?;
    while unread.tokens() > 0 {
        let (most, purpose, cancellation) = (PROMPT_TOKENS_AT_ONCE, Purpose::Cache, Cancellation::new());
        language.read_some(&mut unread, most, &mut sequence, purpose, &cancellation)?;
    }
    Ok((PrefixKey::text(before), Prefix { sequence: Arc::new(sequence), video_tokens: 0 }))
}

/// What it has in hand.
struct Hand {
    prefixes: Prefixes,
    reading: Option<Box<Reading>>,
    answers: Vec<Answer>,
}

impl Hand {
    fn count(&self) -> usize {
        self.answers.len() + usize::from(self.reading.is_some())
    }
}

impl Words {
    /// Works until the engine is gone.
    pub(crate) fn run(&self) {
        let mut prefixes = Prefixes::new(self.options.prefix_bytes);
        if let Some((key, prefix)) = self.default_text.clone() {
            prefixes.insert(key, prefix);
        }
        let mut hand = Hand { prefixes, reading: None, answers: Vec::new() };
        while self.take_work(&mut hand) {
            self.pool.install(|| {
                self.read_prompts(&mut hand);
                self.write_tokens(&mut hand);
            });
        }
    }

    /// Takes a question if there is room for one, and waits for it if there is nothing else to do. False once the engine is gone.
    fn take_work(&self, hand: &mut Hand) -> bool {
        hand.answers.retain(Answer::is_wanted);
        hand.reading.take_if(|reading| !reading.is_wanted());
        let count = hand.count();
        let taken = self.shared.wait(|state| {
            let asked = self.next_question(hand, state);
            (asked.is_some() || count > 0).then_some(asked)
        });
        let Some(asked) = taken else { return false };
        self.pool.install(|| self.begin(hand, asked));
        true
    }

    /// A question that waits, if there is room for one.
    fn next_question(&self, hand: &Hand, state: &mut State) -> Option<Asked> {
        state.questions.retain(Asked::is_wanted);
        let has_room = hand.reading.is_none() && hand.count() < self.options.rows;
        let asked = has_room.then(|| state.questions.pop()).flatten();
        state.answering = hand.count() + usize::from(asked.is_some());
        asked
    }

    fn begin(&self, hand: &mut Hand, asked: Option<Asked>) {
        if let Some(asked) = asked {
            hand.reading = Reading::new(&self.language, asked, &mut hand.prefixes).map(Box::new);
        }
    }

    /// Reads a part of a prompt, and further ones as long as they are few tokens in all.
    fn read_prompts(&self, hand: &mut Hand) {
        let mut left = PROMPT_TOKENS_AT_ONCE;
        while let Some(reading) =
            hand.reading.take_if(|reading| reading.next_tokens().min(PROMPT_TOKENS_AT_ONCE) <= left)
        {
            left -= reading.next_tokens().min(PROMPT_TOKENS_AT_ONCE);
            match reading.read(&self.language, PROMPT_TOKENS_AT_ONCE, &mut hand.prefixes) {
                Read::More(reading) => hand.reading = Some(reading),
                Read::Done(answer) => hand.answers.push(*answer),
                Read::Failed => {}
            }
            let asked = self.shared.change(|state| self.next_question(hand, state));
            self.begin(hand, asked);
        }
    }

    /// Each answer's next token.
    fn write_tokens(&self, hand: &mut Hand) {
        hand.answers.retain(Answer::is_wanted);
        if hand.answers.is_empty() {
            return;
        }
        let ids: Vec<u32> = hand.answers.iter().map(|answer| answer.next).collect();
        let mut sequences: Vec<_> = hand.answers.iter_mut().map(|answer| &mut answer.sequence).collect();
        match self.language.step(&ids, &mut sequences) {
            Ok(logits) => {
                let mut logits = logits.iter();
                hand.answers.retain_mut(|answer| {
                    logits.next().is_some_and(|logits| answer.take(&self.language, logits) == Course::GoesOn)
                });
            }
            // A drawn token is always in the vocabulary.
            Err(error) => {
                let text = error.to_string();
                hand.answers
                    .drain(..)
                    .for_each(|mut answer| answer.fail(ModelError::TensorData(text.clone())));
            }
        }
    }
}
