//! Reading the text files of a model directory, whose sizes are checked before they are believed.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::de::DeserializeOwned;
use vqtoken_files::{Limit, Limits, quoted};

use crate::error::ModelError;

/// The bytes of a file; `None` if there is none.
pub(super) fn bytes(path: &Path) -> Result<Option<Vec<u8>>, ModelError> {
    let unreadable = |source| ModelError::Unreadable { path: path.to_owned(), source };
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    Limits::default()
        .check(Limit::Bytes, length)
        .map_err(|source| ModelError::Limit { path: path.to_owned(), source })?;
    fs::read(path).map(Some).map_err(unreadable)
}

/// The text of a file, without a byte order mark; `None` if there is none.
pub(super) fn text(path: &Path) -> Result<Option<String>, ModelError> {
    let Some(bytes) = bytes(path)? else { return Ok(None) };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))),
        Err(_) => Err(bad(path, "it is not UTF-8 text".to_owned())),
    }
}

/// The value of a JSON file; `None` if there is none.
pub(super) fn optional_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    let Some(text) = text(path)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| bad(path, error.to_string()))
}

/// The value of a JSON file that has to be there.
pub(super) fn json<T: DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    optional_json(path)?
        .ok_or_else(|| ModelError::Unreadable { path: path.to_owned(), source: ErrorKind::NotFound.into() })
}

/// That a file is not what it should be.
pub(super) fn bad(path: &Path, problem: String) -> ModelError {
    ModelError::Config { file: quoted(path).to_string(), problem }
}
