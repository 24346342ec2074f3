//! Small made-up annotation files.
#![allow(dead_code, reason = "each test file uses some of these")]

use std::fs;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use vqtoken_eval::{Expected, Item, Label};

pub(crate) struct Folder(pub(crate) tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

/// A column of a parquet file.
pub(crate) enum Column<'a> {
    Text(&'a str, Vec<&'a str>),
    Number(&'a str, Vec<i64>),
    Texts(&'a str, Vec<Vec<&'a str>>),
}

pub(crate) fn write_parquet(path: &Path, columns: &[Column<'_>], compression: Compression) {
    let fields = columns.iter().map(|column| match column {
        Column::Text(name, _) => format!("required binary {name} (UTF8);"),
        Column::Number(name, _) => format!("required int64 {name};"),
        Column::Texts(name, _) => {
            format!(
                "required group {name} (LIST) {{ repeated group list {{ required binary element (UTF8); }} }}"
            )
        }
    });
    let schema = format!("message schema {{ {} }}", fields.collect::<Vec<_>>().join(" "));
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for column in columns {
        let mut column_writer = group.next_column().unwrap().unwrap();
        match column {
            Column::Text(_, texts) => {
                let texts: Vec<ByteArray> = texts.iter().map(|text| (*text).into()).collect();
                column_writer.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
            }
            Column::Number(_, numbers) => {
                column_writer.typed::<Int64Type>().write_batch(numbers, None, None).unwrap();
            }
            Column::Texts(_, lists) => {
                let texts: Vec<ByteArray> = lists.iter().flatten().map(|text| (*text).into()).collect();
                let definition = vec![1i16; texts.len()];
                let repetition: Vec<i16> =
                    lists.iter().flat_map(|list| (0..list.len()).map(|index| i16::from(index > 0))).collect();
                column_writer
                    .typed::<ByteArrayType>()
                    .write_batch(&texts, Some(&definition), Some(&repetition))
                    .unwrap();
            }
        }
        column_writer.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

pub(crate) fn choice(id: &str, video: &str, kind: &str, correct: Option<usize>) -> Item {
    let options = ["red", "green", "blue", "two"].map(String::from).to_vec();
    Item {
        id: id.into(),
        video: video.into(),
        file: None,
        question: format!("question {id}"),
        expected: Expected::Choice { options, correct },
        labels: vec![Label::new("type", kind)],
    }
}
