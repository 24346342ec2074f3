//! Softmax over the last dimension, forward and backward.

use rayon::prelude::*;

use crate::errors::check_length;
use crate::math::exp;
use crate::simd::{Simd, kernel};
use crate::{Kernels, ShapeError};

/// Rows of a task.
const ROWS: usize = 16;

impl Kernels {
    /// Softmax of each row of `x [rows, width]`, in place. A row that holds NaN or infinity, or only minus infinity, becomes
    /// NaN.
    ///
    /// # Errors
    /// If the length is not a multiple of `width`.
    pub fn softmax(self, x: &mut [f32], width: usize) -> Result<(), ShapeError> {
        check_length("rows of softmax", x.len(), &[x.len() / width.max(1), width])?;
        x.par_chunks_mut(ROWS * width.max(1)).for_each(|x| softmax_rows(self, x, width));
        Ok(())
    }

    /// The gradient of [`Kernels::softmax`]: given the output `y`, turns its gradient `dy` into that of the input, in place.
    ///
    /// # Errors
    /// If lengths do not match.
    pub fn softmax_backward(self, y: &[f32], dy: &mut [f32], width: usize) -> Result<(), ShapeError> {
        check_length("rows of softmax", y.len(), &[y.len() / width.max(1), width])?;
        check_length("gradient of softmax", dy.len(), &[y.len()])?;
        let chunk = ROWS * width.max(1);
        y.par_chunks(chunk)
            .zip(dy.par_chunks_mut(chunk))
            .for_each(|(y, dy)| backward_rows(self, y, dy, width));
        Ok(())
    }
}

#[inline(always)]
fn forward<S: Simd>(s: S, x: &mut [f32], width: usize) {
    for x in x.chunks_exact_mut(width) {
        let mut largest = s.splat(f32::NEG_INFINITY);
        for x in x.chunks(S::LANES) {
            largest = s.max(s.load_or(x, f32::NEG_INFINITY), largest);
        }
        let largest = s.lanes(largest)[..S::LANES].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut total = s.splat(0.0);
        for x in x.chunks_mut(S::LANES) {
            let weight = exp(s, s.sub(s.load_or(x, f32::NEG_INFINITY), s.splat(largest)));
            total = s.add(total, weight);
            s.store_some(x, weight);
        }
        let total = s.splat(s.sum(total));
        for x in x.chunks_mut(S::LANES) {
            let quotient = s.div(s.load_or(x, 0.0), total);
            s.store_some(x, quotient);
        }
    }
}

#[inline(always)]
fn backward<S: Simd>(s: S, y: &[f32], dy: &mut [f32], width: usize) {
    for (y, dy) in y.chunks_exact(width).zip(dy.chunks_exact_mut(width)) {
        let mut sum = s.splat(0.0);
        for (y, dy) in y.chunks(S::LANES).zip(dy.chunks(S::LANES)) {
            sum = s.fma(s.load_or(y, 0.0), s.load_or(dy, 0.0), sum);
        }
        let sum = s.splat(s.sum(sum));
        for (y, dy) in y.chunks(S::LANES).zip(dy.chunks_mut(S::LANES)) {
            let dx = s.mul(s.load_or(y, 0.0), s.sub(s.load_or(dy, 0.0), sum));
            s.store_some(dy, dx);
        }
    }
}

kernel!(fn softmax_rows(x: &mut [f32], width: usize) = forward);
kernel!(fn backward_rows(y: &[f32], dy: &mut [f32], width: usize) = backward);
