//! Sums over rows: gradients of biases.

use rayon::prelude::*;

use crate::aligned::Scratch;
use crate::errors::check_length;
use crate::simd::{Simd, kernel};
use crate::{Kernels, ShapeError};

/// Rows that a task sums; it must not depend on the threads.
const ROWS: usize = 128;

/// Vectors of a row that are summed beside each other.
const PIECE: usize = 4;

impl Kernels {
    /// `out [width]` is the sum of the rows of `x [rows, width]`; it may hold anything before.
    ///
    /// # Errors
    /// `x` is not whole rows, or `out` has another length.
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
            .for_each(|(x, sums)| sum_piece(self, x, sums));
        sum_piece(self, &partial, out);
        Ok(())
    }
}

/// Rows as wide as `out`.
#[inline(always)]
fn sum_generic<S: Simd>(s: S, x: &[f32], out: &mut [f32]) {
    let width = out.len();
    let whole = width / (PIECE * S::LANES) * (PIECE * S::LANES);
    for start in (0..whole).step_by(PIECE * S::LANES) {
        let mut sums = [s.splat(0.0); PIECE];
        for row in x.chunks_exact(width) {
            let row = &row[start..start + PIECE * S::LANES];
            for j in 0..PIECE {
                sums[j] = s.add(sums[j], s.load(&row[j * S::LANES..]));
            }
        }
        for j in 0..PIECE {
            s.store(&mut out[start + j * S::LANES..], sums[j]);
        }
    }
    for start in (whole..width).step_by(S::LANES) {
        let range = start..(start + S::LANES).min(width);
        let mut sum = s.splat(0.0);
        for row in x.chunks_exact(width) {
            sum = s.add(sum, s.load_or(&row[range.clone()], 0.0));
        }
        s.store_some(&mut out[range], sum);
    }
}

kernel!(fn sum_piece(x: &[f32], out: &mut [f32]) = sum_generic);
