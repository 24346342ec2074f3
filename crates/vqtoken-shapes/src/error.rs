//! What can go wrong while a data set is made.

use std::path::PathBuf;

use vqtoken_video::VideoError;

/// Why no data set was written. Every message is one line: what, where, remedy. Clips that were complete stay.
#[derive(Debug, thiserror::Error)]
pub enum ShapesError {
    /// A setting is out of range.
    #[error("setting {what} = {got}: give {range}")]
    Settings {
        /// Name of the setting.
        what: &'static str,
        /// Its value.
        got: String,
        /// What it may be.
        range: &'static str,
    },
    /// The folder holds clips that were made with other settings.
    #[error(
        "{}: the folder holds a data set with another {what} ({there}, not {here}): choose another folder, or the same \
         settings to go on with it", path.display()
    )]
    OtherDataSet {
        /// The file that says so.
        path: PathBuf,
        /// Name of the first setting that differs.
        what: String,
        /// Its value in the folder.
        there: String,
        /// The value asked for.
        here: String,
    },
    /// The file of settings in the folder is not one of ours.
    #[error("{}: not the settings of a data set ({reason}): choose another folder, or remove this file", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or folder could not be written.
    #[error(
        "{}: cannot be written: {source}; make room or choose another folder, complete clips are kept", path.display()
    )]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A clip could not be written.
    #[error("clip {clip}: {source}; start again when that is mended, complete clips are kept")]
    Clip {
        /// Its name.
        clip: String,
        /// What went wrong.
        source: VideoError,
    },
}
