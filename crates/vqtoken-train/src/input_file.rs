//! Reading files that a configuration names, whose sizes are checked before they are believed.

use std::fs;
use std::path::Path;

use vqtoken_files::{Limit, Limits};

use crate::error::TrainError;

/// The bytes of a file of at most [`Limits::bytes`].
pub(crate) fn read_bytes(file: &Path, limits: &Limits) -> Result<Vec<u8>, TrainError> {
    checked(file, limits, |file| fs::read(file))
}

/// The text of a file of at most [`Limits::bytes`].
pub(crate) fn read_text(file: &Path, limits: &Limits) -> Result<String, TrainError> {
    checked(file, limits, |file| fs::read_to_string(file))
}

fn checked<T>(
    file: &Path,
    limits: &Limits,
    read: impl FnOnce(&Path) -> std::io::Result<T>,
) -> Result<T, TrainError> {
    let unreadable = |source| TrainError::Unreadable { path: file.to_owned(), source };
    let length = fs::metadata(file).map_err(unreadable)?.len();
    limits
        .check(Limit::Bytes, length)
        .map_err(|source| TrainError::Limit { path: file.to_owned(), source })?;
    read(file).map_err(unreadable)
}
