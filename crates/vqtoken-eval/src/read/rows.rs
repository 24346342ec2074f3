//! One table of named values from any of the formats that authors publish.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use vqtoken_files::Limits;

use super::conversation::ConversationError;
use super::error::{ReadError, RowLocation, shown};
use super::file::{open, read_json, read_text, syntax};
use super::parquet_rows::parquet_rows;

/// The rows of a file, each with its values by name.
pub(crate) struct Rows {
    pub(crate) path: PathBuf,
    rows: Vec<Map<String, Value>>,
}

/// One row and its location.
pub(crate) struct Row<'a> {
    path: &'a Path,
    pub(crate) location: RowLocation,
    fields: &'a Map<String, Value>,
}

impl Rows {
    /// Reads a `.csv` with a header, a `.json` list of objects, `.jsonl` or `.ndjson`, or a `.parquet` file.
    pub(crate) fn read(path: &Path, limits: &Limits) -> Result<Self, ReadError> {
        let extension =
            path.extension().and_then(|text| text.to_str()).unwrap_or_default().to_ascii_lowercase();
        let rows = match extension.as_str() {
            "csv" => csv_rows(path, limits)?,
            "json" => json_rows(path, limits)?,
            "jsonl" | "ndjson" => json_line_rows(path, limits)?,
            "parquet" => parquet_rows(path, limits)?,
            _ => return Err(ReadError::UnknownFormat { path: path.into() }),
        };
        if rows.is_empty() {
            return Err(ReadError::Empty { path: path.into() });
        }
        Ok(Self { path: path.into(), rows })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().enumerate().map(|(index, fields)| Row {
            path: &self.path,
            location: RowLocation { row: index + 1, key: None },
            fields,
        })
    }

    /// Each object of a list in `column` as a row of its own, which also has the other columns of its row; rows without such a list
    /// as they are.
    pub(crate) fn unnested(self, column: &str) -> Self {
        let unnest = |mut row: Map<String, Value>| match row.remove(column) {
            Some(Value::Array(inner)) if inner.iter().all(Value::is_object) => inner
                .into_iter()
                .map(|inner| {
                    let mut whole = row.clone();
                    whole.extend(inner.as_object().cloned().unwrap_or_default());
                    whole
                })
                .collect(),
            Some(other) => {
                row.insert(column.to_owned(), other);
                vec![row]
            }
            None => vec![row],
        };
        Self { rows: self.rows.into_iter().flat_map(unnest).collect(), ..self }
    }

    /// Whether the first row has this column.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.rows.first().is_some_and(|row| row.contains_key(column))
    }
}

impl Row<'_> {
    /// The value of a column, which numbers have as text, too; trimmed and not empty.
    pub(crate) fn text(&self, column: &str) -> Result<String, ReadError> {
        match self.fields.get(column) {
            Some(value @ (Value::Object(_) | Value::Array(_) | Value::Bool(_))) => {
                Err(self.kind(column, value, "text"))
            }
            value => value.and_then(as_text).ok_or_else(|| self.missing(column)),
        }
    }

    /// The same, or nothing where it is missing or empty.
    pub(crate) fn optional_text(&self, column: &str) -> Option<String> {
        self.fields.get(column).and_then(as_text)
    }

    /// A whole number, also one written as text.
    pub(crate) fn integer(&self, column: &str) -> Result<i64, ReadError> {
        let value = self.fields.get(column).filter(|value| as_text(value).is_some());
        let value = value.ok_or_else(|| self.missing(column))?;
        let number = as_text(value).and_then(|text| text.parse().ok());
        number.ok_or_else(|| self.kind(column, value, "a whole number"))
    }

    /// A list of texts.
    pub(crate) fn texts(&self, column: &str) -> Result<Vec<String>, ReadError> {
        match self.fields.get(column) {
            None | Some(Value::Null) => Err(self.missing(column)),
            Some(Value::Array(values)) => values
                .iter()
                .enumerate()
                .map(|(index, value)| {
                    as_text(value).ok_or_else(|| self.missing(&format!("{column}[{index}]")))
                })
                .collect(),
            Some(value) => Err(self.kind(column, value, "a list of texts")),
        }
    }

    /// The value as it is.
    pub(crate) fn value(&self, column: &str) -> Option<&Value> {
        self.fields.get(column)
    }

    pub(crate) fn conversation(&self, column: &'static str, source: ConversationError) -> ReadError {
        ReadError::Conversation { path: self.path.into(), location: self.location.clone(), column, source }
    }

    pub(crate) fn missing(&self, column: &str) -> ReadError {
        ReadError::Missing { path: self.path.into(), location: self.location.clone(), column: column.into() }
    }

    pub(crate) fn kind(&self, column: &str, found: &Value, expected: &'static str) -> ReadError {
        let (path, location, column) = (self.path.into(), self.location.clone(), column.into());
        ReadError::Kind { path, location, column, found: shown(&found.to_string()), expected }
    }

    /// The index of the right option, checked.
    pub(crate) fn index(&self, answer: i64, options: usize) -> Result<usize, ReadError> {
        let index = usize::try_from(answer).ok().filter(|index| *index < options);
        index.ok_or_else(|| self.out_of_range(&answer.to_string(), options))
    }

    pub(crate) fn out_of_range(&self, answer: &str, options: usize) -> ReadError {
        let (path, location) = (self.path.into(), self.location.clone());
        ReadError::AnswerOutOfRange { path, location, answer: shown(answer), options }
    }

    /// Refuses fewer options than two, and more than there are letters.
    pub(crate) fn options(&self, options: Vec<String>) -> Result<Vec<String>, ReadError> {
        match options.len() {
            2..=26 => Ok(options),
            found => {
                Err(ReadError::Options { path: self.path.into(), location: self.location.clone(), found })
            }
        }
    }
}

/// Keys that may occur once.
#[derive(Default)]
pub(crate) struct Keys {
    rows: BTreeMap<String, usize>,
}

impl Keys {
    /// Records the key of a row, also in the row's location for later messages.
    pub(crate) fn claim(&mut self, row: &mut Row<'_>, key: &str) -> Result<(), ReadError> {
        row.location.key = Some(key.into());
        match self.rows.insert(key.into(), row.location.row) {
            None => Ok(()),
            Some(first) => {
                Err(ReadError::Duplicate { path: row.path.into(), location: row.location.clone(), first })
            }
        }
    }
}

/// Numbers and texts as trimmed text; whole numbers in a column of floats without their `.0`. None where empty.
fn as_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
                format!("{}", float as i64)
            }
            _ => number.to_string(),
        },
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn json_rows(path: &Path, limits: &Limits) -> Result<Vec<Map<String, Value>>, ReadError> {
    let Value::Array(values) = read_json(path, limits)? else {
        return Err(syntax(path, "the whole file", "JSON of questions", "it is not a list of objects"));
    };
    let object = |(index, value)| match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(syntax(path, &format!("row {}", index + 1), "JSON of questions", "it is not an object")),
    };
    values.into_iter().enumerate().map(object).collect()
}

/// One object a line; empty lines are skipped.
pub(crate) fn json_line_rows(path: &Path, limits: &Limits) -> Result<Vec<Map<String, Value>>, ReadError> {
    let text = read_text(path, limits)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| {
                syntax(path, &format!("line {}", index + 1), "JSON lines", &error.to_string())
            })
        })
        .collect()
}

fn csv_rows(path: &Path, limits: &Limits) -> Result<Vec<Map<String, Value>>, ReadError> {
    let file = open(path, limits)?;
    let mut reader = csv::Reader::from_reader(file);
    let wrong = |row: usize, error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(source) => ReadError::Io { path: path.into(), source },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            syntax(path, &format!("row {row}"), "CSV", &format!("{len} fields under {expected_len} columns"))
        }
        csv::ErrorKind::Utf8 { .. } => syntax(path, &format!("row {row}"), "CSV", "it is not UTF-8"),
        other => syntax(path, &format!("row {row}"), "CSV", &format!("{other:?}")),
    };
    let names = reader.headers().map_err(|error| wrong(0, error))?.clone();
    let rows = reader.records().enumerate().map(|(index, record)| {
        let record = record.map_err(|error| wrong(index + 1, error))?;
        let fields = names.iter().zip(&record);
        Ok(fields.map(|(name, value)| (name.trim().to_string(), Value::String(value.into()))).collect())
    });
    rows.collect()
}
