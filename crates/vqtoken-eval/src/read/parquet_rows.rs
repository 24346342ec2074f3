//! The rows of a parquet file, as the Hugging Face hub keeps data sets.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Map, Number, Value};

use super::error::ReadError;
use super::rows::syntax;

pub(crate) fn parquet_rows(path: &Path) -> Result<Vec<Map<String, Value>>, ReadError> {
    let file = File::open(path).map_err(|source| ReadError::Io { path: path.into(), source })?;
    // The library returns an error for most damage; for the rest it panics, which a file must not be able to do to us.
    let rows = catch_unwind(AssertUnwindSafe(|| read(file)));
    match rows {
        Ok(Ok(rows)) => Ok(rows),
        Ok(Err(error)) => Err(syntax(path, "the whole file", "parquet", &error.to_string())),
        Err(_) => Err(syntax(path, "the whole file", "parquet", "it is damaged")),
    }
}

fn read(file: File) -> Result<Vec<Map<String, Value>>, ParquetError> {
    let reader = SerializedFileReader::new(file)?;
    let rows = reader.get_row_iter(None)?;
    rows.map(|row| Ok(row?.into_columns().into_iter().map(|(name, field)| (name, value(field))).collect()))
        .collect()
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
