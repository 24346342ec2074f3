//! The stage that compares texts with codes.

use serde::{Deserialize, Serialize};

use super::objectives::{check_budgets, default_budgets, default_validation_clips};
use super::stage::at_least_one;
use super::{LearningRates, StageError, TrainConfig};

/// Texts and windows of clips in one space; the model itself is frozen.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RetrievalConfig {
    /// Frames of a clip.
    pub frames: usize,
    /// Numbers of codes; every micro-batch draws one of them.
    #[serde(default = "default_budgets")]
    pub budgets: Vec<usize>,
    /// Parts of each clip that are compared beside the whole.
    #[serde(default = "default_windows")]
    pub windows: usize,
    /// Queries of each kind that are drawn of a clip.
    #[serde(default = "default_queries")]
    pub queries: usize,
    /// Forms of each query with one word changed.
    #[serde(default = "default_changed")]
    pub changed: usize,
    /// Weight of the loss on the best code of each window, by which search ranks clips.
    #[serde(default = "default_best_code_weight")]
    pub best_code_weight: f64,
    /// Weight of the loss on where in the picture the object of a query is.
    #[serde(default = "default_place_weight")]
    pub place_weight: f64,
    /// How many pairs that do not belong together weigh as much as one that does.
    #[serde(default = "default_balance")]
    pub balance: f64,
    /// Clips of a validation.
    #[serde(default = "default_validation_clips")]
    pub validation_clips: usize,
    /// Features of a vector (E).
    #[serde(default = "default_features")]
    pub features: usize,
    /// Layers over the codes of a window.
    #[serde(default = "default_code_layers")]
    pub code_layers: usize,
    /// Features of a word inside the text tower.
    #[serde(default = "default_text_features")]
    pub text_features: usize,
    /// Layers of the text tower.
    #[serde(default = "default_text_layers")]
    pub text_layers: usize,
    /// Tokens of a text.
    #[serde(default = "default_text_tokens")]
    pub text_tokens: usize,
    /// Attention heads.
    #[serde(default = "default_heads")]
    pub heads: usize,
    /// Inner features of the feed-forward blocks over features.
    #[serde(default = "default_expansion")]
    pub expansion: usize,
}

const fn default_windows() -> usize {
    2
}

pub(super) const fn default_queries() -> usize {
    2
}

pub(super) const fn default_changed() -> usize {
    1
}

const fn default_best_code_weight() -> f64 {
    1.0
}

const fn default_place_weight() -> f64 {
    0.5
}

pub(super) const fn default_balance() -> f64 {
    4.0
}

const fn default_features() -> usize {
    256
}

pub(super) const fn default_code_layers() -> usize {
    2
}

pub(super) const fn default_text_features() -> usize {
    128
}

pub(super) const fn default_text_layers() -> usize {
    3
}

pub(super) const fn default_text_tokens() -> usize {
    32
}

pub(super) const fn default_heads() -> usize {
    4
}

pub(super) const fn default_expansion() -> usize {
    3
}

impl RetrievalConfig {
    pub(super) fn check(&self, run: &TrainConfig, rates: &LearningRates) -> Result<(), StageError> {
        if run.shapes().is_none() {
            return Err(StageError::NeedsShapes { key: "retrieval" });
        }
        rates.check_only("retrieval")?;
        for (key, value) in [
            ("frames", self.frames),
            ("queries", self.queries),
            ("validation_clips", self.validation_clips),
            ("features", self.features),
            ("code_layers", self.code_layers),
            ("text_features", self.text_features),
            ("text_layers", self.text_layers),
            ("text_tokens", self.text_tokens),
            ("heads", self.heads),
            ("expansion", self.expansion),
        ] {
            at_least_one(key, value)?;
        }
        for (key, value) in [
            ("best_code_weight", self.best_code_weight),
            ("place_weight", self.place_weight),
            ("balance", self.balance),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(StageError::OutOfRange { key, value, range: "at least 0" });
            }
        }
        check_budgets(&self.budgets)
    }
}
