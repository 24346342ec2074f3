//! Which vision side a checkpoint holds: a checksum over the values of its tower and projector.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::stored_tensor::StoredTensor;
use super::weights::Weights;
use crate::error::ModelError;

/// Checksums of weights larger than this are kept in the user's cache; below, computing is as fast as looking.
const CACHED_BYTES: u64 = 64 << 20;

/// Values that are converted to f32 at a time.
const BLOCK: usize = 1 << 14;

/// CRC-32 of the f32 values of the tensors `names`, in this order: equal for equal weights in whatever layout. Video tokens
/// can be read by every model that shares them.
///
/// Reading all weights of a large tower takes about a second, so the result is remembered for as long as the files keep their
/// sizes and times of modification.
///
/// # Errors
///
/// If a tensor is missing or of a type that is not read.
pub(super) fn remembered_checksum(weights: &Weights, names: &[String]) -> Result<u32, ModelError> {
    let tensors = tensors(weights, names)?;
    let bytes: u64 = tensors.iter().map(|(_, tensor)| 4 * tensor.len() as u64).sum();
    let compute = || checksum_of_all(weights, tensors);
    let directory = cache_directory().filter(|_| bytes > CACHED_BYTES);
    Ok(match directory.and_then(|directory| CacheEntry::new(&directory, weights.files())) {
        Some(entry) => entry.read_or_write(compute),
        None => compute(),
    })
}

/// The same of any tensors of a checkpoint, computed anew.
pub(super) fn checksum_of(weights: &Weights, names: &[String]) -> Result<u32, ModelError> {
    Ok(checksum_of_all(weights, tensors(weights, names)?))
}

/// Tensors by their names, in this order.
fn tensors<'a>(
    weights: &'a Weights,
    names: &'a [String],
) -> Result<Vec<(&'a str, StoredTensor<'a>)>, ModelError> {
    let tensors = names.iter().map(|name| match weights.tensor(name)? {
        Some(tensor) => Ok((name.as_str(), tensor)),
        None => Err(ModelError::MissingTensors {
            checkpoint: weights.checkpoint().to_owned(),
            names: vec![name.clone()],
        }),
    });
    tensors.collect()
}

fn checksum_of_all(weights: &Weights, tensors: Vec<(&str, StoredTensor<'_>)>) -> u32 {
    let checksums: Vec<crc32fast::Hasher> = tensors
        .into_par_iter()
        .map(|(name, tensor)| {
            let checksum = checksum(tensor);
            weights.release(name);
            checksum
        })
        .collect();
    let mut all = crc32fast::Hasher::new();
    checksums.iter().for_each(|checksum| all.combine(checksum));
    all.finalize()
}

fn checksum(tensor: StoredTensor<'_>) -> crc32fast::Hasher {
    let mut checksum = crc32fast::Hasher::new();
    let mut buffer = vec![0.0; BLOCK.min(tensor.len())];
    for start in (0..tensor.len()).step_by(BLOCK) {
        let end = (start + BLOCK).min(tensor.len());
        let values = &mut buffer[..end - start];
        tensor.read(start..end, values);
        checksum.update(bytemuck::cast_slice(values));
    }
    checksum
}

/// Where the checksum of some files is remembered, and what makes it valid.
struct CacheEntry {
    file: PathBuf,
    state: Vec<FileState>,
}

/// A weight file as it was when its checksum was computed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileState {
    path: PathBuf,
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    files: Vec<FileState>,
    checksum: u32,
}

impl CacheEntry {
    /// None for weights in memory, and for files whose state cannot be read.
    fn new<'a>(directory: &Path, files: impl Iterator<Item = &'a Path>) -> Option<Self> {
        let state: Vec<FileState> = files.map(file_state).collect::<Option<_>>()?;
        let first = state.first()?.path.as_os_str().as_encoded_bytes();
        let file = format!("{:08x}-{}.json", crc32fast::hash(first), state.len());
        Some(Self { file: directory.join(file), state })
    }

    fn read_or_write(self, compute: impl FnOnce() -> u32) -> u32 {
        self.read().unwrap_or_else(|| {
            let checksum = compute();
            self.write(checksum);
            checksum
        })
    }

    fn read(&self) -> Option<u32> {
        let remembered: Remembered = serde_json::from_slice(&fs::read(&self.file).ok()?).ok()?;
        (remembered.files == self.state).then_some(remembered.checksum)
    }

    /// A cache that cannot be written only costs time on the next load.
    fn write(self, checksum: u32) {
        let remembered = Remembered { files: self.state, checksum };
        let Ok(bytes) = serde_json::to_vec(&remembered) else { return };
        if let Some(folder) = self.file.parent()
            && vqtoken_files::create_folder(folder).is_ok()
        {
            let _ = vqtoken_files::write(&self.file, bytes);
        }
    }
}

fn file_state(path: &Path) -> Option<FileState> {
    let path = fs::canonicalize(path).ok()?;
    let metadata = fs::metadata(&path).ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(FileState { path, bytes: metadata.len(), modified: u64::try_from(modified.as_nanos()).ok()? })
}

/// `VQTOKEN_CACHE`, or `vqtoken` in the user's cache directory.
fn cache_directory() -> Option<PathBuf> {
    match std::env::var_os("VQTOKEN_CACHE") {
        Some(directory) => Some(PathBuf::from(directory)),
        None => dirs::cache_dir().map(|directory| directory.join("vqtoken")),
    }
    .map(|directory| directory.join("vision"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_remembered_until_a_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (weights, cache) = (folder.path().join("model.safetensors"), folder.path().join("cache"));
        let checksum = |compute: fn() -> u32| {
            let entry = CacheEntry::new(&cache, [weights.as_path()].into_iter()).unwrap();
            entry.read_or_write(compute)
        };
        fs::write(&weights, "one").unwrap();
        assert_eq!([checksum(|| 1), checksum(|| 2)], [1, 1]);
        fs::write(&weights, "other").unwrap();
        assert_eq!([checksum(|| 3), checksum(|| 4)], [3, 3]);
        // A damaged cache is computed anew.
        let file = fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
        fs::write(&file, "{").unwrap();
        assert_eq!([checksum(|| 5), checksum(|| 6)], [5, 5]);
    }
}
