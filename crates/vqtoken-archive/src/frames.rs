//! The sampled frames of a video in one file, any of them read without the others.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `VQFRAMES` |
//! | 4, 4 | version (1), number of frames |
//! | 8 | length of the file |
//! | 8, 4, 8 for each frame | offset from the start, length, the first bytes of the BLAKE3 hash of its index (8 bytes) and its JPEG |
//! | rest | the JPEGs, without gaps |
//!
//! All numbers are little-endian.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use vqtoken_files::{WriteError, write_with};

const MAGIC: [u8; 8] = *b"VQFRAMES";
const VERSION: u32 = 1;
const HEADER: u64 = 24;
const ENTRY: u64 = 20;

/// What reading a file of frames can give other than a frame.
pub(crate) enum FramesError {
    /// The system refused.
    Io(io::Error),
    /// The file is not what was written.
    Damaged,
}

impl From<io::Error> for FramesError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged,
            _ => Self::Io(error),
        }
    }
}

/// The size of the file of these frames.
pub(crate) fn size(jpegs: &[Vec<u8>]) -> u64 {
    HEADER + jpegs.iter().map(|jpeg| ENTRY + jpeg.len() as u64).sum::<u64>()
}

/// Writes the file, whole.
pub(crate) fn write(path: &Path, jpegs: &[Vec<u8>]) -> Result<(), WriteError> {
    write_with(path, |file| {
        file.write_all(&MAGIC)?;
        file.write_all(&VERSION.to_le_bytes())?;
        file.write_all(&narrow(jpegs.len())?.to_le_bytes())?;
        file.write_all(&size(jpegs).to_le_bytes())?;
        let mut offset = HEADER + ENTRY * jpegs.len() as u64;
        for (index, jpeg) in jpegs.iter().enumerate() {
            file.write_all(&offset.to_le_bytes())?;
            file.write_all(&narrow(jpeg.len())?.to_le_bytes())?;
            file.write_all(&check(index, jpeg))?;
            offset += jpeg.len() as u64;
        }
        jpegs.iter().try_for_each(|jpeg| file.write_all(jpeg))
    })
}

fn narrow(length: usize) -> io::Result<u32> {
    u32::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

fn check(index: usize, jpeg: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(index as u64).to_le_bytes());
    hasher.update(jpeg);
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    first
}

/// How many frames a file has. It is checked to be as long as it was written.
pub(crate) fn count(path: &Path) -> Result<usize, FramesError> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    read_header(&mut file, length)
}

/// The JPEG of one frame; none if there is no such frame.
pub(crate) fn read(path: &Path, index: usize) -> Result<Option<Vec<u8>>, FramesError> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    if index >= read_header(&mut file, length)? {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(HEADER + ENTRY * index as u64))?;
    let offset = u64::from_le_bytes(take(&mut file)?);
    let bytes = u32::from_le_bytes(take(&mut file)?);
    let expected: [u8; 8] = take(&mut file)?;
    // Believed only as far as the file reaches.
    if offset.checked_add(u64::from(bytes)).is_none_or(|end| end > length) {
        return Err(FramesError::Damaged);
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut jpeg = vec![0; bytes as usize];
    file.read_exact(&mut jpeg)?;
    if check(index, &jpeg) == expected { Ok(Some(jpeg)) } else { Err(FramesError::Damaged) }
}

fn read_header(file: &mut File, length: u64) -> Result<usize, FramesError> {
    let magic: [u8; 8] = take(file)?;
    let version = u32::from_le_bytes(take(file)?);
    let count = u32::from_le_bytes(take(file)?);
    let written = u64::from_le_bytes(take(file)?);
    let fits = HEADER + ENTRY * u64::from(count) <= length;
    match magic == MAGIC && version == VERSION && written == length && fits {
        true => Ok(count as usize),
        false => Err(FramesError::Damaged),
    }
}

fn take<const N: usize>(file: &mut File) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_frame_is_read_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frames.bin");
        let jpegs = [b"first".to_vec(), vec![], b"third".to_vec()];
        write(&path, &jpegs).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), size(&jpegs));
        assert_eq!(count(&path).ok(), Some(3));
        for (index, jpeg) in jpegs.iter().enumerate() {
            assert_eq!(read(&path, index).ok().flatten().as_ref(), Some(jpeg));
        }
        assert!(matches!(read(&path, 3), Ok(None)));
        assert!(matches!(read(&folder.path().join("none"), 0), Err(FramesError::Io(_))));
    }

    #[test]
    fn no_changed_byte_goes_unseen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frames.bin");
        write(&path, &[b"first".to_vec(), b"second".to_vec()]).unwrap();
        let whole = fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 0x41;
            fs::write(&path, changed).unwrap();
            let read = [read(&path, 0), read(&path, 1)];
            let served = |read: &Result<Option<Vec<u8>>, FramesError>, jpeg: &[u8]| match read {
                Ok(Some(found)) => found == jpeg,
                _ => true,
            };
            assert!(served(&read[0], b"first") && served(&read[1], b"second"), "byte {place}");
            assert!(read.iter().any(|read| !matches!(read, Ok(Some(_)))), "byte {place}");
        }
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(matches!(count(&path), Err(FramesError::Damaged)), "{length} bytes");
        }
    }
}
