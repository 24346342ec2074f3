//! Sums over rows, as gradients of biases need them.

use rayon::prelude::*;

use crate::aligned::Scratch;
use crate::errors::check_length;
use crate::simd::{Simd, kernel};
use crate::{Kernels, ShapeError};

/// Rows of a task; must not depend on the number of threads.
const ROWS: usize = 128;

/// Independent accumulators, to hide latency.
const CHAINS: usize = 4;

impl Kernels {
    /// Overwrites `out [width]` with the sum of the rows of `x [rows, width]`.
    ///
    /// # Errors
    /// If the length of `x` is not a multiple of `width`, or `out` has another length.
    pub fn sum_rows(self, x: &[f32], width: usize, out: &mut [f32]) -> Result<(), ShapeError> {
        check_length("rows to sum", x.len(), &[x.len() / width.max(1), width])?;
        check_length("sum of the rows", out.len(), &[width])?;
        out.fill(0.0);
        if x.is_empty() {
            return Ok(());
        }
        let mut partial = Scratch::new(x.len().div_ceil(ROWS * width) * width);
        x.par_chunks(ROWS * width)
            .zip(partial.par_chunks_mut(width))
            .for_each(|(x, sums)| sum_chunk(self, x, sums));
        sum_chunk(self, &partial, out);
        Ok(())
    }
}

/// Sums the rows of `x`, which are as wide as `out`.
#[inline(always)]
fn sum_generic<S: Simd>(s: S, x: &[f32], out: &mut [f32]) {
    let width = out.len();
    let full = width / (CHAINS * S::LANES) * (CHAINS * S::LANES);
    for start in (0..full).step_by(CHAINS * S::LANES) {
        let mut sums = [s.splat(0.0); CHAINS];
        for row in x.chunks_exact(width) {
            let row = &row[start..start + CHAINS * S::LANES];
            for j in 0..CHAINS {
                sums[j] = s.add(sums[j], s.load(&row[j * S::LANES..]));
            }
        }
        for j in 0..CHAINS {
            s.store(&mut out[start + j * S::LANES..], sums[j]);
        }
    }
    for start in (full..width).step_by(S::LANES) {
        let range = start..(start + S::LANES).min(width);
        let mut sum = s.splat(0.0);
        for row in x.chunks_exact(width) {
            sum = s.add(sum, s.load_or(&row[range.clone()], 0.0));
        }
        s.store_some(&mut out[range], sum);
    }
}

kernel!(fn sum_chunk(x: &[f32], out: &mut [f32]) = sum_generic);
