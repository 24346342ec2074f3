//! Where things are in the archive's folder.

use std::path::{Path, PathBuf};

use crate::error::ArchiveError;

/// The catalogue, with SQLite's `-wal` and `-shm` beside it while it is open.
pub(crate) const CATALOGUE: &str = "catalogue.sqlite";
/// Held by the process that writes.
pub(crate) const LOCK: &str = "archive.lock";
/// The folder with a folder for each video.
pub(crate) const VIDEOS: &str = "videos";
/// The folder of the vectors.
pub(crate) const SEGMENTS: &str = "segments";
/// How the names of segments end.
const SEGMENT_ENDING: &str = ".vectors";
/// A video's sampled frames.
pub(crate) const FRAMES: &str = "frames.bin";

/// Bytes of the longest budget: its file's name is at most three times as long, which every file system takes.
const LONGEST_BUDGET: usize = 80;

/// The paths of an archive.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    folder: PathBuf,
}

impl Layout {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn catalogue(&self) -> PathBuf {
        self.folder.join(CATALOGUE)
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.folder.join(LOCK)
    }

    pub(crate) fn videos(&self) -> PathBuf {
        self.folder.join(VIDEOS)
    }

    /// The folder of a video; `id` has been checked.
    pub(crate) fn video(&self, id: &str) -> PathBuf {
        self.folder.join(VIDEOS).join(id)
    }

    pub(crate) fn segments(&self) -> PathBuf {
        self.folder.join(SEGMENTS)
    }

    /// A file of vectors.
    pub(crate) fn segment(&self, name: &str) -> PathBuf {
        self.segments().join(name)
    }

    pub(crate) fn frames(&self, id: &str) -> PathBuf {
        self.video(id).join(FRAMES)
    }

    pub(crate) fn tokens(&self, id: &str, budget: &str) -> PathBuf {
        self.video(id).join(tokens_name(budget))
    }
}

/// The file name of a segment.
pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:012}{SEGMENT_ENDING}")
}

/// Whether a text has the form of a segment's name. Only such texts become paths.
pub(crate) fn is_segment_name(text: &str) -> bool {
    let digits = text.strip_suffix(SEGMENT_ENDING);
    digits.is_some_and(|digits| digits.len() >= 12 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The file name of a budget: letters, digits, `-`, `=` and dots within are kept, other bytes become `%` and two digits.
pub(crate) fn tokens_name(budget: &str) -> String {
    let mut name = String::with_capacity(budget.len() + 4);
    for (index, byte) in budget.bytes().enumerate() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'=' => name.push(char::from(byte)),
            b'.' if index > 0 => name.push('.'),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name + ".vqt"
}

pub(crate) fn check_budget(budget: &str) -> Result<(), ArchiveError> {
    match budget.len() {
        1..=LONGEST_BUDGET => Ok(()),
        _ => Err(ArchiveError::Budget { budget: budget.to_owned(), longest: LONGEST_BUDGET }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_have_file_names_of_their_own() {
        for (budget, name) in [
            ("32", "32.vqt"),
            ("fine", "fine.vqt"),
            ("adaptive:elbow:8-32", "adaptive%3aelbow%3a8-32.vqt"),
            ("adaptive:bits=0.02:8-32", "adaptive%3abits=0.02%3a8-32.vqt"),
            ("../x", "%2e.%2fx.vqt"),
            ("é", "%c3%a9.vqt"),
        ] {
            assert_eq!(tokens_name(budget), name);
        }
        check_budget("").unwrap_err();
        check_budget(&"8".repeat(81)).unwrap_err();
        check_budget(&"8".repeat(80)).unwrap();
    }
}
