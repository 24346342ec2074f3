//! Helpers for the tests of this crate.

use burn::tensor::Tensor;

/// `n` reproducible values in (-1, 1).
pub(crate) fn values(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// Asserts that every element of `actual` is within `tolerance` of `expected`.
pub(crate) fn assert_close<const D: usize>(actual: Tensor<D>, expected: &[f32], tolerance: f32) {
    let actual: Vec<f32> = actual.into_data().try_to_vec().expect("f32 data");
    assert_eq!(actual.len(), expected.len());
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= tolerance, "element {i}: {a} is not within {tolerance} of {e}");
    }
}
