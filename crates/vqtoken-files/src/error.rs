//! Why nothing was written.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::text::quoted;

/// Why a file or folder was not written. What was there before is unchanged. Every message is one line: what, why, remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The path has no last part, such as `..`.
    #[error("{} does not name a file: add a file name", quoted(path))]
    NoName {
        /// What was given.
        path: PathBuf,
    },
    /// The folder to write into does not exist.
    #[error(
        "{} cannot be written: there is no folder {}: create it, or choose another",
        quoted(path),
        quoted(folder)
    )]
    MissingFolder {
        /// The file to be written.
        path: PathBuf,
        /// The missing folder.
        folder: PathBuf,
    },
    /// There is a folder, a device or the like where the file would go.
    #[error("{} cannot be written: it exists and is not a file: choose another name", quoted(path))]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file to be replaced is read-only.
    #[error(
        "{} cannot be written: it is read-only: change its permissions, or choose another name",
        quoted(path)
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// There is something where the new folder would go.
    #[error("{} cannot be written: it exists already: choose another name", quoted(path))]
    Exists {
        /// The folder to be written.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{} cannot be written: {source}: {}", quoted(path), remedy(source))]
    Io {
        /// The file or folder to be written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl WriteError {
    /// The system refused to write to `path`.
    pub fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room, or choose another folder",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "check the permissions of the folder, or choose another"
        }
        ErrorKind::InvalidFilename => "choose a shorter or simpler name",
        ErrorKind::FileTooLarge => "choose a folder on another file system",
        _ => "check the disk, or choose another folder",
    }
}
