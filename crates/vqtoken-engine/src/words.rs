//! The thread that reads prompts and writes answers: all answers under way get their next token together, and between two
//! tokens a part of new prompts is read.

use std::sync::Arc;

use rayon::ThreadPool;
use vqtoken_model::{Chat, LanguageSide, ModelError, Purpose, TextPart, TextToRead, VideoInPrompt};
use vqtoken_video::Cancellation;

use crate::answer::{Answer, Course};
use crate::engine::EngineOptions;
use crate::prefixes::{Prefix, PrefixKey, Prefixes};
use crate::reading::{Asked, Read, Reading, for_each_text};
use crate::shared::{Shared, State};

/// Tokens of one prompt that are read at once. That is always the same, whoever else asks, so that the bits of an answer do not depend on it.
/// The default of 32 codes fits, and it is a multiple of the rows of tiles with AVX2 and AVX-512.
const PROMPT_TOKENS_AT_ONCE: usize = 48;

/// Tokens of all prompts that are read between two tokens of the answers under way: more would take fewer passes over the weights, and let
/// those answers wait for longer.
const TOKENS_BETWEEN_STEPS: usize = 2 * PROMPT_TOKENS_AT_ONCE;

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
    let mut unread = language.unread(&sequence, &[TextPart { ids: &before, visual: None }])?;
    while unread.tokens() > 0 {
        let cancellation = &Cancellation::new();
        let (unread, sequence) = (&mut unread, &mut sequence);
        let text = TextToRead { unread, sequence, purpose: Purpose::Cache, cancellation };
        language.read_some(&mut [text], PROMPT_TOKENS_AT_ONCE)?;
    }
    Ok((PrefixKey::text(before), Prefix { sequence: Arc::new(sequence), video_tokens: 0 }))
}

/// What it has in hand.
struct Hand {
    prefixes: Prefixes,
    /// In the order in which they were asked. All but the last are at their questions: what a prompt shares with others is read before another
    /// is begun.
    readings: Vec<Reading>,
    answers: Vec<Answer>,
}

impl Hand {
    fn count(&self) -> usize {
        self.answers.len() + self.readings.len()
    }

    fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Takes out the first prompts whose next tokens are not too many to be read together, at least one if there is one.
    fn take_readings(&mut self) -> Vec<Reading> {
        let mut tokens = 0;
        let fit = self.readings.iter().take_while(|reading| {
            tokens += reading.tokens().min(PROMPT_TOKENS_AT_ONCE);
            tokens <= TOKENS_BETWEEN_STEPS
        });
        let count = fit.count();
        self.readings.drain(..count).collect()
    }
}

impl Words {
    /// Works until the engine is gone.
    pub(crate) fn run(&self) {
        let mut prefixes = Prefixes::new(self.options.prefix_bytes);
        if let Some((key, prefix)) = self.default_text.clone() {
            prefixes.insert(key, prefix);
        }
        let mut hand = Hand { prefixes, readings: Vec::new(), answers: Vec::new() };
        while self.take_work(&mut hand) {
            self.pool.install(|| {
                self.read_prompts(&mut hand);
                self.write_tokens(&mut hand);
            });
        }
    }

    /// Takes the questions that there is room for, and waits for one if there is nothing else to do. False once the engine is gone.
    fn take_work(&self, hand: &mut Hand) -> bool {
        hand.answers.retain(Answer::is_wanted);
        hand.readings.retain(Reading::is_wanted);
        loop {
            let taken = self.shared.wait(|state| {
                let asked = self.next_question(hand, state);
                (asked.is_some() || !hand.is_empty()).then_some(asked)
            });
            match taken {
                None => return false,
                Some(None) => return true,
                Some(Some(asked)) => {
                    let begun = self.pool.install(|| Reading::new(&self.language, asked, &mut hand.prefixes));
                    hand.readings.extend(begun);
                }
            }
        }
    }

    /// A question that waits, if there is room for one.
    fn next_question(&self, hand: &Hand, state: &mut State) -> Option<Asked> {
        state.questions.retain(Asked::is_wanted);
        let may_begin = hand.readings.last().is_none_or(Reading::is_at_question);
        let has_room = may_begin && hand.count() < self.options.rows;
        let asked = has_room.then(|| state.questions.pop()).flatten();
        state.answering = hand.count() + usize::from(asked.is_some());
        asked
    }

    /// Reads a part of each of some prompts.
    fn read_prompts(&self, hand: &mut Hand) {
        let readings = hand.take_readings();
        if readings.is_empty() {
            return;
        }
        let mut unfinished = Vec::new();
        for read in Reading::read(readings, &self.language, PROMPT_TOKENS_AT_ONCE, &mut hand.prefixes) {
            match read {
                Read::More(reading) => unfinished.push(*reading),
                Read::Done(prompt) => hand.answers.extend(Answer::new(&self.language, *prompt)),
                Read::Failed => {}
            }
        }
        hand.readings.splice(..0, unfinished);
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
                let mut logits = logits.chunks_exact(self.language.config().vocabulary);
                hand.answers.retain_mut(|answer| {
                    logits.next().is_some_and(|logits| answer.take(&self.language, logits) == Course::GoesOn)
                });
            }
            // A drawn token is always in the vocabulary.
            Err(error) => {
                hand.answers.drain(..).for_each(|mut answer| answer.fail(for_each_text(&error)));
            }
        }
    }
}
