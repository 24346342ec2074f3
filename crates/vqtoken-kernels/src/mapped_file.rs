//! Memory-mapped files: pages are read on first access, and the system may drop them again.

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::Path;

use memmap2::{Mmap, UncheckedAdvice};

/// A file mapped read-only.
///
/// Truncating the file while it is mapped raises SIGBUS on the next access. Replace checkpoints by renaming: that leaves
/// the mapped file intact.
#[derive(Debug)]
pub struct MappedFile {
    map: Mmap,
}

impl MappedFile {
    /// Maps a file.
    ///
    /// # Errors
    /// If it cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the bytes are only read, as bytes; the type documents what truncation by another program does.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { map })
    }

    /// Tells the system that a range will not be needed soon, so that its pages stop counting as memory of this process.
    /// Reading the range again gives the same bytes.
    pub fn release(&self, range: Range<usize>) {
        const PAGE: usize = 4096;
        let start = range.start.next_multiple_of(PAGE);
        let end = range.end.min(self.map.len()) / PAGE * PAGE;
        if start < end {
            // SAFETY: the mapping is file-backed and never written, so dropped pages are read again with the same bytes.
            // If the call fails, the pages stay.
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
    fn released_bytes_read_the_same_again() {
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
