//! Reading the text files of a model directory, whose sizes are checked before they are believed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use vqtoken_files::{Limit, Limits, quoted};

use crate::error::ModelError;

/// A model directory, and how large each of its text files may be ([`Limits::bytes`]).
#[derive(Clone, Copy, Debug)]
pub(super) struct TextFiles<'a> {
    pub(super) directory: &'a Path,
    pub(super) limits: &'a Limits,
}

impl TextFiles<'_> {
    /// The path of a file.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The bytes of a file; `None` if there is none.
    pub(super) fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, ModelError> {
        let path = self.path(name);
        let unreadable = |source| ModelError::Unreadable { path: path.clone(), source };
        let length = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        self.limits
            .check(Limit::Bytes, length)
            .map_err(|source| ModelError::Limit { path: path.clone(), source })?;
        fs::read(&path).map(Some).map_err(unreadable)
    }

    /// The text of a file, without a byte order mark; `None` if there is none.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ModelError> {
        let Some(bytes) = self.bytes(name)? else { return Ok(None) };
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))),
            Err(_) => Err(bad(&self.path(name), "it is not UTF-8 text".to_owned())),
        }
    }

    /// The value of a JSON file; `None` if there is none.
    pub(super) fn optional_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ModelError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| bad(&self.path(name), error.to_string()))
    }

    /// The value of a JSON file that has to be there.
    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, ModelError> {
        self.optional_json(name)?.ok_or_else(|| ModelError::Unreadable {
            path: self.path(name),
            source: ErrorKind::NotFound.into(),
        })
    }
}

/// That a file is not what it should be.
pub(super) fn bad(path: &Path, problem: String) -> ModelError {
    ModelError::Config { file: quoted(path).to_string(), problem }
}
