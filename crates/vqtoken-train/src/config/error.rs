//! Why a configuration cannot be used.

use thiserror::Error;
use vqtoken_shapes::ShapesError;

/// Why the configuration of a run cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It is not TOML, or has an unknown key or a value of the wrong type.
    #[error("{}{message}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
    Toml {
        /// The line, from 1.
        line: Option<usize>,
        /// What the parser says, in one line.
        message: String,
    },
    /// There is nothing to do.
    #[error("there is no [[stage]]: a run needs at least one")]
    NoStage,
    /// No model to train.
    #[error("[model] has neither start (a model directory) nor config (a config.json)")]
    NoModel,
    /// A key of `[model]` that only means something beside another one.
    #[error("[model] {key} has no effect without {needs}: add that, or remove {key}")]
    ModelKey {
        /// The key.
        key: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// Two data sets.
    #[error("[data] has both shapes and llava: give one of them")]
    TwoDataSets,
    /// Settings of moving shapes.
    #[error("[data.shapes]: {0}")]
    Shapes(ShapesError),
    /// The share of validation videos.
    #[error("[data.llava] validation is {0}; it has to be at least 0 and below 1")]
    Validation(f64),
    /// A stage.
    #[error("stage {stage:?}: {source}")]
    Stage {
        /// Its name.
        stage: String,
        /// What is wrong with it.
        source: StageError,
    },
}

/// Why the configuration of a stage cannot be used.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum StageError {
    /// The name is not a folder's.
    #[error("name becomes a folder: use letters, digits, - and _")]
    Name,
    /// Two stages would share a folder.
    #[error("another stage has this name")]
    DuplicateName,
    /// No objective, or several.
    #[error(
        "it needs one of patch_labels, object_labels, retrieval, reranking and answers as its objective; it has {0}"
    )]
    Objectives(usize),
    /// No part learns.
    #[error("learning_rates has no part, so nothing would be trained")]
    NothingTrained,
    /// A number is out of range.
    #[error("{key} is {value}; it has to be {range}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// The batch is not a multiple of the micro-batches.
    #[error("batch {batch} cannot be cut into {micro_batches} equal micro-batches")]
    UnequalMicroBatches {
        /// Clips or frames per step.
        batch: usize,
        /// Micro-batches per step.
        micro_batches: usize,
    },
    /// The list of numbers of codes.
    #[error("budgets lists numbers of codes: at least one, and each from 1 to 256")]
    Budgets,
    /// All weights of the mixture are 0, or one is negative.
    #[error("mixture needs weights of at least 0, one of them above")]
    Mixture,
    /// Answers without data.
    #[error("answers need [data.shapes] or [data.llava] to learn from")]
    NoData,
    /// Something that only the renderer's truth can supply.
    #[error("{key} needs [data.shapes]: only there the truth about objects is known")]
    NeedsShapes {
        /// The key.
        key: &'static str,
    },
    /// An objective over cached codes, where codes would change.
    #[error(
        "object_labels are predicted from cached codes: vision_tower and projector cannot have a learning rate here"
    )]
    GridNotFrozen,
    /// A stage of retrieval or reranking that would train something else.
    #[error(
        "a stage of {key} needs a learning rate for {key} and for nothing else: the parts of the model stay as they are"
    )]
    OnlySearch {
        /// The objective.
        key: &'static str,
    },
    /// A learning rate without what learns.
    #[error("learning_rates.{key} goes with a stage of {key}")]
    NoSearch {
        /// The learning rate.
        key: &'static str,
    },
    /// A key of one kind of visual input, with another one.
    #[error("{key} has no effect here: it goes with visual_input = {visual_input}")]
    VisualInputKey {
        /// The key.
        key: &'static str,
        /// The kinds it belongs to.
        visual_input: &'static str,
    },
    /// Object tokens are preferred, but all are kept.
    #[error("objects_first goes with a keep below 1")]
    NothingLeftOut,
}
