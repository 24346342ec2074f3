//! A file's bytes as memory: the system reads what is touched, and takes the pages back when it wants.

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::Path;

use memmap2::{Mmap, UncheckedAdvice};

/// A file mapped read-only.
///
/// Whoever shortens the file while it is mapped makes the process fail when it touches what is gone; checkpoints are
/// replaced by renaming, which leaves the mapped file as it was.
#[derive(Debug)]
pub struct MappedFile {
    map: Mmap,
}

impl MappedFile {
    /// Maps a file.
    ///
    /// # Errors
    /// It cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the bytes are only ever read, as bytes; see the type for what happens when another program cuts them off.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { map })
    }

    /// Tells the system that these bytes will not be needed soon, so that they stop counting as this process's memory.
    pub fn release(&self, range: Range<usize>) {
        const PAGE: usize = 4096;
        let start = range.start.next_multiple_of(PAGE);
        let end = range.end.min(self.map.len()) / PAGE * PAGE;
        if start < end {
            // SAFETY: the map is of a file and never written, so pages that are dropped come back with the same bytes.
            // A refusal only means that they stay.
            let _ = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start) };
        }
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_same_after_they_were_released() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("numbers");
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let mapped = MappedFile::open(&path).unwrap();
        assert_eq!(mapped[..], bytes[..]);
        mapped.release(10..90_000);
        mapped.release(99_990..200_000);
        assert_eq!(mapped[..], bytes[..]);
        assert!(MappedFile::open(&directory.path().join("none")).is_err());
    }
}
