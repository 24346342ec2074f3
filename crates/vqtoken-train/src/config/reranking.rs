//! The stage that learns which facts texts ask for and which hold for codes.

use serde::{Deserialize, Serialize};

use super::objectives::{check_budgets, default_budgets, default_validation_clips};
use super::retrieval::{
    default_balance, default_changed, default_code_layers, default_expansion, default_heads, default_queries,
    default_text_features, default_text_layers, default_text_tokens,
};
use super::stage::at_least_one;
use super::{LearningRates, StageError, TrainConfig};

/// Whether texts are true of clips; the model itself is frozen. The layers over texts alone and over codes alone begin as those of the
/// retriever of the model that the run starts from, if it has one of that shape.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RerankingConfig {
    /// Frames of a clip.
    pub frames: usize,
    /// Numbers of codes; every micro-batch draws one of them.
    #[serde(default = "default_budgets")]
    pub budgets: Vec<usize>,
    /// Queries of each kind that are drawn of a clip.
    #[serde(default = "default_queries")]
    pub queries: usize,
    /// Forms of each query with one word changed.
    #[serde(default = "default_changed")]
    pub changed: usize,
    /// Queries of other clips that each clip is compared with, at least.
    #[serde(default = "default_others")]
    pub others: usize,
    /// How many pairs that do not belong together weigh as much as one that does.
    #[serde(default = "default_balance")]
    pub balance: f64,
    /// Weight of the losses on the facts that texts ask for and that hold for the objects of codes.
    #[serde(default = "default_facts_weight")]
    pub facts_weight: f64,
    /// Clips of a validation.
    #[serde(default = "default_validation_clips")]
    pub validation_clips: usize,
    /// Layers over the codes of a clip.
    #[serde(default = "default_code_layers")]
    pub code_layers: usize,
    /// Features of a word before it reads codes.
    #[serde(default = "default_text_features")]
    pub text_features: usize,
    /// Layers over a text alone.
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

const fn default_others() -> usize {
    4
}

const fn default_facts_weight() -> f64 {
    0.3
}

impl RerankingConfig {
    /// Texts that each clip is compared with, of `kinds` kinds.
    pub(crate) fn texts(&self, kinds: usize) -> usize {
        kinds * self.queries * (1 + self.changed) + self.others
    }

    pub(super) fn check(&self, run: &TrainConfig, rates: &LearningRates) -> Result<(), StageError> {
        if run.shapes().is_none() {
            return Err(StageError::NeedsShapes { key: "reranking" });
        }
        rates.check_only("reranking")?;
        for (key, value) in [
            ("frames", self.frames),
            ("queries", self.queries),
            ("validation_clips", self.validation_clips),
            ("code_layers", self.code_layers),
            ("text_features", self.text_features),
            ("text_layers", self.text_layers),
            ("text_tokens", self.text_tokens),
            ("heads", self.heads),
            ("expansion", self.expansion),
        ] {
            at_least_one(key, value)?;
        }
        for (key, value) in [("balance", self.balance), ("facts_weight", self.facts_weight)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(StageError::OutOfRange { key, value, range: "at least 0" });
            }
        }
        check_budgets(&self.budgets)
    }
}
