//! An archive's moments as a Parquet file, a row each.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use vqtoken_archive::{Archive, Space, StoredVectors, VideoRecord};
use vqtoken_files::{NewFile, quoted};

use crate::error::SearchError;

/// Rows of a group.
const ROWS: usize = 8192;

const SCHEMA: &str = "message moments {
    required binary id (STRING);
    required binary name (STRING);
    required binary path (STRING);
    required binary model (STRING);
    required int32 moment;
    required float start;
    required float end;
    required group vector (LIST) { repeated group list { required float element; } }
}";

/// The rows that become a group.
#[derive(Default)]
struct Rows {
    texts: [Vec<ByteArray>; 4],
    moments: Vec<i32>,
    spans: [Vec<f32>; 2],
    vectors: Vec<f32>,
    /// Whether a value begins a vector (0) or goes on with it (1).
    levels: Vec<i16>,
}

/// Writes the moments of a space: id, name, path, model, moment, start and end in seconds, and the vector (`list<float>`). Returns the number of rows.
///
/// # Errors
/// If the archive cannot be read or the file cannot be written; what was at the path before is still there then.
pub fn export_parquet(archive: &Archive, space: &Space, path: &Path) -> Result<usize, SearchError> {
    let failed = |source: io::Error| SearchError::Export { path: quoted(&path).to_string(), source };
    let of_parquet = |error: ParquetError| failed(io::Error::other(error));
    let schema = Arc::new(parse_message_type(SCHEMA).map_err(of_parquet)?);
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let properties = Arc::new(WriterProperties::builder().set_compression(zstd).build());
    let file = NewFile::create(path).map_err(|error| failed(io::Error::other(error)))?;
    let mut writer = SerializedFileWriter::new(file, schema, properties).map_err(of_parquet)?;
    let (mut rows, mut count) = (Rows::default(), 0);
    for record in archive.all()? {
        let Some(StoredVectors { spans, vectors, .. }) = archive.moment_vectors(space, &record.id)? else {
            continue;
        };
        let facts = archive.facts(&record.id)?;
        let place = facts.iter().find(|(name, _)| name == "path").map_or("", |(_, path)| path.as_str());
        for (moment, (span, vector)) in spans.iter().zip(vectors.chunks_exact(space.features)).enumerate() {
            rows.push(&record, place, moment, *span, vector);
            count += 1;
            if rows.moments.len() == ROWS {
                rows.write(&mut writer).map_err(of_parquet)?;
                rows = Rows::default();
            }
        }
    }
    if !rows.moments.is_empty() {
        rows.write(&mut writer).map_err(of_parquet)?;
    }
    let file = writer.into_inner().map_err(of_parquet)?;
    file.finish().map_err(|error| failed(io::Error::other(error)))?;
    Ok(count)
}

impl Rows {
    fn push(&mut self, record: &VideoRecord, path: &str, moment: usize, span: [f32; 2], vector: &[f32]) {
        for (column, text) in self.texts.iter_mut().zip([&record.id, &record.name, path, &record.key.model]) {
            column.push(text.as_bytes().to_vec().into());
        }
        self.moments.push(moment as i32);
        self.spans.iter_mut().zip(span).for_each(|(column, seconds)| column.push(seconds));
        self.vectors.extend_from_slice(vector);
        self.levels.extend((0..vector.len()).map(|index| i16::from(index > 0)));
    }

    fn write<W: Write + Send>(&self, writer: &mut SerializedFileWriter<W>) -> Result<(), ParquetError> {
        let mut group = writer.next_row_group()?;
        let (mut texts, mut spans) = (self.texts.iter(), self.spans.iter());
        while let Some(mut column) = group.next_column()? {
            match column.untyped() {
                ColumnWriter::ByteArrayColumnWriter(typed) => {
                    typed.write_batch(texts.next().map_or(&[], Vec::as_slice), None, None)?;
                }
                ColumnWriter::Int32ColumnWriter(typed) => {
                    typed.write_batch(&self.moments, None, None)?;
                }
                ColumnWriter::FloatColumnWriter(typed) => match spans.next() {
                    Some(seconds) => typed.write_batch(seconds, None, None).map(drop)?,
                    None => {
                        let present = vec![1; self.levels.len()];
                        typed.write_batch(&self.vectors, Some(&present), Some(&self.levels))?;
                    }
                },
                _ => {}
            }
            column.close()?;
        }
        group.close()?;
        Ok(())
    }
}
