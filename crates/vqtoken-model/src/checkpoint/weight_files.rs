//! Which files hold the weights of a model directory, and the headers of these files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use safetensors::tensor::Metadata;
use vqtoken_files::{Limit, Limits, quoted};

use super::text_files::TextFiles;
use crate::error::ModelError;

/// The largest header that the format allows, in bytes.
const MOST_HEADER: u64 = 100_000_000;

/// The one file of an unsharded checkpoint.
pub(super) const WHOLE: &str = "model.safetensors";

/// The file that lists the shards.
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// Weight files of other formats, by how their names end, and what to do about them.
const OTHER_FORMATS: [(&str, &str); 10] = [
    (".gguf", "GGUF"),
    (".bin", "PyTorch pickle"),
    (".pt", "PyTorch pickle"),
    (".pth", "PyTorch pickle"),
    (".ckpt", "PyTorch pickle"),
    (".onnx", "ONNX"),
    (".h5", "TensorFlow"),
    (".msgpack", "Flax"),
    (".npz", "NumPy"),
    (".pkl", "Python pickle"),
];

/// `model.safetensors`, else the shards that the index lists, each once and in order of name, else the only safetensors file there is.
///
/// # Errors
///
/// If there is none of these, or a listed shard is missing. Files of other formats are named.
pub(super) fn weight_files(directory: &Path, limits: &Limits) -> Result<Vec<PathBuf>, ModelError> {
    let whole = directory.join(WHOLE);
    if whole.exists() {
        return Ok(vec![whole]);
    }
    if directory.join(INDEX).exists() {
        return shards(&TextFiles { directory, limits });
    }
    let names = file_names(directory)?;
    let weights: Vec<&String> =
        names.iter().filter(|name| name.ends_with(".safetensors") && !name.starts_with("adapter_")).collect();
    match weights.as_slice() {
        [only] => Ok(vec![directory.join(only)]),
        _ => Err(no_weights(directory, &names)),
    }
}

fn no_weights(directory: &Path, names: &[String]) -> ModelError {
    match names.iter().find_map(|name| Some((name, other_format(name)?))) {
        Some((file, format)) => ModelError::WeightFormat { path: directory.join(file), format },
        None => ModelError::Config {
            file: quoted(directory).to_string(),
            problem: format!(
                "there is neither {WHOLE} nor {INDEX}: give a directory that holds a whole model"
            ),
        },
    }
}

/// The format of a weight file that is no safetensors file, by its name.
pub(super) fn other_format(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    OTHER_FORMATS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| *format)
}

/// Names of the files in a directory, sorted; names that are no text are left out.
fn file_names(directory: &Path) -> Result<Vec<String>, ModelError> {
    let unreadable = |source| ModelError::Unreadable { path: directory.to_owned(), source };
    let entries = fs::read_dir(directory).map_err(unreadable)?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn shards(files: &TextFiles<'_>) -> Result<Vec<PathBuf>, ModelError> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index: Index = files.json(INDEX)?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    let bad = |problem: String| ModelError::Config { file: quoted(&files.path(INDEX)).to_string(), problem };
    if let Some(name) = names.iter().find(|name| Path::new(name).file_name() != Some(name.as_ref())) {
        return Err(bad(format!("it lists {name:?}, which is no plain file name")));
    }
    let missing: Vec<&String> = names.iter().filter(|name| !files.path(name).exists()).collect();
    if let Some(first) = missing.first() {
        return Err(bad(format!(
            "it lists {} files and {} of them are missing, such as {first}: download them too",
            names.len(),
            missing.len()
        )));
    }
    match names.is_empty() {
        true => Err(bad("it lists no files: download it again".to_owned())),
        false => Ok(names.into_iter().map(|name| files.path(&name)).collect()),
    }
}

/// The header of a safetensors file of `length` bytes, and where its data begins.
///
/// The file's own length, the format's bound and [`Limits::bytes`] limit what is allocated, whatever its header says.
pub(super) fn read_header(
    path: &Path,
    reader: &mut impl Read,
    length: u64,
    limits: &Limits,
) -> Result<(Metadata, u64), ModelError> {
    let damaged = |problem: String| ModelError::Weights { file: quoted(path).to_string(), problem };
    let unreadable = |source| ModelError::Unreadable { path: path.to_owned(), source };
    let mut size = [0; 8];
    if length < size.len() as u64 {
        return Err(damaged(format!("it has {length} bytes")));
    }
    reader.read_exact(&mut size).map_err(unreadable)?;
    let header_length = u64::from_le_bytes(size);
    if header_length > MOST_HEADER.min(length - size.len() as u64) {
        return Err(damaged(format!("its header would take {header_length} of {length} bytes")));
    }
    limits
        .check(Limit::Bytes, header_length)
        .map_err(|source| ModelError::Limit { path: path.to_owned(), source })?;
    let mut header = vec![0; header_length as usize];
    reader.read_exact(&mut header).map_err(unreadable)?;
    let metadata = serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
    Ok((metadata, size.len() as u64 + header_length))
}
