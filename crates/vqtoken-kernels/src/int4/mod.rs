//! int4 weights: groups of 32 along the depth with one scale each, 4.5 bits a weight.
//!
//! A single row, or a few that are independent, is multiplied as integers of 16 bits, exactly within a group; more rows by weights that are widened to
//! `f32`. Every instruction set gives the same bits for single rows.
//!
//! A panel is a sequence of groups. A group holds the scales of its columns in bf16, then words of 16 bits, `[4][columns][2]`: word `[step][column][parity]`
//! has the weights of depth `2 (step + 4 n) + parity` in its bits `4 n` to `4 n + 3`, each 8 more than its value in steps of the scale. So one load, three
//! shifts and masks give four vectors of pairs along the depth, as the instruction that multiplies pairs of `i16` takes them.

mod quantize;
mod rows;
mod weights;

pub(crate) use weights::Int4Weights;

/// Weights that share a scale.
const GROUP: usize = 32;

/// Pairs of weights along the depth of a group.
const PAIRS: usize = GROUP / 2;

/// Rows of words of a group; the four bits of each word's weights are as many pairs apart.
const STEPS: usize = PAIRS / 4;

/// What is added to a weight to make it unsigned.
const OFFSET: i32 = 8;

/// Length of a group's words, its scales included.
const fn group_len(width: usize) -> usize {
    width + STEPS * width * 2
}

/// The index of the word, and the lowest bit in it, of the weight at `depth` within the group, of `column`.
const fn place(depth: usize, column: usize, width: usize) -> (usize, usize) {
    let pair = depth / 2;
    (width + (pair % STEPS * width + column) * 2 + depth % 2, pair / STEPS * 4)
}
