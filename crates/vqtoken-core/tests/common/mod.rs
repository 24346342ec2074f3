//! Token grids and `.vqt` files for tests.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses a part")]

use proptest::prelude::*;
use vqtoken_core::{GridShape, TokenGrid};

pub fn grid(frames: usize, height: usize, width: usize, dim: usize, data: Vec<f32>) -> TokenGrid {
    TokenGrid::new(GridShape { frames, height, width }, dim, data).unwrap()
}

/// Grids of 1 to 100 tokens of 1 to 20 channels, some of them smooth, some of few repeated values (so that ties, equal and
/// zero tokens are common).
pub fn any_grid() -> impl Strategy<Value = TokenGrid> {
    let smooth = (-1.0f32..1.0).boxed();
    let coarse = prop_oneof![Just(0.0f32), Just(1.0), Just(-1.0), Just(0.5)].boxed();
    (1usize..=5, 1usize..=5, 1usize..=4, 1usize..=20, prop_oneof![Just(smooth), Just(coarse)]).prop_flat_map(
        |(frames, height, width, dim, value)| {
            proptest::collection::vec(value, frames * height * width * dim)
                .prop_map(move |data| grid(frames, height, width, dim, data))
        },
    )
}

/// The cosine in f64; 0 with a zero vector.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum() };
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}

/// A `.vqt` file of the given header, with the checksum put right, so that only what the header says is wrong.
pub fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();
    let crc = format!("{:08x}", crc32fast::hash(&bytes));
    if let Some(at) = header.find("\"checksum\":\"00000000") {
        bytes[8 + at + 12..][..8].copy_from_slice(crc.as_bytes());
    }
    bytes
}
