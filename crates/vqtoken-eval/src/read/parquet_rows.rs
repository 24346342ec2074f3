//! The rows of a parquet file, as the Hugging Face hub keeps data sets.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Map, Number, Value};
use vqtoken_files::{Limit, LimitError, Limits};

use super::checked_parquet::CheckedFile;
use super::error::ReadError;
use super::file::{open, syntax};

pub(crate) fn parquet_rows(path: &Path, limits: &Limits) -> Result<Vec<Map<String, Value>>, ReadError> {
    let file = open(path, limits)?;
    // The library returns an error for most damage; for the rest it panics, which a file must not be able to do to us.
    let rows = catch_unwind(AssertUnwindSafe(|| read(file, limits)));
    match rows {
        Ok(Ok(rows)) => Ok(rows),
        Ok(Err(Failure::TooLarge(source))) => Err(ReadError::TooLarge { path: path.into(), source }),
        Ok(Err(Failure::Parquet(error))) => {
            Err(syntax(path, "the whole file", "parquet", &error.to_string()))
        }
        Err(_) => Err(syntax(path, "the whole file", "parquet", "it is damaged")),
    }
}

enum Failure {
    Parquet(ParquetError),
    TooLarge(LimitError),
}

impl From<ParquetError> for Failure {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

impl From<LimitError> for Failure {
    fn from(error: LimitError) -> Self {
        Self::TooLarge(error)
    }
}

fn read(file: File, limits: &Limits) -> Result<Vec<Map<String, Value>>, Failure> {
    let reader = SerializedFileReader::new(CheckedFile::new(file))?;
    let columns = reader.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns);
    let uncompressed = columns.map(|column| u64::try_from(column.uncompressed_size()).unwrap_or(u64::MAX));
    limits.check(Limit::Bytes, uncompressed.fold(0, u64::saturating_add))?;
    let columns = reader.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns);
    // The library panics on these.
    let is_negative = |column: &ColumnChunkMetaData| {
        let offsets = [Some(column.data_page_offset()), column.dictionary_page_offset()];
        column.compressed_size() < 0 || offsets.into_iter().flatten().any(|offset| offset < 0)
    };
    if columns.into_iter().any(is_negative) {
        return Err(ParquetError::General("a column begins before the file".to_owned()).into());
    }
    // A row of a few bits, repeated a billion times, is small in the file alone.
    let (mut rows, mut bytes) = (Vec::new(), 0);
    for row in reader.get_row_iter(None)? {
        let row: Map<String, Value> =
            row?.into_columns().into_iter().map(|(name, field)| (name, value(field))).collect();
        bytes += row.iter().map(|(name, value)| name.len() as u64 + size(value)).sum::<u64>();
        limits.check(Limit::Bytes, bytes)?;
        rows.push(row);
    }
    Ok(rows)
}

/// About how many bytes a value takes in memory.
fn size(value: &Value) -> u64 {
    let inside: u64 = match value {
        Value::String(text) => text.len() as u64,
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() as u64 + size(value)).sum(),
        _ => 0,
    };
    inside + size_of::<Value>() as u64
}

fn value(field: Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => flag.into(),
        Field::Byte(number) => number.into(),
        Field::Short(number) => number.into(),
        Field::Int(number) => number.into(),
        Field::Long(number) => number.into(),
        Field::UByte(number) => number.into(),
        Field::UShort(number) => number.into(),
        Field::UInt(number) => number.into(),
        Field::ULong(number) => number.into(),
        Field::Float(number) => Number::from_f64(number.into()).map_or(Value::Null, Value::Number),
        Field::Double(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        Field::Str(text) => text.into(),
        Field::ListInternal(list) => list.elements().iter().cloned().map(value).collect(),
        Field::Group(row) => {
            Value::Object(row.into_columns().into_iter().map(|(name, field)| (name, value(field))).collect())
        }
        other => other.to_string().into(),
    }
}
