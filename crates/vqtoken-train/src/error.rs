//! What can go wrong in training, each as one line that says what, where and how to mend it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use vqtoken_core::{GridError, QuantizeError};
use vqtoken_model::ModelError;
use vqtoken_shapes::ShapesError;
use vqtoken_video::VideoError;

/// Why training stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The configuration cannot be read or makes no sense.
    #[error("{}: {problem}", file.display())]
    Config {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, with the key or the line.
        problem: String,
    },
    /// A data file cannot be used.
    #[error("{}: {problem}", file.display())]
    Data {
        /// The file.
        file: PathBuf,
        /// What is wrong, with the row.
        problem: String,
    },
    /// A checkpoint cannot be used.
    #[error("{}: {problem}", file.display())]
    Checkpoint {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}; everything up to the last checkpoint is kept", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The loss is no number any more.
    #[error(
        "stage {stage}: the loss is {loss} at step {step}: lower the learning rates or the clipping bound, and resume \
         from the last checkpoint, which is kept"
    )]
    NotANumber {
        /// The stage.
        stage: String,
        /// The step.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// There are results of an earlier run where this one would go.
    #[error("{} holds an earlier run: give --resume to go on with it, or another --out", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The quantizer.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// A token grid.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// A video.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// The built-in data.
    #[error(transparent)]
    Shapes(#[from] ShapesError),
}
