//! The tensors of a checkpoint: one safetensors file, several shards, or bytes in memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::Dtype;
use safetensors::tensor::Metadata;
use vqtoken_files::{Limits, quoted};
use vqtoken_kernels::MappedFile;
use vqtoken_nn::Precision;

use super::adapter::low_rank::LowRank;
use super::layout::{Part, canonical_names};
use super::stored_tensor::{Kind, StoredTensor};
use super::weight_files::{read_header, weight_files};
use crate::error::ModelError;

/// Where a tensor stands: a shard and a range of its bytes.
#[derive(Clone, Debug)]
struct Entry {
    shard: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    start: u64,
    bytes: usize,
    /// What an adapter adds.
    change: Option<Arc<LowRank>>,
}

/// How a stored name becomes names used here.
pub(super) type Naming = fn(&str) -> Vec<(String, Part)>;

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
    ///
    /// # Errors
    ///
    /// If there are no such files, one is damaged, or they hold quantized weights.
    pub fn open(directory: &Path) -> Result<Self, ModelError> {
        Self::open_within(directory, &Limits::default())
    }

    /// [`Self::open`] where the index of shards, and the header of each, may have [`Limits::bytes`]. The tensors are mapped, not
    /// read, so they may be larger.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_within(directory: &Path, limits: &Limits) -> Result<Self, ModelError> {
        Self::open_as(directory, limits, canonical_names)
    }

    /// [`Self::open_within`] with other names.
    pub(super) fn open_as(directory: &Path, limits: &Limits, naming: Naming) -> Result<Self, ModelError> {
        let mut weights = Self::empty(quoted(directory).to_string());
        for path in weight_files(directory, limits)? {
            weights.add_file(path, limits, naming)?;
        }
        let quantization = weights.names().find_map(quantization_of);
        match quantization {
            Some(method) => {
                Err(ModelError::Quantized { file: weights.checkpoint, method: method.to_owned() })
            }
            None => Ok(weights),
        }
    }

    /// Opens safetensors files whose tensors keep their names.
    pub(super) fn open_files(
        checkpoint: String,
        files: &[PathBuf],
        limits: &Limits,
    ) -> Result<Self, ModelError> {
        let mut weights = Self::empty(checkpoint);
        for path in files {
            weights.add_file(path.clone(), limits, |name| vec![(name.to_owned(), Part::WHOLE)])?;
        }
        Ok(weights)
    }

    fn add_file(&mut self, path: PathBuf, limits: &Limits, naming: Naming) -> Result<(), ModelError> {
        let unreadable = |source| ModelError::Unreadable { path: path.clone(), source };
        let file = MappedFile::open(&path).map_err(unreadable)?;
        let length = file.len() as u64;
        let (header, data_start) = read_header(&path, &mut &file[..], length, limits)?;
        let name = quoted(&path).to_string();
        self.add_shard(name, Bytes::File(file), &header, data_start, length, naming)?;
        self.files.push(path);
        Ok(())
    }

    /// Reads the bytes of a safetensors file, such as one that is part of the program.
    pub fn from_bytes(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, ModelError> {
        let bytes = bytes.into();
        let mut weights = Self::empty(name.to_owned());
        let mut reader = bytes.as_ref();
        let length = bytes.len() as u64;
        let (header, data_start) = read_header(Path::new(name), &mut reader, length, &Limits::default())?;
        weights.add_shard(
            name.to_owned(),
            Bytes::Memory(bytes),
            &header,
            data_start,
            length,
            canonical_names,
        )?;
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
        naming: Naming,
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
            for (canonical, part) in naming(&stored) {
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
        let Some(kind) = Kind::of(entry.dtype) else {
            return Err(ModelError::TensorType {
                checkpoint: self.checkpoint.clone(),
                name: name.to_owned(),
                found: entry.dtype.to_string(),
            });
        };
        let shard: &[u8] = &self.shards[entry.shard];
        let start = entry.start as usize;
        Ok(Some(StoredTensor {
            kind,
            bytes: &shard[start..start + entry.bytes],
            change: entry.change.as_ref(),
        }))
    }

    /// Adds a product of two matrices to a tensor whenever it is read.
    pub(super) fn change(&mut self, name: &str, change: LowRank) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.change = Some(Arc::new(change));
        }
    }

    /// Gives the tensor `name` a second name, under which it can change on its own.
    pub(super) fn duplicate(&mut self, name: &str, copy: &str) {
        if let Some(entry) = self.entries.get(name).cloned() {
            self.entries.insert(copy.to_owned(), entry);
        }
    }

    /// Takes a tensor of `other` in place of the one of the name `canonical`.
    pub(super) fn replace(&mut self, canonical: String, other: &Self, name: &str) {
        if let Some(entry) = other.entries.get(name) {
            // The shards of `other` go behind those here when they are adopted.
            self.entries.insert(canonical, Entry { shard: self.shards.len() + entry.shard, ..entry.clone() });
        }
    }

    /// Takes over the files of `other`, whose tensors [`Self::replace`] refers to.
    pub(super) fn adopt(&mut self, other: Self) {
        self.shards.extend(other.shards);
        self.files.extend(other.files);
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
    Some(Entry {
        shard,
        dtype,
        shape,
        start: data_start + (begin + part.index * bytes) as u64,
        bytes,
        change: None,
    })
}

/// The method that a tensor's name betrays, if it belongs to quantized weights.
fn quantization_of(name: &str) -> Option<&'static str> {
    const MARKS: [(&str, &str); 8] = [
        (".absmax", "bitsandbytes"),
        (".quant_state", "bitsandbytes"),
        (".quant_map", "bitsandbytes"),
        (".SCB", "bitsandbytes"),
        (".qweight", "GPTQ or AWQ"),
        (".qzeros", "GPTQ or AWQ"),
        (".weight_packed", "compressed-tensors"),
        (".weight_scale", "compressed-tensors"),
    ];
    MARKS.iter().find_map(|(mark, method)| name.contains(mark).then_some(*method))
}
