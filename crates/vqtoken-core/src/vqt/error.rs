//! What can be wrong with a `.vqt` file.

use std::path::PathBuf;

/// Why bytes are not video tokens.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VqtFormatError {
    /// Not there yet.
    #[error("the .vqt format is not written yet")]
    Unwritten,
}

/// Why a `.vqt` file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum VqtError {
    /// What is in the file is wrong.
    #[error("{path:?}: {cause}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: VqtFormatError,
    },
}
