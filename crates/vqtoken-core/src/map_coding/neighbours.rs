//! What the cells before a cell, in this frame and the frames before, say about its label.

use super::prediction::{CONTEXTS, SPREAD};
use crate::grid::GridShape;

/// The label of cells outside the map.
const OUTSIDE: u32 = u32::MAX;

/// What the neighbours of a cell say about its label.
pub(super) struct Neighbours {
    /// The label of the same cell one frame before; in the first frame that of the cell to the left, or above.
    pub(super) expected: u32,
    /// How many of the cells to the left and above kept their label since the frame before: 0, 1 or 2.
    pub(super) kept: usize,
    /// The contexts of the question whether its label is the expected one.
    pub(super) repeat: [u32; CONTEXTS],
    same: u32,
    west: u32,
    north: u32,
    old_east: u32,
}

impl Neighbours {
    /// The contexts of the question which other label it is.
    pub(super) fn label(&self) -> [u32; CONTEXTS] {
        let &Self { same, west, north, old_east, .. } = self;
        [
            0,
            hash(same, 0),
            hash(west, 0),
            hash(north, 0),
            hash(same, west),
            hash(west, north),
            hash(same, north),
            hash(same, old_east),
        ]
    }
}

/// What is said about the next cell, where `labels` are those of all cells before it.
pub(super) fn neighbours(labels: &[u32], shape: GridShape) -> Neighbours {
    let (index, row) = (labels.len(), shape.width);
    let frame = shape.height * row;
    let (x, y) = (index % row, index / row % shape.height);
    let (left, right, up, down) = (x > 0, x + 1 < row, y > 0, y + 1 < shape.height);
    let (before, twice) = (index >= frame, index / 2 >= frame);
    let pick = |inside: bool, back: usize| if inside { labels[index - back] } else { OUTSIDE };

    let (west, north) = (pick(left, 1), pick(up, row));
    let (north_west, north_east) = (pick(up && left, row + 1), pick(up && right, row - 1));
    let same = pick(before, frame);
    let old_west = pick(before && left, frame + 1);
    let old_north = pick(before && up, frame + row);
    let old_north_west = pick(before && up && left, frame + row + 1);
    let old_north_east = pick(before && up && right, frame + row - 1);
    let old_east = pick(before && right, frame - 1);
    let old_south = pick(before && down, frame - row);
    let (older, older_east) = (pick(twice, 2 * frame), pick(twice && right, 2 * frame - 1));
    let older_south = pick(twice && down, 2 * frame - row);

    let expected = [same, west, north].into_iter().find(|&label| label != OUTSIDE).unwrap_or(0);
    let agreeing = mask([
        west == expected,
        north == expected,
        north_west == expected,
        north_east == expected,
        old_west == expected,
        old_north == expected,
        old_east == expected,
        old_south == expected,
        older == expected,
    ]);
    let still = mask([
        west == old_west,
        north == old_north,
        north_west == old_north_west,
        north_east == old_north_east,
        same == older,
        old_east == older_east,
        old_south == older_south,
    ]);
    Neighbours {
        expected,
        kept: usize::from(west == old_west) + usize::from(north == old_north),
        repeat: [
            hash(agreeing, 0),
            hash(still, 0),
            hash(agreeing, still),
            hash(x as u32, y as u32),
            hash(expected, 0),
            hash(hash(expected, west), 0),
            hash(hash(expected, west), north),
            hash(expected, older),
        ],
        same,
        west,
        north,
        old_east,
    }
}

fn mask<const BITS: usize>(bits: [bool; BITS]) -> u32 {
    bits.into_iter().fold(0, |mask, bit| (mask << 1) | u32::from(bit))
}

fn hash(first: u32, second: u32) -> u32 {
    let mixed = (first.wrapping_add(1).wrapping_mul(SPREAD) ^ second).wrapping_mul(SPREAD);
    mixed ^ (mixed >> 15)
}
