//! What stages minimise.

use serde::{Deserialize, Serialize};

use super::stage::at_least_one;
use super::{DataConfig, LearningRates, StageError, TrainConfig};

/// Single frames of moving shapes, rendered anew for every step.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct PatchLabelsConfig {
    /// Side of the picture in patches. Fewer than the tower's grid show the scene smaller, somewhere within the grid.
    pub picture: Option<usize>,
    /// Side of the windows that pictures are cut into, in patches; without it pictures stay whole.
    pub window: Option<usize>,
    /// A patch shows an object that covers at least this share of it.
    #[serde(alias = "cover")]
    pub min_coverage: f32,
    /// Weight of the positions' squared error in the loss.
    #[serde(alias = "place")]
    pub position_weight: f64,
}

impl Default for PatchLabelsConfig {
    fn default() -> Self {
        Self { picture: None, window: None, min_coverage: 0.3, position_weight: 0.1 }
    }
}

/// Labels of the object of each code, predicted from the code's token after the VQ-attention.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ObjectLabelsConfig {
    /// Frames of a clip.
    pub frames: usize,
    /// Numbers of codes; every micro-batch draws one of them.
    #[serde(default = "default_budgets")]
    pub budgets: Vec<usize>,
    /// Clips of a validation.
    #[serde(default = "default_validation_clips")]
    pub validation_clips: usize,
}

/// How a video reaches the language model, and what it is asked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AnswersConfig {
    /// What the language model reads in place of a video.
    pub visual_input: VisualInput,
    /// Frames of a clip.
    pub frames: usize,
    /// Questions about each clip of a step.
    pub questions: usize,
    /// Relative frequencies of what is asked about moving shapes.
    pub mixture: Mixture,
    /// A further term of the loss: object labels, predicted from the visual tokens' hidden states.
    pub object_labels: Option<AuxiliaryLoss>,
    /// Clips of a validation.
    pub validation_clips: usize,
}

/// What the language model reads in place of a video.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum VisualInput {
    /// Codes after the VQ-attention.
    VqToken(CodesConfig),
    /// Bare codes.
    Codebook(CodesConfig),
    /// Every frame's grid, pooled to half its sides as LLaVA-OneVision does.
    Pooled(PooledConfig),
    /// Nothing: the question alone.
    Blind,
}

/// How videos become codes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CodesConfig {
    /// Numbers of codes; every micro-batch draws one of them.
    pub budgets: Budgets,
    /// Weight of the commitment loss, which counts where tower or projector learn.
    pub commitment: f64,
}

/// Numbers of codes and how likely each is drawn.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Budgets {
    /// The numbers of codes.
    pub sizes: Vec<usize>,
    /// The price `p` of a code: `K` codes are drawn in proportion to `exp(-p K)`.
    pub price: f64,
}

/// How pooled grids are read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PooledConfig {
    /// The share of the tokens that a training step reads; without it, all. Validation reads all.
    pub keep: Option<KeptTokens>,
    /// A further term of the loss: how the object of each token has moved, predicted from the token's hidden states.
    pub trajectories: Option<AuxiliaryLoss>,
    /// Codes of these numbers are cached beside the pooled grids, for runs over codes that share the cache.
    pub cached_budgets: Vec<usize>,
}

/// A random subset of the tokens. Each keeps its position.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct KeptTokens {
    /// The share that is kept, in `(0, 1)`.
    pub share: f64,
    /// Which are kept first.
    pub first: KeepFirst,
}

/// Which tokens are kept before all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepFirst {
    /// None: every token is as likely, and all clips of a micro-batch keep the same ones.
    Any,
    /// Those that show an object of their clip.
    Objects,
}

/// A further term of the loss over visual tokens' hidden states.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AuxiliaryLoss {
    /// Its weight.
    pub weight: f64,
    /// Layers of the language model that the tokens have gone through: 0 is before the first.
    pub layer: usize,
}

/// Relative frequencies of the kinds of text about a clip of moving shapes.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Mixture {
    /// Descriptions.
    pub caption: f64,
    /// Questions with free answers.
    pub open: f64,
    /// Questions with options.
    pub choice: f64,
    /// The share of free questions that is drawn from those that a data set balances against guessing. The others come from all
    /// that a scene allows, most of which are easy.
    pub balanced: f64,
}

impl Default for Mixture {
    fn default() -> Self {
        Self { caption: 0.0, open: 1.0, choice: 1.0, balanced: 0.0 }
    }
}

pub(super) fn default_budgets() -> Vec<usize> {
    vec![32]
}

pub(super) const fn default_validation_clips() -> usize {
    64
}

impl VisualInput {
    /// How videos become codes, where codes are read.
    pub(crate) fn codes(&self) -> Option<&CodesConfig> {
        match self {
            Self::VqToken(codes) | Self::Codebook(codes) => Some(codes),
            Self::Pooled(_) | Self::Blind => None,
        }
    }

    /// How pooled grids are read, where they are.
    pub(crate) fn pooled(&self) -> Option<&PooledConfig> {
        match self {
            Self::Pooled(pooled) => Some(pooled),
            Self::VqToken(_) | Self::Codebook(_) | Self::Blind => None,
        }
    }

    /// The numbers of codes whose features are cached.
    pub(crate) fn cached_budgets(&self) -> &[usize] {
        match self {
            Self::VqToken(codes) | Self::Codebook(codes) => &codes.budgets.sizes,
            Self::Pooled(pooled) => &pooled.cached_budgets,
            Self::Blind => &[],
        }
    }
}

impl ObjectLabelsConfig {
    pub(super) fn check(&self, run: &TrainConfig, rates: &LearningRates) -> Result<(), StageError> {
        if run.shapes().is_none() {
            return Err(StageError::NeedsShapes { key: "object_labels" });
        }
        if !rates.freeze_grid() {
            return Err(StageError::GridNotFrozen);
        }
        at_least_one("frames", self.frames)?;
        check_budgets(&self.budgets)
    }
}

/// Cached index maps have a byte per cell.
pub(super) fn check_budgets(budgets: &[usize]) -> Result<(), StageError> {
    match budgets.is_empty() || budgets.iter().any(|codes| !(1..=256).contains(codes)) {
        true => Err(StageError::Budgets),
        false => Ok(()),
    }
}

fn at_least_zero(key: &'static str, value: f64) -> Result<(), StageError> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(StageError::OutOfRange { key, value, range: "at least 0" }),
    }
}

impl AnswersConfig {
    pub(super) fn check(&self, run: &TrainConfig) -> Result<(), StageError> {
        let shapes = match &run.data {
            Some(DataConfig::Shapes(_)) => true,
            Some(DataConfig::Llava(_)) => false,
            None => return Err(StageError::NoData),
        };
        let needs_shapes = |key: &'static str, given: bool| match given && !shapes {
            true => Err(StageError::NeedsShapes { key }),
            false => Ok(()),
        };
        at_least_one("questions", self.questions)?;
        at_least_one("frames", self.frames)?;
        needs_shapes("object_labels", self.object_labels.is_some())?;
        if let Some(term) = self.object_labels {
            at_least_zero("object_labels.weight", term.weight)?;
            if self.visual_input == VisualInput::Blind {
                let visual_input = "\"vqtoken\", \"codebook\" or \"pooled\"";
                return Err(StageError::VisualInputKey { key: "object_labels", visual_input });
            }
        }
        if let Some(codes) = self.visual_input.codes() {
            check_budgets(&codes.budgets.sizes)?;
            at_least_zero("commitment", codes.commitment)?;
            at_least_zero("price", codes.budgets.price)?;
        }
        if let Some(pooled) = self.visual_input.pooled() {
            if !pooled.cached_budgets.is_empty() {
                check_budgets(&pooled.cached_budgets)?;
            }
            if let Some(KeptTokens { share, first }) = pooled.keep {
                if !(share > 0.0 && share < 1.0) {
                    return Err(StageError::OutOfRange {
                        key: "keep",
                        value: share,
                        range: "above 0 and at most 1",
                    });
                }
                needs_shapes("objects_first", first == KeepFirst::Objects)?;
            }
            needs_shapes("trajectories", pooled.trajectories.is_some())?;
            if let Some(term) = pooled.trajectories {
                at_least_zero("trajectories.weight", term.weight)?;
            }
        }
        self.mixture.check()
    }
}

impl Mixture {
    fn check(&self) -> Result<(), StageError> {
        let Self { caption, open, choice, balanced } = *self;
        let weights = [caption, open, choice];
        if weights.iter().any(|weight| !(weight.is_finite() && *weight >= 0.0)) || weights == [0.0; 3] {
            return Err(StageError::Mixture);
        }
        match (0.0..=1.0).contains(&balanced) {
            true => Ok(()),
            false => {
                Err(StageError::OutOfRange { key: "mixture.balanced", value: balanced, range: "0 to 1" })
            }
        }
    }
}
