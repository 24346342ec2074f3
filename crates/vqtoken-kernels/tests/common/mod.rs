//! Pseudorandom values, unaligned and poisoned buffers, and comparisons for all tests.
#![allow(dead_code, clippy::unwrap_used)]

use vqtoken_kernels::{ISA_VARIABLE, Kernels};

/// The instruction set that `VQTOKEN_ISA` forces, or all that this CPU supports.
pub(crate) fn all_kernels() -> Vec<Kernels> {
    match std::env::var_os(ISA_VARIABLE) {
        Some(_) => vec![Kernels::from_env().unwrap()],
        None => Kernels::available(),
    }
}

/// Pseudorandom values in -1..1 that depend on the seed.
pub(crate) fn values(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

/// A slice at an unaligned offset, with NaN around it.
pub(crate) struct Unaligned {
    buffer: Vec<f32>,
    start: usize,
}

impl Unaligned {
    pub(crate) fn new(values: &[f32], offset: usize) -> Self {
        let mut buffer = vec![f32::NAN; values.len() + offset + 9];
        buffer[offset..offset + values.len()].copy_from_slice(values);
        Self { buffer, start: offset }
    }

    /// A buffer for results, filled with NaN.
    pub(crate) fn poisoned(count: usize, offset: usize) -> Self {
        Self::new(&vec![f32::NAN; count], offset)
    }

    pub(crate) fn get(&self) -> &[f32] {
        &self.buffer[self.start..self.buffer.len() - 9]
    }

    pub(crate) fn get_mut(&mut self) -> &mut [f32] {
        let end = self.buffer.len() - 9;
        &mut self.buffer[self.start..end]
    }

    /// Asserts that nothing around the slice was written.
    pub(crate) fn assert_untouched(&self) {
        let end = self.buffer.len() - 9;
        assert!(self.buffer[..self.start].iter().chain(&self.buffer[end..]).all(|x| x.is_nan()));
    }
}

pub(crate) fn to_f64(x: &[f32]) -> Vec<f64> {
    x.iter().map(|x| f64::from(*x)).collect()
}

/// Asserts that every value is within `tolerance` of the exact one, relative to the largest exact magnitude or 1.
#[track_caller]
pub(crate) fn assert_close(what: &str, found: &[f32], exact: &[f64], tolerance: f64) {
    assert_eq!(found.len(), exact.len(), "{what}");
    let size = exact.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
    for (i, (found, exact)) in found.iter().zip(exact).enumerate() {
        let error = (f64::from(*found) - exact).abs() / size;
        assert!(
            error <= tolerance,
            "{what}: value {i} is {found}, expected {exact}: relative error {error:e}"
        );
    }
}

/// The gradient of `loss` at `x` by central differences.
pub(crate) fn numeric_gradient(x: &[f64], loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let mut x = x.to_vec();
    (0..x.len())
        .map(|i| {
            let (old, step) = (x[i], 1e-5);
            x[i] = old + step;
            let above = loss(&x);
            x[i] = old - step;
            let below = loss(&x);
            x[i] = old;
            (above - below) / (2.0 * step)
        })
        .collect()
}

/// The bits, so that NaN equals itself.
pub(crate) fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// Runs on pools of 1, 2 and 7 threads and asserts that the results have the same bits.
#[track_caller]
pub(crate) fn same_on_any_threads(what: &str, run: impl Fn() -> Vec<f32> + Sync) {
    let results: Vec<Vec<u32>> = [1, 2, 7]
        .iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(*threads).build().unwrap();
            bits(&pool.install(&run))
        })
        .collect();
    assert!(results[0] == results[1] && results[0] == results[2], "{what} depends on the number of threads");
}
