//! What `encode_clips.rs` makes and `measure.rs` expects: the transformations, and where a transformed clip is in its original.

#![allow(dead_code, reason = "each example uses a part")]

use vqtoken_random::SplitMix64;

/// A clip's seconds.
pub(crate) const SECONDS: f64 = 8.0;

/// What is done to clips.
pub(crate) const TRANSFORMATIONS: [&str; 8] =
    ["cut", "inside", "recoded", "cropped", "mirrored", "faster", "brightness", "bars_or_noise"];

/// The share of a clip that a cut leaves.
pub(crate) const CUT: f64 = 0.6;

/// How fast a speeded-up clip is.
pub(crate) const FASTER: f64 = 1.5;

/// Second `speed * t + offset` of the original is shown at second `t` of the transformed clip: speed and offset.
pub(crate) fn line(index: usize, transformation: &str) -> [f64; 2] {
    match transformation {
        "cut" => [1.0, between(index, 1.2, 2.0)],
        "inside" => [1.0, -between(index, 3.0, 5.0)],
        "faster" => [FASTER, 0.0],
        _ => [1.0, 0.0],
    }
}

/// A number of a clip that is seldom the time of a sampled frame.
fn between(index: usize, from: f64, to: f64) -> f64 {
    from + (to - from) * SplitMix64::new(index as u64 ^ 0x0b5e_55ed).unit()
}
