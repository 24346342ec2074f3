//! Errors of annotation files.

use std::fmt;
use std::io;
use std::path::PathBuf;

use vqtoken_files::{LimitError, quoted};

use super::conversation::ConversationError;

/// A row of a file: its index, and its key once that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowLocation {
    /// From 1, without the header.
    pub row: usize,
    /// The key of the question.
    pub key: Option<String>,
}

impl fmt::Display for RowLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}", self.row)?;
        self.key.as_ref().map_or(Ok(()), |key| write!(f, " ({})", shown(key)))
    }
}

/// Why annotations or predictions cannot be read. Each names the file, the row and its key, and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The operating system refuses.
    #[error("{path}: cannot be read ({source}): check that it exists and that you may read it", path = quoted(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not one of the formats that are read.
    #[error("{path}: its extension is not one of .csv, .json, .jsonl, .ndjson, .parquet: rename or convert it", path = quoted(path))]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// Not what its extension says, or damaged.
    #[error("{path}: {at}: not valid {format} ({reason}): download it again or mend it there", path = quoted(path))]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The row or line.
        at: String,
        /// What it should be.
        format: &'static str,
        /// What the parser says, on one line.
        reason: String,
    },
    /// The file has no rows.
    #[error("{path}: holds no questions: download it again, or choose another split", path = quoted(path))]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A column is missing or empty in this row.
    #[error("{path}: {location}: `{column}` is missing or empty: fill it in, or remove the row", path = quoted(path))]
    Missing {
        /// The file.
        path: PathBuf,
        /// The row.
        location: RowLocation,
        /// The column or key.
        column: String,
    },
    /// A value has another type.
    #[error("{path}: {location}: `{column}` is {found} instead of {expected}: correct it", path = quoted(path))]
    Kind {
        /// The file.
        path: PathBuf,
        /// The row.
        location: RowLocation,
        /// The column or key.
        column: String,
        /// The value, shortened.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A conversation is not made of questions with answers.
    #[error("{path}: {location}: `{column}`: {source}: correct it, or remove the row", path = quoted(path))]
    Conversation {
        /// The file.
        path: PathBuf,
        /// The row.
        location: RowLocation,
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        source: ConversationError,
    },
    /// No row is about a video.
    #[error("{path}: none of its {rows} rows is about a video: choose another file", path = quoted(path))]
    NoVideos {
        /// The file.
        path: PathBuf,
        /// How many rows it has.
        rows: usize,
    },
    /// The file asks for more than the limits allow.
    #[error("{path}: {source}", path = quoted(path))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it asks for.
        source: LimitError,
    },
    /// Too few or too many options.
    #[error("{path}: {location}: {found} options, a choice has 2 to 26: add or remove options", path = quoted(path))]
    Options {
        /// The file.
        path: PathBuf,
        /// The row.
        location: RowLocation,
        /// How many there are.
        found: usize,
    },
    /// The right answer is not one of the options.
    #[error(
        "{path}: {location}: answer {answer} is not one of the {options} options, the first of which is 0 or A: correct it",
        path = quoted(path)
    )]
    AnswerOutOfRange {
        /// The file.
        path: PathBuf,
        /// The row.
        location: RowLocation,
        /// The answer as written, shortened.
        answer: String,
        /// How many options there are.
        options: usize,
    },
    /// Two rows have the same key.
    #[error("{path}: {location}: the same key as row {first}: remove one of the two, or give it another id", path = quoted(path))]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The second of them.
        location: RowLocation,
        /// The row of the first.
        first: usize,
    },
    /// A question without an answer, or an answer without a question.
    #[error("{path}: {key} is missing, which {other} has: take both files from the same split", path = quoted(path), other = quoted(other))]
    Unpaired {
        /// The file that lacks it.
        path: PathBuf,
        /// The key.
        key: String,
        /// The file that has it.
        other: PathBuf,
    },
    /// The folder has no annotations of this benchmark.
    #[error("{path}: no {looked} in it or three folders below: put one there, or name the file", path = quoted(path))]
    NotFound {
        /// The folder.
        path: PathBuf,
        /// The names that were searched for.
        looked: String,
    },
}

/// A value from a file for a message: on one line, and not longer than 60 characters.
pub(crate) fn shown(value: &str) -> String {
    let mut short = String::new();
    for c in value.chars().take(60) {
        if c.is_control() { short.extend(c.escape_default()) } else { short.push(c) }
    }
    if value.chars().nth(60).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_is_in_the_file() {
        let location = RowLocation { row: 3, key: Some("a\nb".repeat(99)) };
        let error = ReadError::Missing { path: "x.csv".into(), location, column: "question".into() };
        let message = error.to_string();
        assert!(message.starts_with("x.csv: row 3 (a\\nb") && message.contains("`question` is missing"));
        assert!(!message.contains('\n') && message.len() < 300, "{message}");
    }
}
