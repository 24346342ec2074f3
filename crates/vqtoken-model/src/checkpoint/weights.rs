//! The tensors of a checkpoint: one safetensors file, several shards, or bytes in memory.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::layout::{Part, canonical_names};
use crate::error::ModelError;

/// Where a tensor stands: a shard and a range of its bytes.
#[derive(Clone, Debug)]
struct Entry {
    shard: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    start: u64,
    bytes: usize,
}

#[derive(Debug)]
enum Bytes {
    File(Mutex<File>),
    Memory(Cow<'static, [u8]>),
}

/// One safetensors file.
#[derive(Debug)]
struct Shard {
    name: String,
    bytes: Bytes,
}

/// All tensors of a checkpoint under the names used here; numbers are read when asked for.
#[derive(Debug)]
pub struct Weights {
    checkpoint: String,
    shards: Vec<Shard>,
    entries: BTreeMap<String, Entry>,
}

impl Weights {
    /// Opens `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
    pub fn open(directory: &Path) -> Result<Self, ModelError> {
        let mut weights = Self::empty(directory.display().to_string());
        let single = directory.join("model.safetensors");
        let files = match single.exists() {
            true => vec![single],
            false => shard_files(directory)?,
        };
        for path in files {
            let unreadable = |source| ModelError::Unreadable { path: path.clone(), source };
            let mut file = File::open(&path).map_err(unreadable)?;
            let length = file.metadata().map_err(unreadable)?.len();
            let (header, data_start) = read_header(&path, &mut file, length)?;
            weights.add_shard(
                path.display().to_string(),
                Bytes::File(Mutex::new(file)),
                &header,
                data_start,
                length,
            )?;
        }
        Ok(weights)
    }

    /// Reads the bytes of a safetensors file, such as one that is part of the program.
    pub fn from_bytes(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, ModelError> {
        let bytes = bytes.into();
        let mut weights = Self::empty(name.to_owned());
        let mut reader = bytes.as_ref();
        let length = bytes.len() as u64;
        let (header, data_start) = read_header(Path::new(name), &mut reader, length)?;
        weights.add_shard(name.to_owned(), Bytes::Memory(bytes), &header, data_start, length)?;
        Ok(weights)
    }

    fn empty(checkpoint: String) -> Self {
        Self { checkpoint, shards: Vec::new(), entries: BTreeMap::new() }
    }

    fn add_shard(
        &mut self,
        name: String,
        bytes: Bytes,
        header: &Metadata,
        data_start: u64,
        length: u64,
    ) -> Result<(), ModelError> {
        let damaged = |problem: String| ModelError::Weights { file: name.clone(), problem };
        if data_start + header.data_len() as u64 != length {
            return Err(damaged(format!(
                "its header speaks of {} bytes, the file has {length}",
                data_start + header.data_len() as u64
            )));
        }
        let mut tensors: Vec<_> = header.tensors().into_iter().collect();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        for (stored, info) in tensors {
            for (canonical, part) in canonical_names(&stored) {
                let entry =
                    part_of(self.shards.len(), info.dtype, &info.shape, info.data_offsets, data_start, part)
                        .ok_or_else(|| {
                            damaged(format!("tensor {stored} cannot be split into {} parts", part.count))
                        })?;
                if self.entries.insert(canonical, entry).is_some() {
                    return Err(damaged(format!("tensor {stored} is there twice")));
                }
            }
        }
        self.shards.push(Shard { name, bytes });
        Ok(())
    }

    /// The checkpoint's name, for messages.
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The shape of a tensor, if there is one of that name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entries.get(name).map(|entry| entry.shape.as_slice())
    }

    /// The element type and the shape of a tensor, for a listing.
    pub fn describe(&self, name: &str) -> Option<(String, &[usize])> {
        self.entries.get(name).map(|entry| (entry.dtype.to_string(), entry.shape.as_slice()))
    }

    /// Bytes that all tensors take in the files.
    pub fn stored_bytes(&self) -> u64 {
        self.entries.values().map(|entry| entry.bytes as u64).sum()
    }

    /// The numbers of a tensor as f32, `None` if there is no tensor of that name.
    pub fn read(&self, name: &str) -> Result<Option<Vec<f32>>, ModelError> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        let shard = &self.shards[entry.shard];
        let values = match &shard.bytes {
            Bytes::Memory(bytes) => {
                let start = entry.start as usize;
                self.decode(name, entry, &bytes[start..start + entry.bytes])?
            }
            Bytes::File(file) => {
                let mut buffer = vec![0; entry.bytes];
                let mut file = file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                file.seek(SeekFrom::Start(entry.start))
                    .and_then(|_| file.read_exact(&mut buffer))
                    .map_err(|source| ModelError::Unreadable { path: PathBuf::from(&shard.name), source })?;
                self.decode(name, entry, &buffer)?
            }
        };
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(Some(values)),
            false => Err(ModelError::TensorNotFinite {
                checkpoint: self.checkpoint.clone(),
                name: name.to_owned(),
            }),
        }
    }

    fn decode(&self, name: &str, entry: &Entry, bytes: &[u8]) -> Result<Vec<f32>, ModelError> {
        let two = |b: &[u8]| [b[0], b[1]];
        match entry.dtype {
            Dtype::F32 => {
                Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
            }
            Dtype::F16 => {
                Ok(bytes.chunks_exact(2).map(|b| half::f16::from_le_bytes(two(b)).to_f32()).collect())
            }
            Dtype::BF16 => {
                Ok(bytes.chunks_exact(2).map(|b| half::bf16::from_le_bytes(two(b)).to_f32()).collect())
            }
            other => Err(ModelError::TensorType {
                checkpoint: self.checkpoint.clone(),
                name: name.to_owned(),
                found: other.to_string(),
            }),
        }
    }
}

/// Rows `part` of a stored tensor, `None` if its first axis cannot be cut so.
fn part_of(
    shard: usize,
    dtype: Dtype,
    shape: &[usize],
    (begin, end): (usize, usize),
    data_start: u64,
    part: Part,
) -> Option<Entry> {
    let mut shape = shape.to_vec();
    let mut bytes = end - begin;
    if part.count > 1 {
        let rows = shape.first_mut()?;
        if !rows.is_multiple_of(part.count) || !bytes.is_multiple_of(part.count) {
            return None;
        }
        *rows /= part.count;
        bytes /= part.count;
    }
    Some(Entry { shard, dtype, shape, start: data_start + (begin + part.index * bytes) as u64, bytes })
}

/// The header of a safetensors file of `length` bytes, and where its data begins.
///
/// The file's own length bounds what is allocated, whatever its header says.
fn read_header(path: &Path, reader: &mut impl Read, length: u64) -> Result<(Metadata, u64), ModelError> {
    let damaged = |problem: String| ModelError::Weights { file: path.display().to_string(), problem };
    let unreadable = |source| ModelError::Unreadable { path: path.to_owned(), source };
    let mut size = [0; 8];
    if length < size.len() as u64 {
        return Err(damaged(format!("it has {length} bytes")));
    }
    reader.read_exact(&mut size).map_err(unreadable)?;
    let header_length = u64::from_le_bytes(size);
    if header_length > length - size.len() as u64 {
        return Err(damaged(format!("its header would take {header_length} of {length} bytes")));
    }
    let mut header = vec![0; header_length as usize];
    reader.read_exact(&mut header).map_err(unreadable)?;
    let metadata = serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
    Ok((metadata, size.len() as u64 + header_length))
}

/// The shards that the index file lists, each once, in order of name.
fn shard_files(directory: &Path) -> Result<Vec<PathBuf>, ModelError> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let path = directory.join("model.safetensors.index.json");
    let bad = |problem: String| ModelError::Config { file: path.display().to_string(), problem };
    let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ModelError::Config {
            file: directory.display().to_string(),
            problem: "there is neither model.safetensors nor model.safetensors.index.json: \
                      give a model directory, or convert PyTorch .bin files to safetensors"
                .to_owned(),
        },
        _ => ModelError::Unreadable { path: path.clone(), source: error },
    })?;
    let index: Index = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    names
        .into_iter()
        .map(|name| match Path::new(&name).file_name() {
            Some(file) if file == name.as_str() => Ok(directory.join(name)),
            _ => Err(bad(format!("it lists {name:?}, which is no plain file name"))),
        })
        .collect()
}
