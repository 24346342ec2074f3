//! What can go wrong while a data set is made.

use std::path::PathBuf;

use thiserror::Error;
use vqtoken_files::{WriteError, quoted};
use vqtoken_video::VideoError;

/// Why a data set was not written. Every message is one line: what, where, remedy. Clips that were complete are kept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ShapesError {
    /// A setting is out of range.
    #[error("setting {name} = {value}: give {range}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        range: &'static str,
    },
    /// The folder holds clips that were made with other settings.
    #[error(
        "{}: the folder holds a data set with another {name} ({there}, not {here}): choose another folder, or the same \
         settings to continue it",
        quoted(file)
    )]
    OtherDataSet {
        /// The file of its settings.
        file: PathBuf,
        /// The name of the first setting that differs.
        name: String,
        /// Its value in the folder.
        there: String,
        /// The value asked for.
        here: String,
    },
    /// The folder's `settings.json` is not that of a data set.
    #[error(
        "{}: these are not the settings of a data set ({source}): choose another folder, or remove this file",
        quoted(file)
    )]
    NotSettings {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The folder holds videos that do not belong to a data set.
    #[error(
        "{}: the folder has files, but {} is missing beside it: choose another folder",
        quoted(videos),
        quoted(file)
    )]
    OtherVideos {
        /// The folder of videos.
        videos: PathBuf,
        /// The file of settings that is missing.
        file: PathBuf,
    },
    /// A file or folder cannot be written.
    #[error("{0}; complete clips are kept")]
    Write(#[from] WriteError),
    /// The file of settings cannot be read.
    #[error("{} cannot be read: {source}: check its permissions, or choose another folder", quoted(file))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A clip cannot be written.
    #[error("clip {clip}: {source}; run again when that is solved, complete clips are kept")]
    Clip {
        /// Its name.
        clip: String,
        /// What went wrong.
        source: VideoError,
    },
}
