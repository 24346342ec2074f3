//! A samples file: one line for each finished question, written as it is finished.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use vqtoken_files::{WriteError, quoted};

use crate::item::Item;
use crate::read::shown;
use crate::sample::Sample;

/// Why a run cannot start or continue. The samples file keeps its lines.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SamplesError {
    /// The operating system refuses, for instance because the disk is full.
    #[error("{path}: cannot be read or written ({source}): make room or check permissions, then run again to resume", path = quoted(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written anew.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Another run writes to it.
    #[error("{path}: another run is writing to it: wait for it, or choose another file", path = quoted(path))]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A line in the middle is not a sample.
    #[error("{path}: line {line}: not a sample of this program ({reason}): remove the line, or choose another file", path = quoted(path))]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// A line is about a question that is not in these annotations, or is worded differently there.
    #[error("{path}: line {line}: question {id} is not the one of these annotations: choose another file", path = quoted(path))]
    OtherQuestion {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Its key.
        id: String,
    },
    /// A line was made with other settings.
    #[error("{path}: line {line}: made with {found:?}, this run is {expected:?}: choose another file", path = quoted(path))]
    OtherSettings {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The line's settings.
        found: String,
        /// This run's.
        expected: String,
    },
    /// Two lines are about one question.
    #[error("{path}: line {line}: question {id} is there twice: remove one of the lines", path = quoted(path))]
    Twice {
        /// The file.
        path: PathBuf,
        /// The second line, counted from 1.
        line: usize,
        /// Its key.
        id: String,
    },
}

/// What happens to questions that failed in an earlier run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failed {
    /// They stay failed.
    #[default]
    Keep,
    /// They are asked again.
    AskAgain,
}

/// A samples file that is open for more lines, and locked against other runs.
pub(crate) struct SamplesFile {
    path: PathBuf,
    file: File,
}

impl SamplesFile {
    /// Opens or creates the file, and returns its samples by `doc_id`. An incomplete last line is removed, and so are failures that are
    /// asked again.
    pub(crate) fn open(
        path: &Path,
        items: &[Item],
        settings: &str,
        failed: Failed,
    ) -> Result<(Self, BTreeMap<usize, Sample>), SamplesError> {
        let io = |source| SamplesError::Io { path: path.into(), source };
        let open = || OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = open().map_err(io)?;
        lock(path, &file)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let mut samples = samples_of(path, &bytes, items, Some(settings))?;
        let before = samples.len();
        samples.retain(|_, sample| failed == Failed::Keep || sample.failed.is_none());
        let is_cut = bytes.last().is_some_and(|last| *last != b'\n');
        if before != samples.len() {
            let lines: Result<String, _> = samples.values().map(line).collect();
            vqtoken_files::write(path, lines.map_err(io)?)?;
            file = open().map_err(io)?;
            lock(path, &file)?;
        } else if is_cut {
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            file.set_len(whole as u64).and_then(|()| file.seek(io::SeekFrom::End(0))).map_err(io)?;
        }
        Ok((Self { path: path.into(), file }, samples))
    }

    /// Adds a line, in one write.
    pub(crate) fn append(&mut self, sample: &Sample) -> Result<(), SamplesError> {
        let written = line(sample).and_then(|line| self.file.write_all(line.as_bytes()));
        written.map_err(|source| SamplesError::Io { path: self.path.clone(), source })
    }
}

/// Reads a samples file and grades it again, in the order of the questions. An incomplete last line is left out.
pub fn read_samples(path: &Path, items: &[Item]) -> Result<Vec<Sample>, SamplesError> {
    let bytes = std::fs::read(path).map_err(|source| SamplesError::Io { path: path.into(), source })?;
    let samples = samples_of(path, &bytes, items, None)?;
    Ok(samples.into_values().collect())
}

fn lock(path: &Path, file: &File) -> Result<(), SamplesError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(SamplesError::InUse { path: path.into() }),
        // Some network file systems have no locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

fn line(sample: &Sample) -> io::Result<String> {
    Ok(serde_json::to_string(sample).map_err(io::Error::other)? + "\n")
}

fn samples_of(
    path: &Path,
    bytes: &[u8],
    items: &[Item],
    settings: Option<&str>,
) -> Result<BTreeMap<usize, Sample>, SamplesError> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    let mut samples = BTreeMap::new();
    for (index, text) in bytes[..whole].split(|byte| *byte == b'\n').enumerate() {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let (path, line) = (path.to_path_buf(), index + 1);
        let sample: Sample = match serde_json::from_slice(text) {
            Ok(sample) => sample,
            Err(error) => return Err(SamplesError::Line { path, line, reason: shown(&error.to_string()) }),
        };
        let id = shown(&sample.id);
        let Some(item) = items.get(sample.doc_id).filter(|item| item.hash() == sample.doc_hash) else {
            return Err(SamplesError::OtherQuestion { path, line, id });
        };
        if let Some(expected) = settings.filter(|settings| *settings != sample.settings) {
            let (found, expected) = (sample.settings, expected.into());
            return Err(SamplesError::OtherSettings { path, line, found, expected });
        }
        if samples.insert(sample.doc_id, sample.graded(item)).is_some() {
            return Err(SamplesError::Twice { path, line, id });
        }
    }
    Ok(samples)
}
