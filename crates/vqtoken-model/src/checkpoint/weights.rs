//! The tensors of a checkpoint: one safetensors file, several shards, or bytes in memory.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::Metadata;
use vqtoken_kernels::MappedFile;
use vqtoken_nn::Precision;

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
    File(MappedFile),
    Memory(Cow<'static, [u8]>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::File(file) => file,
            Self::Memory(bytes) => bytes,
        }
    }
}

/// All tensors of a checkpoint under the names used here; numbers are read when asked for.
#[derive(Debug)]
pub struct Weights {
    checkpoint: String,
    /// One safetensors file each.
    shards: Vec<Bytes>,
    /// Paths of the shards; empty for weights in memory.
    files: Vec<PathBuf>,
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
            let file = MappedFile::open(&path).map_err(unreadable)?;
            let length = file.len() as u64;
            let (header, data_start) = read_header(&path, &mut &file[..], length)?;
            weights.add_shard(path.display().to_string(), Bytes::File(file), &header, data_start, length)?;
            weights.files.push(path);
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
        Self { checkpoint, shards: Vec::new(), files: Vec::new(), entries: BTreeMap::new() }
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
        self.shards.push(bytes);
        Ok(())
    }

    /// The checkpoint's name, for messages.
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// The files that hold the tensors; none for weights in memory.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
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

    /// bf16 if the largest tensor is stored as bf16, else f32.
    pub fn stored_precision(&self) -> Precision {
        let largest = self.entries.values().max_by_key(|entry| entry.bytes);
        match largest.is_some_and(|entry| entry.dtype == Dtype::BF16) {
            true => Precision::Bf16,
            false => Precision::F32,
        }
    }

    /// A tensor's numbers where they lie, `None` if there is no tensor of that name.
    ///
    /// # Errors
    ///
    /// If they are of a type that is not read.
    pub fn tensor(&self, name: &str) -> Result<Option<StoredTensor<'_>>, ModelError> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        let kind = match entry.dtype {
            Dtype::F32 => Kind::F32,
            Dtype::F16 => Kind::F16,
            Dtype::BF16 => Kind::Bf16,
            other => {
                return Err(ModelError::TensorType {
                    checkpoint: self.checkpoint.clone(),
                    name: name.to_owned(),
                    found: other.to_string(),
                });
            }
        };
        let shard: &[u8] = &self.shards[entry.shard];
        let start = entry.start as usize;
        Ok(Some(StoredTensor { kind, bytes: &shard[start..start + entry.bytes] }))
    }

    /// [`Self::tensor`], if it has the given shape.
    ///
    /// # Errors
    ///
    /// If it has another shape, or its values are of a type that is not read.
    pub fn tensor_of_shape(
        &self,
        name: &str,
        expected: &[usize],
    ) -> Result<Option<StoredTensor<'_>>, ModelError> {
        match self.shape(name) {
            Some(found) if found != expected => Err(ModelError::TensorShape {
                checkpoint: self.checkpoint.clone(),
                name: name.to_owned(),
                found: found.to_vec(),
                expected: expected.to_vec(),
            }),
            _ => self.tensor(name),
        }
    }

    /// The numbers of a tensor as f32, `None` if there is no tensor of that name.
    ///
    /// # Errors
    ///
    /// If one is NaN or infinite, or they are of a type that is not read.
    pub fn read(&self, name: &str) -> Result<Option<Vec<f32>>, ModelError> {
        let Some(tensor) = self.tensor(name)? else { return Ok(None) };
        let mut values = vec![0.0; tensor.len()];
        tensor.read(0..values.len(), &mut values);
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(Some(values)),
            false => Err(self.not_finite(name)),
        }
    }

    /// That a tensor holds NaN or infinity.
    pub(super) fn not_finite(&self, name: &str) -> ModelError {
        ModelError::TensorNotFinite { checkpoint: self.checkpoint.clone(), name: name.to_owned() }
    }

    /// Lets go of the memory that reading a tensor took; it can be read again.
    pub(super) fn release(&self, name: &str) {
        if let Some(entry) = self.entries.get(name)
            && let Bytes::File(file) = &self.shards[entry.shard]
        {
            let start = entry.start as usize;
            file.release(start..start + entry.bytes);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    F32,
    F16,
    Bf16,
}

/// Numbers of a checkpoint where they lie: in a mapped file, or in memory.
#[derive(Clone, Copy, Debug)]
pub struct StoredTensor<'a> {
    kind: Kind,
    bytes: &'a [u8],
}

impl StoredTensor<'_> {
    /// How many numbers.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.width()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Puts the numbers `range` into `out`, which is as long as that.
    pub fn read(&self, range: Range<usize>, out: &mut [f32]) {
        let width = self.width();
        let bytes = &self.bytes[range.start * width..range.end * width];
        let pairs = bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
        match self.kind {
            Kind::F32 => {
                for (out, b) in out.iter_mut().zip(bytes.chunks_exact(4)) {
                    *out = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                }
            }
            Kind::F16 => {
                out.iter_mut().zip(pairs).for_each(|(out, b)| *out = half::f16::from_le_bytes(b).to_f32());
            }
            Kind::Bf16 => {
                out.iter_mut().zip(pairs).for_each(|(out, b)| *out = half::bf16::from_le_bytes(b).to_f32());
            }
        }
    }

    fn width(&self) -> usize {
        match self.kind {
            Kind::F32 => 4,
            Kind::F16 | Kind::Bf16 => 2,
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
