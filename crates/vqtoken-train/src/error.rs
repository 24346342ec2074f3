//! What can go wrong in training. Each message is one line: what, where, remedy.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use vqtoken_core::{CodebookError, GridError, IndexMapError, QuantizeError};
use vqtoken_files::{LimitError, WriteError, quoted};
use vqtoken_model::ModelError;
use vqtoken_shapes::ShapesError;
use vqtoken_video::VideoError;

use crate::clips::llava::LlavaError;
use crate::config::{ConfigError, StageError};

/// Why training stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The configuration cannot be used.
    #[error("{}: {source}", quoted(file))]
    Config {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: Box<ConfigError>,
    },
    /// A stage cannot be run as it is configured.
    #[error("stage {stage:?}: {source}")]
    Stage {
        /// The stage.
        stage: String,
        /// What is wrong with it.
        source: StageError,
    },
    /// The conversations cannot be used.
    #[error("{}: {source}", quoted(file))]
    Llava {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: LlavaError,
    },
    /// A checkpoint cannot be resumed.
    #[error("{}: {source}", quoted(file))]
    Checkpoint {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// Prototypes cannot be taken from a checkpoint.
    #[error("{}: {source}", quoted(file))]
    Prototypes {
        /// The checkpoint.
        file: PathBuf,
        /// What is wrong with it.
        source: PrototypesError,
    },
    /// A file of cached features is damaged.
    #[error("{}: {source}: remove it, and it is computed again", quoted(file))]
    Features {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: FeatureError,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", quoted(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is larger than is allowed.
    #[error("{}: {source}", quoted(path))]
    Limit {
        /// The file.
        path: PathBuf,
        /// Which limit, and by how much.
        source: LimitError,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}; everything up to the last checkpoint is kept", quoted(path))]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The loss is infinite or NaN.
    #[error(
        "stage {stage}: the loss is {loss} at step {step}: lower the learning rates or max_gradient_norm, and resume from \
         the last checkpoint, which is kept"
    )]
    NotFinite {
        /// The stage.
        stage: String,
        /// The step, from 1.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// There are results of an earlier run where this one would go.
    #[error("{} holds an earlier run: give --resume to continue it, or another --out", quoted(path))]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A stage reads through a VQ-attention that the model does not have.
    #[error(
        "stage {stage:?} reads codes after the VQ-attention, which the model does not have: add vq_attention to [model]"
    )]
    NoVqAttention {
        /// The stage.
        stage: String,
    },
    /// A further loss is read off a layer that the language model does not have.
    #[error("stage {stage:?}: {key}.layer is {layer}; the language model has {layers} layers")]
    NoLayer {
        /// The stage.
        stage: String,
        /// The key of the loss.
        key: &'static str,
        /// The layer asked for.
        layer: usize,
        /// The layers there are.
        layers: usize,
    },
    /// Moving shapes without clips for training or for validation.
    #[error("[data.shapes]: {clips} clips leave none for training or none for validation: ask for more")]
    EmptySplit {
        /// Clips, all splits together.
        clips: usize,
    },
    /// No question can be asked about any clip of a micro-batch.
    #[error("there are no questions about the clips of step {step}: raise questions or change the mixture")]
    NoQuestions {
        /// The step, from 1.
        step: usize,
    },
    /// The model's chat template does not repeat earlier turns as they were.
    #[error(
        "the model's chat template changes earlier turns of a conversation: train on conversations of one turn"
    )]
    TemplateChangesTurns,
    /// No tokenizer could be trained.
    #[error("the tokenizer cannot be trained: {0}")]
    Tokenizer(#[from] TokenizerError),
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The quantizer.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// A token grid.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// An index map.
    #[error(transparent)]
    IndexMap(#[from] IndexMapError),
    /// A video.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// The built-in data.
    #[error(transparent)]
    Shapes(#[from] ShapesError),
}

/// Why a checkpoint cannot be resumed or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It is not a safetensors file, or is cut off.
    #[error("damaged ({0}): remove the file to start the stage again")]
    Damaged(#[from] safetensors::SafeTensorError),
    /// It lacks the record of how far the stage was.
    #[error("it does not say how far the stage was: remove the file to start the stage again")]
    NoProgress,
    /// The record of how far the stage was cannot be read.
    #[error("how far the stage was cannot be read ({0}): remove the file to start the stage again")]
    Progress(#[from] serde_json::Error),
    /// A parameter does not fit the model.
    #[error("parameter {name} is missing or has another shape: remove the file to start the stage again")]
    Parameter {
        /// Its name.
        name: String,
    },
    /// The stage was configured otherwise.
    #[error(
        "it was made with another configuration of this stage: undo the change, or start again in another folder"
    )]
    OtherStage,
}

/// Why prototypes cannot be taken from a checkpoint.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PrototypesError {
    /// It is not a safetensors file, or is cut off.
    #[error("damaged ({0})")]
    Damaged(#[from] safetensors::SafeTensorError),
    /// It has no prototypes.
    #[error("it has no {name}: prototypes are in checkpoints of stages of patch labels")]
    Missing {
        /// The tensor's name.
        name: String,
    },
    /// Prototypes of other classes, or of another model's width.
    #[error("{name} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// The tensor's name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// `[classes, hidden size of the language model]`.
        expected: [usize; 2],
    },
}

/// Why a file of cached features cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// It is not a safetensors file, is cut off, or lacks a tensor.
    #[error("damaged ({0})")]
    Damaged(#[from] safetensors::SafeTensorError),
    /// A tensor has the wrong number of dimensions.
    #[error("{name} has shape {shape:?}, expected {expected}")]
    Shape {
        /// The tensor's name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// What was expected.
        expected: &'static str,
    },
    /// The codebook.
    #[error(transparent)]
    Codebook(#[from] CodebookError),
    /// The index map.
    #[error(transparent)]
    IndexMap(#[from] IndexMapError),
}

/// Why no tokenizer could be trained.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The vocabulary is too small.
    #[error("a vocabulary of {vocabulary} has no room for all bytes: 300 is enough")]
    Vocabulary {
        /// The size in `config.json`.
        vocabulary: usize,
    },
    /// The library that trains it.
    #[error(transparent)]
    Library(#[from] tokenizers::Error),
}
