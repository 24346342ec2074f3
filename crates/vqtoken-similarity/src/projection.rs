//! Long vectors as short ones with nearly the same cosines: random signs, the same in every version.
//!
//! Source: Achlioptas, "Database-friendly random projections", 2003.

use crate::prepare::{dot, scale_to_unit};

/// Channels of codes before their places are joined; codes of fewer stay as they are.
const CODE_CHANNELS: usize = 128;

/// A matrix of signs, `[outputs, inputs]`.
struct Signs {
    inputs: usize,
    values: Vec<f32>,
}

impl Signs {
    fn new(seed: u64, inputs: usize, outputs: usize) -> Self {
        let mut state = seed;
        let mut sign = || {
            // SplitMix64, whose highest bit is as good as any.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            if (mixed ^ (mixed >> 31)) >> 63 == 1 { 1.0 } else { -1.0 }
        };
        Self { inputs, values: (0..inputs * outputs).map(|_| sign()).collect() }
    }

    fn apply(&self, vectors: &[f32]) -> Vec<f32> {
        let each = vectors.chunks_exact(self.inputs);
        each.flat_map(|vector| self.values.chunks_exact(self.inputs).map(move |signs| dot(signs, vector)))
            .collect()
    }
}

/// Codes `[K, D]` for each of `parts` places as `[parts, K, outputs]`, so that sums over places and codes keep their cosines.
pub(crate) fn project_codes(codes: &[f32], dim: usize, parts: usize, outputs: usize) -> Vec<Vec<f32>> {
    let shorter = (dim > CODE_CHANNELS).then(|| Signs::new(1, dim, CODE_CHANNELS).apply(codes));
    let (codes, dim) = shorter.as_ref().map_or((codes, dim), |shorter| (shorter.as_slice(), CODE_CHANNELS));
    (0..parts).map(|part| Signs::new(2 + part as u64, dim, outputs).apply(codes)).collect()
}

/// A vector's direction in bytes: each value the nearest of 127 steps to the largest one.
pub(crate) fn to_bytes<const N: usize>(mut vector: [f32; N]) -> [i8; N] {
    scale_to_unit(&mut vector);
    let largest = vector.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    vector.map(|value| if largest > 0.0 { (value / largest * 127.0).round() as i8 } else { 0 })
}

/// The product of two vectors of bytes.
pub(crate) fn byte_dot<const N: usize>(a: &[i8; N], b: &[i8; N]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| i32::from(i16::from(a)) * i32::from(i16::from(b))).sum()
}
