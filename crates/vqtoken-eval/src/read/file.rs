//! Files that are read whole, within the limits.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use serde_json::Value;
use vqtoken_files::{Limit, Limits};

use super::error::{ReadError, shown};

/// Opens a file that is read whole. Whatever is not a file, such as a pipe, is refused: it may never end.
pub(crate) fn open(path: &Path, limits: &Limits) -> Result<fs::File, ReadError> {
    let io = |source| ReadError::Io { path: path.into(), source };
    let metadata = fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(io(io::Error::other("not a regular file")));
    }
    let too_large = |source| ReadError::TooLarge { path: path.into(), source };
    limits.check(Limit::Bytes, metadata.len()).map_err(too_large)?;
    fs::File::open(path).map_err(io)
}

pub(crate) fn read_text(path: &Path, limits: &Limits) -> Result<String, ReadError> {
    let mut bytes = Vec::new();
    let read = open(path, limits)?.take(limits.bytes).read_to_end(&mut bytes);
    read.map_err(|source| ReadError::Io { path: path.into(), source })?;
    String::from_utf8(bytes).map_err(|error| syntax(path, "the whole file", "UTF-8", &error.to_string()))
}

pub(crate) fn read_json(path: &Path, limits: &Limits) -> Result<Value, ReadError> {
    let text = read_text(path, limits)?;
    let value = serde_json::from_str(text.trim_start_matches('\u{feff}'));
    value.map_err(|error| syntax(path, &format!("line {}", error.line()), "JSON", &error.to_string()))
}

pub(crate) fn syntax(path: &Path, at: &str, format: &'static str, reason: &str) -> ReadError {
    ReadError::Syntax { path: path.into(), at: at.into(), format, reason: shown(reason) }
}
