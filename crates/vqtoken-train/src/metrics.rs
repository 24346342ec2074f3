//! The log of a stage: one JSON object a line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::TrainError;

/// A log that grows as training goes on.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens the log of a stage that has taken `steps` steps. Lines of later steps are dropped: an interrupted run wrote
    /// them after its last checkpoint, and these steps are taken again.
    ///
    /// # Errors
    ///
    /// If it cannot be read or written.
    pub(crate) fn open(path: &Path, steps: usize) -> Result<Self, TrainError> {
        let kept: String = read_metrics(path)?
            .into_iter()
            .filter(|line| step_of(line).is_some_and(|step| step <= steps))
            .map(|line| format!("{}\n", Value::Object(line)))
            .collect();
        vqtoken_files::write(path, kept)?;
        let unwritable = |source| TrainError::Unwritable { path: path.to_owned(), source };
        let file = OpenOptions::new().append(true).open(path).map_err(unwritable)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Adds a line.
    ///
    /// # Errors
    ///
    /// If it cannot be written, on a full disk for example.
    pub(crate) fn add(&mut self, line: Map<String, Value>) -> Result<(), TrainError> {
        writeln!(self.file, "{}", Value::Object(line))
            .map_err(|source| TrainError::Unwritable { path: self.path.clone(), source })
    }
}

/// The lines of a stage's log; none if there is no log. A last line that was cut off is left out.
///
/// # Errors
///
/// If it cannot be read.
pub fn read_metrics(path: &Path) -> Result<Vec<Map<String, Value>>, TrainError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(TrainError::Unreadable { path: path.to_owned(), source }),
    };
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

fn step_of(line: &Map<String, Value>) -> Option<usize> {
    line.get("step").and_then(Value::as_u64).map(|step| step as usize)
}
