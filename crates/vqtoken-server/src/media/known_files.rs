//! Hashes of files that did not change since they were last asked about, so that a question need not read them again.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use vqtoken_archive::ContentHash;

use crate::recent::Recent;

/// How many files are known.
const FILES: usize = 4096;

/// Files by path, size and time of the last change.
#[derive(Debug)]
pub(crate) struct KnownFiles(Recent<(PathBuf, u64, SystemTime), ContentHash>);

impl KnownFiles {
    pub(crate) fn new() -> Self {
        Self(Recent::new(FILES))
    }

    /// The hash of a file, which is read if it is not known.
    pub(crate) fn hash(&self, path: &Path, about: &Metadata) -> io::Result<ContentHash> {
        let key = (path.to_owned(), about.len(), about.modified()?);
        if let Some(hash) = self.0.get(&key) {
            return Ok(hash);
        }
        let hash = ContentHash::of_reader(std::fs::File::open(path)?)?;
        self.0.put(key, hash, 1);
        Ok(hash)
    }
}
