//! Products of several quantized rows with packed int8 weights.

use std::ops::Range;

use super::fine_rows::FineRows;
use super::quantized_rows::QuantizedRows;
use super::tiles::Int8Path;
use crate::product::{Product, Tiling};

/// Rows of `i16` times packed panels.
pub(super) struct FineProduct<'a> {
    path: Int8Path,
    left: &'a FineRows,
    panels: &'a [i8],
    /// Rows of a tile: as few as give no more tiles, so that the last one is not mostly padding.
    tile_rows: usize,
}

impl<'a> FineProduct<'a> {
    pub(super) fn new(path: Int8Path, left: &'a FineRows, panels: &'a [i8]) -> Self {
        let tiles = left.count().div_ceil(path.rows()).max(1);
        Self { path, left, panels, tile_rows: left.count().div_ceil(tiles).max(1) }
    }
}

impl Product for FineProduct<'_> {
    type Left = i32;
    type Right = i8;

    fn tiling(&self) -> Tiling {
        let depth = self.left.depth;
        Tiling { rows: self.tile_rows, columns: self.path.columns(), depth, depth_block: depth.max(1) }
    }

    fn left_len(&self, depth: usize) -> usize {
        self.tile_rows * depth / 2
    }

    fn pack_left(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [i32]) {
        let (height, words) = (self.tile_rows, depth.start / 2..depth.end / 2);
        let tiles = out.chunks_exact_mut((height * words.len()).max(1));
        for (first, out) in rows.clone().step_by(height).zip(tiles) {
            let count = height.min(rows.end - first);
            for row in 0..height {
                let out = out.iter_mut().skip(row).step_by(height);
                match row < count {
                    true => {
                        let words = &self.left.row(first + row)[words.clone()];
                        out.zip(words).for_each(|(out, word)| *out = *word);
                    }
                    false => out.for_each(|out| *out = 0),
                }
            }
        }
    }

    fn right<'a>(&'a self, panel: usize, _: Range<usize>, _: &'a mut Vec<f32>) -> &'a [i8] {
        let length = self.path.panel_len(self.left.depth);
        &self.panels[panel * length..][..length]
    }

    fn tile(&self, left: &[i32], right: &[i8], out: &mut [f32]) {
        self.path.tile(left, right, out);
    }
}

/// Rows of bytes times packed panels.
pub(super) struct ByteProduct<'a> {
    pub(super) path: Int8Path,
    pub(super) left: &'a QuantizedRows,
    pub(super) panels: &'a [i8],
}

impl Product for ByteProduct<'_> {
    type Left = i32;
    type Right = i8;

    fn tiling(&self) -> Tiling {
        let depth = self.left.depth;
        Tiling { rows: self.path.rows(), columns: self.path.columns(), depth, depth_block: depth.max(1) }
    }

    fn left_len(&self, depth: usize) -> usize {
        self.path.rows() * depth / 4
    }

    fn pack_left(&self, rows: Range<usize>, depth: Range<usize>, out: &mut [i32]) {
        let height = self.path.rows();
        out.fill(Int8Path::group_word([0; 4]));
        for (index, row) in rows.enumerate() {
            let values = &self.left.values[row * self.left.depth..][depth.clone()];
            let start = index / height * self.left_len(depth.len()) + index % height;
            let (groups, _) = values.as_chunks::<4>();
            for (word, group) in out.iter_mut().skip(start).step_by(height).zip(groups) {
                *word = Int8Path::group_word(*group);
            }
        }
    }

    fn right<'a>(&'a self, panel: usize, _: Range<usize>, _: &'a mut Vec<f32>) -> &'a [i8] {
        let length = self.path.panel_len(self.left.depth);
        &self.panels[panel * length..][..length]
    }

    fn tile(&self, left: &[i32], right: &[i8], out: &mut [f32]) {
        self.path.tile(left, right, out);
    }
}
