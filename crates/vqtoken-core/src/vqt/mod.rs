//! The `.vqt` file: video tokens as a safetensors file with a checksum. `python/read_vqt.py` reads one in Python.
//!
//! Like any safetensors file it is a header length (8 bytes, little-endian), a JSON header padded with spaces to a
//! multiple of 8 bytes, and the tensors' bytes without gaps, wide types first:
//!
//! | tensor | type | shape |
//! | --- | --- | --- |
//! | `codebook` | F32, BF16, or I8: steps of a scale for each code | `[K, D]` |
//! | `codebook_scales`, if that is I8 | BF16 | `[K]` |
//! | `index_map_coded` | U8: the index map [coded](crate::map_coding) | bytes |
//! | or `index_map`, if that is shorter | U8, U16 or U32, the smallest that holds K - 1 | `[T, H, W]` |
//! | `ticks` | U8, U16 or U32: how many ticks after the frame before | `[T]` |
//! | or `timestamps`, if no tick fits all exactly | F64, seconds | `[T]` |
//!
//! `__metadata__` holds `format` = `vqtoken`, `version` = `2`, `model`, `budget`, `checksum`, and where they apply:
//!
//! | key | value |
//! | --- | --- |
//! | `grid` | `T,H,W` of a coded index map |
//! | `tick` | `A/B`: timestamps are ticks * A / B seconds |
//! | `source.name`, `source.video` | the video's file name and its `width,height,seconds,bytes,frames` |
//! | `window.seconds`, `window.total` | the length of windows, and the budget of all of them together |
//!
//! Keys are sorted, and there is no space around `:` and `,`. The checksum is the CRC-32 (that of zlib) of the whole file
//! with the checksum's own 8 lower-case hexadecimal digits written as `00000000`.
//!
//! Version 1 had only F32 codebooks, uncoded index maps and F64 timestamps, no windows, and `source.width`, `source.height`,
//! `source.duration`, `source.bytes` and `source.frames` apart. It is still read.

mod error;
mod file;
mod metadata;
mod quality;
mod read;
mod tensors;
mod ticks;
mod write;

pub use error::{VqtError, VqtFormatError};
pub(crate) use file::{load, save};
pub use quality::{Quality, QualityError};
pub(crate) use read::from_bytes;
pub(crate) use write::to_bytes;

use crate::budget::Budget;
use crate::video_tokens::{VideoTokens, Windows};

const FORMAT: &str = "vqtoken";
const VERSION: u64 = 2;
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
    if let Some(Windows { seconds, total }) = &tokens.windows {
        if !(seconds.is_finite() && *seconds > 0.0) {
            let (key, expected) = ("window.seconds", "seconds above 0");
            return Err(VqtFormatError::Metadata { key, value: seconds.to_string(), expected });
        }
        total.iter().try_for_each(Budget::check)?;
    }
    tokens.budget.check().map_err(VqtFormatError::from)
}
