//! A model's answer to one question, and what it cost.

use std::error::Error;
use std::ops::{Add, AddAssign};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::item::Item;

/// One number for each stage from file to text: seconds, or floating-point operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PerStage {
    /// From the file to sampled frames.
    pub decode: f64,
    /// From frames to pixel values.
    pub pixels: f64,
    /// The vision tower and the projector.
    pub vision: f64,
    /// The quantizer, or another reducer.
    pub quantize: f64,
    /// VQ-attention.
    pub attention: f64,
    /// The language model over the prompt.
    pub prefill: f64,
    /// The language model generating the answer.
    pub generation: f64,
}

impl PerStage {
    /// The stages by name, in the order of the data.
    pub fn named(&self) -> [(&'static str, f64); 7] {
        [
            ("decode", self.decode),
            ("pixels", self.pixels),
            ("vision", self.vision),
            ("quantize", self.quantize),
            ("attention", self.attention),
            ("prefill", self.prefill),
            ("generation", self.generation),
        ]
    }

    /// All stages together.
    pub fn total(&self) -> f64 {
        self.named().iter().map(|(_, value)| value).sum()
    }

    /// Every stage divided by a count.
    pub fn divided(self, by: f64) -> Self {
        let Self { decode, pixels, vision, quantize, attention, prefill, generation } = self;
        Self {
            decode: decode / by,
            pixels: pixels / by,
            vision: vision / by,
            quantize: quantize / by,
            attention: attention / by,
            prefill: prefill / by,
            generation: generation / by,
        }
    }
}

impl Add for PerStage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            decode: self.decode + other.decode,
            pixels: self.pixels + other.pixels,
            vision: self.vision + other.vision,
            quantize: self.quantize + other.quantize,
            attention: self.attention + other.attention,
            prefill: self.prefill + other.prefill,
            generation: self.generation + other.generation,
        }
    }
}

impl AddAssign for PerStage {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// What the model wrote.
    pub text: String,
    /// One score for each option, where options were ranked: the option of the largest score is the answer, the first of equals, and
    /// `text` is not parsed.
    pub option_scores: Option<Vec<f64>>,
    /// Visual tokens that the language model read.
    pub visual_tokens: usize,
    /// Seconds.
    pub seconds: PerStage,
    /// Floating-point operations, a multiplication and an addition counted as two.
    pub flops: PerStage,
}

/// One question as it is put to a model.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The index of the run that asks, among those of [`crate::run_together`].
    pub run: usize,
    /// The question.
    pub item: &'a Item,
    /// Its video; none where the run asks without one.
    pub video: Option<&'a Path>,
    /// The text for the model.
    pub prompt: &'a str,
    /// Whether to rank the item's options, which the prompt does not show, instead of generating text.
    pub ranks: bool,
    /// The seed of this question: it depends on the run's seed and the question's id, not on what was asked before.
    pub seed: u64,
}

/// A model that answers questions.
pub trait Answerer {
    /// Answers one question. An error is kept with the question, and the run continues with the next one.
    ///
    /// The answer may depend only on `ask` and the model, so that a resumed run equals an uninterrupted one. Questions about one video
    /// come one after the other, grouped by run, so that what was computed of a video can be kept for the next question.
    fn answer(&mut self, ask: &Ask<'_>) -> Result<Answer, Box<dyn Error + Send + Sync>>;
}
