//! What a stage minimises, as its configuration names it.

use serde::{Deserialize, Serialize};

use super::{Rates, TrainConfig};

/// Single frames of moving shapes, rendered anew for every step.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PatchesConfig {
    /// Side of the picture in patches: fewer than the tower's grid show the scene smaller, within a window of the grid.
    pub picture: Option<usize>,
    /// Side of the windows that pictures are cut into, in patches; whole pictures without it.
    pub window: Option<usize>,
    /// A patch belongs to an object that covers at least this share of it.
    pub cover: f32,
    /// Weight of the place in the loss.
    pub place: f64,
}

impl Default for PatchesConfig {
    fn default() -> Self {
        Self { picture: None, window: None, cover: 0.3, place: 0.1 }
    }
}

/// What the renderer knows about the object of each code, read off the code's token behind the VQ-attention.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FactsConfig {
    /// Frames of a clip.
    pub frames: usize,
    /// Numbers of codes; every step draws one of them.
    #[serde(default = "default_budgets")]
    pub budgets: Vec<usize>,
    /// Validation clips.
    #[serde(default = "default_validation_clips")]
    pub validation_clips: usize,
}

/// How a video reaches the language model, and what it is asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AnswersConfig {
    /// What stands for the video.
    pub reading: Reading,
    /// Frames of a clip.
    pub frames: usize,
    /// Numbers of codes; every step draws one of them.
    #[serde(default = "default_budgets")]
    pub budgets: Vec<usize>,
    /// The share of pooled tokens that a step reads, drawn at random; each keeps its position. Validation reads all.
    #[serde(default = "all")]
    pub keep: f64,
    /// Whether tokens that show an object are kept before all others, so that none of it is lost.
    #[serde(default, skip_serializing_if = "is_false")]
    pub objects_first: bool,
    /// Questions of a clip in a step.
    #[serde(default = "default_questions")]
    pub questions: usize,
    /// Relative frequencies of what is asked of moving shapes.
    #[serde(default)]
    pub mixture: Mixture,
    /// Weight of the pull between tokens and their codes, where the projector learns.
    #[serde(default)]
    pub commitment: f64,
    /// Price of a code in the loss: drawn budgets weigh their answers by it.
    #[serde(default)]
    pub price: f64,
    /// Facts that are to be read off the visual tokens on their way through the language model.
    pub facts: Option<TokensTerm>,
    /// The way of its object up to its own frame, read off every token of a pooled grid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<TokensTerm>,
    /// Validation clips.
    #[serde(default = "default_validation_clips")]
    pub validation_clips: usize,
}

/// A further term of the loss: what the renderer knows about the object of each visual token.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokensTerm {
    /// Its weight.
    pub weight: f64,
    /// How many layers of the language model the visual tokens have gone through.
    pub layer: usize,
}

/// What stands for a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Codes through the VQ-attention.
    Vqtoken,
    /// Bare codes.
    Codebook,
    /// Every frame's grid pooled to half its sides, as LLaVA-OneVision does.
    Pooled,
    /// Nothing: the question alone.
    Blind,
}

/// Relative frequencies of the kinds of text about a clip of moving shapes.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mixture {
    /// Descriptions.
    pub caption: f64,
    /// Questions with free answers.
    pub open: f64,
    /// Questions with options.
    pub choice: f64,
    /// The share of free questions that is drawn from those balanced against guessing, as a data set asks them; the others
    /// come from all that a scene allows, most of which are easy.
    #[serde(skip_serializing_if = "is_none")]
    pub balanced: f64,
}

impl Default for Mixture {
    fn default() -> Self {
        Self { caption: 0.0, open: 1.0, choice: 1.0, balanced: 0.0 }
    }
}

// What is not chosen is left out of what a checkpoint is compared by, so that one of before there was a choice still fits.

fn is_none(share: &f64) -> bool {
    *share == 0.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn default_budgets() -> Vec<usize> {
    vec![32]
}

const fn all() -> f64 {
    1.0
}

const fn default_questions() -> usize {
    6
}

const fn default_validation_clips() -> usize {
    64
}

impl FactsConfig {
    pub(super) fn check(&self, config: &TrainConfig, rates: &Rates) -> Result<(), String> {
        if config.data.shapes.is_none() {
            return Err("facts are known about [data.shapes] alone".to_owned());
        }
        if !rates.freeze_grid() {
            return Err(
                "facts are read off kept codes: the tower and the projector have no rate here".to_owned()
            );
        }
        check_codes(self.frames, &self.budgets)
    }
}

/// Kept index maps have a byte a cell.
fn check_codes(frames: usize, budgets: &[usize]) -> Result<(), String> {
    if frames == 0 {
        return Err("frames has to be at least 1".to_owned());
    }
    if budgets.is_empty() || budgets.iter().any(|codes| !(1..=256).contains(codes)) {
        return Err("budgets lists numbers of codes, at least one number and each from 1 to 256".to_owned());
    }
    Ok(())
}

impl AnswersConfig {
    pub(super) fn check(&self, config: &TrainConfig) -> Result<(), String> {
        if config.data.shapes.is_none() && config.data.llava.is_none() {
            return Err("answers need [data.shapes] or [data.llava] to learn from".to_owned());
        }
        if self.questions == 0 {
            return Err("questions has to be at least 1".to_owned());
        }
        check_codes(self.frames, &self.budgets)?;
        if self.facts.is_some() && (config.data.shapes.is_none() || self.reading == Reading::Blind) {
            return Err("facts are known about [data.shapes] alone, and only where it is seen".to_owned());
        }
        if !(self.keep > 0.0 && self.keep <= 1.0) {
            return Err(format!("keep is {}; it has to be above 0 and at most 1", self.keep));
        }
        if self.objects_first && (self.keep == 1.0 || config.data.shapes.is_none()) {
            return Err("objects_first goes with a keep below 1 and [data.shapes]".to_owned());
        }
        if self.keep < 1.0 && self.reading != Reading::Pooled {
            return Err(
                "keep leaves out tokens of a grid: it goes with reading = \"pooled\" alone".to_owned()
            );
        }
        if self.paths.is_some() && (config.data.shapes.is_none() || self.reading != Reading::Pooled) {
            return Err(
                "paths are known about [data.shapes] alone, and read off reading = \"pooled\"".to_owned()
            );
        }
        let of = |term: Option<TokensTerm>| term.map_or(0.0, |term| term.weight);
        let weights = [
            ("commitment", self.commitment),
            ("price", self.price),
            ("facts.weight", of(self.facts)),
            ("paths.weight", of(self.paths)),
        ];
        for (name, value) in weights {
            if !(value.is_finite() && value >= 0.0) {
                return Err(format!("{name} is {value}; it has to be at least 0"));
            }
        }
        let Mixture { caption, open, choice, balanced } = self.mixture;
        let weights = [caption, open, choice];
        if weights.iter().any(|weight| !(weight.is_finite() && *weight >= 0.0)) || weights == [0.0; 3] {
            return Err("mixture needs weights of at least 0, one of them above".to_owned());
        }
        if !(0.0..=1.0).contains(&balanced) {
            return Err(format!("mixture.balanced is {balanced}; it has to be 0 to 1"));
        }
        Ok(())
    }
}
