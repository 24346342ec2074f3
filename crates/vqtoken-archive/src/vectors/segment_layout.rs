//! The layout of a segment: the vectors of some videos in one file that never changes.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8, 4, 4 | `VQVECTOR`, version (2), features (E) |
//! | 8, 8, 8 | rows (n), videos (v), length of the file |
//! | 4, 4 | CRC-32 of the tables, CRC-32 of the 44 bytes before this one |
//! | 16 | zeros |
//! | v x 24 | videos: number in the catalogue, first row, rows |
//! | n x 16 | rows: index of the video, start and end in seconds, scale of the values |
//! | n x 8 | rows: correction of the sketch, bits set in it |
//! | n/1024 x 4 | CRC-32 of the sketches, values and lowest bits of each 1,024 rows |
//! | n/32 x B x 32 | sketches (B bytes each) in blocks of 32 rows, from a multiple of 64 |
//! | n x E | values, from a multiple of 64 |
//! | n x E/8 | lowest bits of the values, from a multiple of 64 |
//!
//! All numbers are little-endian, all divisions are rounded up. The tables are checked when a segment is opened; the rest as the reader asks.
//!
//! A sketch is a bit a feature in whole words of 64 bits. A block of them is transposed: first the first bytes of its 32 rows, then the second bytes, and so on,
//! which is what [`vqtoken_kernels::Kernels::sketch_sums`] reads. Rows that fill up the last block are zeros.
//!
//! Version 1 had sketches row by row and no lowest bits. Its segments are not read: their videos get vectors anew.

use std::ops::Range;

use vqtoken_kernels::SKETCH_BLOCK;

use super::rounding::{lowest_bytes, sketch_bytes};

pub(super) const MAGIC: [u8; 8] = *b"VQVECTOR";
pub(super) const VERSION: u32 = 2;
pub(super) const HEADER: usize = 64;
/// Bytes of the header that its own checksum covers.
pub(super) const CHECKED: usize = 44;
pub(super) const VIDEO: usize = 24;
pub(super) const ROW: usize = 16;
pub(super) const SKETCH_ROW: usize = 8;
/// Rows of a checksum; whole blocks of sketches.
pub(super) const BLOCK: usize = 1024;
pub(super) const ALIGNMENT: usize = 64;
/// The most features of a vector.
pub(crate) const MOST_FEATURES: usize = 1 << 16;

/// A row: a moment of a video, or one of its codes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    /// Index into the segment's videos.
    pub(crate) video: usize,
    /// Seconds.
    pub(crate) start: f32,
    /// Seconds.
    pub(crate) end: f32,
    /// What the values are multiplied with.
    pub(crate) scale: f32,
}

/// The rows of one video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VideoRows {
    /// Its number in the catalogue.
    pub(crate) sequence: u64,
    /// Its rows.
    pub(crate) rows: Range<usize>,
}

/// Where the parts of a file are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) features: usize,
    pub(super) rows: usize,
    pub(super) videos: usize,
}

impl Parts {
    /// The least that a row takes.
    pub(super) fn row_bytes(features: usize) -> usize {
        ROW + SKETCH_ROW + sketch_bytes(features) + features + lowest_bytes(features)
    }

    pub(super) fn tables(self) -> usize {
        self.videos * VIDEO + self.rows * (ROW + SKETCH_ROW) + self.rows.div_ceil(BLOCK) * 4
    }

    pub(super) fn rows_at(self) -> usize {
        HEADER + self.videos * VIDEO
    }

    pub(super) fn sketch_rows_at(self) -> usize {
        self.rows_at() + self.rows * ROW
    }

    pub(super) fn checksums_at(self) -> usize {
        self.sketch_rows_at() + self.rows * SKETCH_ROW
    }

    pub(super) fn sketches_at(self) -> usize {
        (HEADER + self.tables()).next_multiple_of(ALIGNMENT)
    }

    pub(super) fn sketch_length(self) -> usize {
        self.rows.div_ceil(SKETCH_BLOCK) * SKETCH_BLOCK * sketch_bytes(self.features)
    }

    pub(super) fn values_at(self) -> usize {
        (self.sketches_at() + self.sketch_length()).next_multiple_of(ALIGNMENT)
    }

    pub(super) fn lowest_at(self) -> usize {
        (self.values_at() + self.rows * self.features).next_multiple_of(ALIGNMENT)
    }

    pub(super) fn length(self) -> usize {
        self.lowest_at() + self.rows * lowest_bytes(self.features)
    }
}

/// The sketches, values and lowest bits of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contents<'a> {
    pub(super) sketches: &'a [u8],
    pub(super) values: &'a [u8],
    pub(super) lowest: &'a [u8],
}

impl Contents<'_> {
    /// The checksum of a block of rows. Those that fill up the last block of sketches are in it.
    pub(super) fn checksum(self, block: usize, parts: Parts) -> u32 {
        let rows = block * BLOCK..(block * BLOCK + BLOCK).min(parts.rows);
        let filled = rows.start..rows.end.next_multiple_of(SKETCH_BLOCK);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.sketches[scaled(&filled, sketch_bytes(parts.features))]);
        hasher.update(&self.values[scaled(&rows, parts.features)]);
        hasher.update(&self.lowest[scaled(&rows, lowest_bytes(parts.features))]);
        hasher.finalize()
    }
}

/// Where rows are that take `width` bytes each.
pub(super) fn scaled(rows: &Range<usize>, width: usize) -> Range<usize> {
    rows.start * width..rows.end * width
}

/// Where byte `byte` of the sketch of row `row` is among the sketches.
pub(super) fn sketch_byte(row: usize, byte: usize, features: usize) -> usize {
    (row / SKETCH_BLOCK * sketch_bytes(features) + byte) * SKETCH_BLOCK + row % SKETCH_BLOCK
}

/// The correction of a row's sketch, and the bits that are set in it.
#[inline]
pub(super) fn sketch_row(bytes: &[u8; SKETCH_ROW]) -> (f32, u32) {
    let [a, b, c, d, bits @ ..] = *bytes;
    (f32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(bits))
}
