//! The `.vqt` file: video tokens as a safetensors file with a checksum. The crate's README reads one in Python.
//!
//! Like any safetensors file it is a header length (8 bytes, little-endian), a JSON header padded with spaces to a
//! multiple of 8 bytes, and the tensors' bytes without gaps:
//!
//! | tensor | type | shape |
//! | --- | --- | --- |
//! | `timestamps` | F64, seconds | `[T]` |
//! | `codebook` | F32 | `[K, D]` |
//! | `index_map` | U8, U16 or U32, the smallest that holds K - 1 | `[T, H, W]` |
//!
//! `__metadata__` holds `format` = `vqtoken`, `version` = `1`, `model`, `budget`, `checksum`, and if the source is known
//! `source.name`, `source.width`, `source.height`, `source.duration`, `source.bytes` and `source.frames`. Keys are sorted, and there
//! is no space around `:` and `,`. The checksum is the CRC-32 (that of zlib) of the whole file with the checksum's own 8
//! lower-case hexadecimal digits written as `00000000`.

mod error;
mod file;
mod read;
mod write;

pub use error::{VqtError, VqtFormatError};
pub(crate) use file::{load, save};
pub(crate) use read::from_bytes;
pub(crate) use write::to_bytes;

use crate::video_tokens::VideoTokens;

const FORMAT: &str = "vqtoken";
const VERSION: u64 = 1;
/// The bytes that hold the header's length.
const PREFIX: usize = 8;
/// Far more than a header needs, and little enough to read before anything is known of the file.
const MAX_HEADER: usize = 1 << 20;
/// What stands before the checksum's digits. JSON strings escape their quotes, so no value can look like it.
const CHECKSUM_KEY: &str = "\"checksum\":\"";
const CHECKSUM_DIGITS: usize = 8;

/// Where the checksum's digits are: the first place after its key. `None` if there are no 8 such bytes.
fn find_checksum(header: &[u8]) -> Option<usize> {
    let key = CHECKSUM_KEY.as_bytes();
    let at = header.windows(key.len()).position(|window| window == key)? + key.len();
    (at + CHECKSUM_DIGITS <= header.len()).then_some(at)
}

/// The checksum of a file whose digits begin at `digits`.
fn checksum(file: &[u8], digits: usize) -> String {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&file[..digits]);
    crc.update(&[b'0'; CHECKSUM_DIGITS]);
    crc.update(&file[digits + CHECKSUM_DIGITS..]);
    format!("{:08x}", crc.finalize())
}

/// What holds for any video tokens, written or read.
fn check(tokens: &VideoTokens) -> Result<(), VqtFormatError> {
    let (codes, labelled) = (tokens.codebook.codes(), tokens.index_map.codes());
    if codes != labelled {
        return Err(VqtFormatError::Codes { codes, labelled });
    }
    let (frames, timestamps) = (tokens.index_map.shape().frames, tokens.timestamps.len());
    if frames != timestamps {
        return Err(VqtFormatError::Timestamps { frames, timestamps });
    }
    let not_finite = |tensor, place: Option<usize>| match place {
        Some(place) => Err(VqtFormatError::NotFinite { tensor, place }),
        None => Ok(()),
    };
    not_finite("codebook", tokens.codebook.data().iter().position(|value| !value.is_finite()))?;
    not_finite("timestamps", tokens.timestamps.iter().position(|seconds| !seconds.is_finite()))?;
    if let Some(source) = tokens.source.as_ref().filter(|source| !source.duration.is_finite()) {
        let value = source.duration.to_string();
        return Err(VqtFormatError::Metadata { key: "source.duration", value, expected: "seconds" });
    }
    tokens.budget.check().map_err(VqtFormatError::from)
}
