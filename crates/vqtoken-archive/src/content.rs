//! The content hash: what makes a video the same video under any name.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::str::FromStr;

use crate::error::ArchiveError;

/// Bytes that are read and hashed at a time.
const CHUNK: usize = 1 << 18;

/// The BLAKE3 hash of a file's bytes. Written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Of bytes in memory.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }

    /// Of a file, which is read in pieces of 256 KiB.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn of_file(path: impl AsRef<Path>) -> Result<Self, ArchiveError> {
        let path = path.as_ref();
        let read = || Self::of_reader(File::open(path)?);
        read().map_err(|source| ArchiveError::Read { path: path.to_owned(), source })
    }

    /// Of all bytes that a reader gives.
    ///
    /// # Errors
    /// If the reader fails.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut hasher = ContentHasher::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(count) => hasher.update(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ContentHash {
    type Err = ContentHashError;

    fn from_str(text: &str) -> Result<Self, ContentHashError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let hash = text.bytes().all(is_digit).then(|| blake3::Hash::from_hex(text).ok()).flatten();
        hash.map(|hash| Self(hash.into())).ok_or_else(|| ContentHashError { text: text.to_owned() })
    }
}

/// A text is not a content hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid content hash {text:?}: expected 64 hexadecimal digits in lower case")]
#[non_exhaustive]
pub struct ContentHashError {
    /// The text given.
    pub text: String,
}

/// Takes the bytes of a file piece by piece, for instance while they arrive.
#[derive(Clone, Debug, Default)]
pub struct ContentHasher(blake3::Hasher);

impl ContentHasher {
    /// A hasher that nothing has come through yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes that came.
    pub fn finish(&self) -> ContentHash {
        ContentHash(self.0.finalize().into())
    }
}

impl Write for ContentHasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_files_and_bytes_have_the_same_hash() {
        let bytes: Vec<u8> = (0..3 * CHUNK + 5).map(|index| (index % 251) as u8).collect();
        let hash = ContentHash::of_bytes(&bytes);
        let mut hasher = ContentHasher::new();
        bytes.chunks(1000).for_each(|chunk| hasher.update(chunk));
        assert_eq!(hasher.finish(), hash);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip");
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(ContentHash::of_file(&path).unwrap(), hash);
        let message = ContentHash::of_file(folder.path().join("none")).unwrap_err().to_string();
        assert!(message.contains("none") && message.contains("cannot be read"), "{message}");
    }

    #[test]
    fn hashes_and_texts() {
        let hash = ContentHash::of_bytes(b"");
        assert_eq!(hash.to_string(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for text in ["", "af13", &"A".repeat(64), &"g".repeat(64), &"0".repeat(65)] {
            assert_eq!(text.parse::<ContentHash>(), Err(ContentHashError { text: text.to_owned() }));
        }
    }
}
