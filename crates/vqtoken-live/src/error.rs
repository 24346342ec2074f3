//! What can go wrong with a live stream.

use std::path::PathBuf;

use vqtoken_core::{BudgetError, QuantizeError, VqtError};
use vqtoken_files::{LimitError, WriteError, quoted};
use vqtoken_model::ModelError;
use vqtoken_video::{LiveInputError, LiveVideoError, VideoError};

/// Why a live stream does not start, take a frame or answer. Every message is one line: what, where, remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// A length, rate or time of the options is not above 0.
    #[error("{name} of {value}: give a number above 0")]
    Option {
        /// Which.
        name: &'static str,
        /// What was given.
        value: f64,
    },
    /// What is kept would be shorter than a window.
    #[error(
        "windows of {window} s do not fit into the last {keep} s that are kept: keep more, or take shorter windows"
    )]
    KeepTooShort {
        /// Seconds of a window.
        window: f64,
        /// Seconds that are kept.
        keep: f64,
    },
    /// What is kept would have more labels than the limit allows.
    #[error("{keep} s at {fps} frames a second: {source}")]
    TooMuch {
        /// Seconds that are kept.
        keep: f64,
        /// Frames a second.
        fps: f64,
        /// How many labels, and the limit.
        source: LimitError,
    },
    /// A frame's time is not finite or lies before the frame that came last.
    #[error("a frame at {seconds} s after one at {last} s: frames need finite times that do not go back")]
    Time {
        /// The frame's.
        seconds: f64,
        /// That of the last frame, or 0.
        last: f64,
    },
    /// There is no frame to say anything about.
    #[error(
        "no frame has been seen in the last {last} s: ask again when the stream has begun, or about a longer time"
    )]
    NoFrames {
        /// What was asked about, in seconds.
        last: f64,
    },
    /// The stream has ended.
    #[error("the stream has ended: start another")]
    Ended,
    /// As many questions wait as may.
    #[error("{waiting} questions are waiting already: ask again when some of them are answered")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// The folder is written by another stream.
    #[error("{}: another stream is saved there: give this one a folder of its own", quoted(folder))]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder holds windows that another model made.
    #[error(
        "{}: its windows were made by model {found}, and this stream uses {expected}: give another folder, or that model",
        quoted(folder)
    )]
    OtherModel {
        /// The folder.
        folder: PathBuf,
        /// The model of its windows.
        found: String,
        /// The model of this stream.
        expected: String,
    },
    /// The folder's description is not one.
    #[error(
        "{}: not the description of a stream: {reason}: remove it with the windows beside it, or give another folder",
        quoted(path)
    )]
    Description {
        /// `stream.json`.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or folder cannot be read.
    #[error("{}: cannot be read: {source}", quoted(path))]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread cannot be started.
    #[error("a thread for the stream cannot be started")]
    Thread(#[source] std::io::Error),
    /// A text names no source.
    #[error(transparent)]
    Input(#[from] LiveInputError),
    /// A stream cannot be read.
    #[error(transparent)]
    Stream(#[from] LiveVideoError),
    /// A file cannot be read.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Video tokens cannot be saved.
    #[error(transparent)]
    Vqt(#[from] VqtError),
    /// A budget cannot be used.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The quantizer refused tokens.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// The vision side failed.
    #[error(transparent)]
    Model(#[from] ModelError),
}
