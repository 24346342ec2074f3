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
//! A reader bounds what it believes ([`Limits`]): 2^26 labels, 10^7 frames, a week between the first frame and the last, and 4 GiB unless
//! the user allows more. A coded index map of static video is a few bytes for thousands of labels.
//!
//! Version 1 had only F32 codebooks, uncoded index maps and F64 timestamps, no windows, and `source.width`, `source.height`,
//! `source.duration`, `source.bytes` and `source.frames` apart. It is still read.

mod check;
mod error;
mod file;
mod layout;
mod metadata;
mod read;
mod rounding;
mod tensors;
mod ticks;
mod write;

pub use error::{VqtError, VqtFormatError};

use std::path::Path;

use vqtoken_files::Limits;

use crate::video_tokens::VideoTokens;

impl VideoTokens {
    /// Writes a `.vqt` file: beside its final name first, so that no half-written file can be found under it.
    ///
    /// # Errors
    /// If the parts do not fit together ([`VideoTokens::to_bytes`]) or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), VqtError> {
        file::save(self, path.as_ref())
    }

    /// Reads a `.vqt` file and checks all of it.
    ///
    /// # Errors
    /// If it cannot be read, is not a `.vqt` file, is of a newer version, is damaged anywhere, or asks for more than the default
    /// [`Limits`] allow. Each error names the file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, VqtError> {
        Self::load_within(path, &Limits::default())
    }

    /// [`VideoTokens::load`] with other limits on bytes, labels, frames and seconds.
    ///
    /// # Errors
    /// As [`VideoTokens::load`].
    pub fn load_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Self, VqtError> {
        file::load(path.as_ref(), limits)
    }

    /// The bytes of a `.vqt` file; the same tokens always give the same bytes.
    ///
    /// # Errors
    /// If codebook, index map and timestamps do not belong together, or a number is not finite.
    pub fn to_bytes(&self) -> Result<Vec<u8>, VqtFormatError> {
        write::to_bytes(self)
    }

    /// Reads the bytes of a `.vqt` file and checks all of them.
    ///
    /// # Errors
    /// As [`VideoTokens::load`], without the file's name.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VqtFormatError> {
        Self::from_bytes_within(bytes, &Limits::default())
    }

    /// [`VideoTokens::from_bytes`] with other limits.
    ///
    /// # Errors
    /// As [`VideoTokens::load`], without the file's name.
    pub fn from_bytes_within(bytes: &[u8], limits: &Limits) -> Result<Self, VqtFormatError> {
        read::from_bytes(bytes, limits)
    }
}
