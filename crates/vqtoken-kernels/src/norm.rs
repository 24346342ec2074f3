//! Layer norm and RMS norm, forward and backward.

use rayon::prelude::*;

use crate::errors::check_length;
use crate::simd::{Simd, kernel};
use crate::{Kernels, ShapeError};

/// Rows of a task; gradients of the weights are summed within tasks first, so it must not depend on the threads.
const ROWS: usize = 32;

/// A norm over the last dimension.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// Layer norm subtracts the mean; RMS norm does not.
    pub centered: bool,
    /// `[width]`
    pub weight: &'a [f32],
    /// `[width]`
    pub bias: Option<&'a [f32]>,
    /// Added to the variance (layer norm) or the mean square (RMS norm).
    pub epsilon: f32,
}

/// Where the gradients of a norm go; they may hold anything before.
pub struct NormGradients<'a> {
    /// `[rows, width]`
    pub dx: &'a mut [f32],
    /// `[width]`
    pub dweight: &'a mut [f32],
    /// `[width]`
    pub dbias: Option<&'a mut [f32]>,
}

impl Norm<'_> {
    fn check(&self, x: usize, y: usize) -> Result<usize, ShapeError> {
        let width = self.weight.len();
        check_length("input of the norm", x, &[x / width.max(1), width])?;
        check_length("output of the norm", y, &[x])?;
        if let Some(bias) = self.bias {
            check_length("bias of the norm", bias.len(), &[width])?;
        }
        Ok(width)
    }
}

impl Kernels {
    /// `y = (x - mean) / sqrt(variance + epsilon) * weight + bias`, or without the mean, for each row of `x [rows, width]`.
    ///
    /// # Errors
    /// Lengths do not fit.
    pub fn norm(self, norm: &Norm<'_>, x: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
        let width = norm.check(x.len(), y.len())?.max(1);
        x.par_chunks(ROWS * width)
            .zip(y.par_chunks_mut(ROWS * width))
            .for_each(|(x, y)| norm_rows(self, norm, x, y));
        Ok(())
    }

    /// The gradients of [`Kernels::norm`] from that of its output, `dy [rows, width]`; statistics are computed again.
    ///
    /// # Errors
    /// Lengths do not fit.
    pub fn norm_backward(
        self,
        norm: &Norm<'_>,
        x: &[f32],
        dy: &[f32],
        gradients: NormGradients<'_>,
    ) -> Result<(), ShapeError> {
        let width = norm.check(x.len(), dy.len())?;
        check_length("gradient of the norm's input", gradients.dx.len(), &[x.len()])?;
        check_length("gradient of the norm's weight", gradients.dweight.len(), &[width])?;
        if let Some(dbias) = &gradients.dbias {
            check_length("gradient of the norm's bias", dbias.len(), &[width])?;
        }
        let piece = ROWS * width.max(1);
        let sums: Vec<Vec<f32>> = x
            .par_chunks(piece)
            .zip(dy.par_chunks(piece))
            .zip(gradients.dx.par_chunks_mut(piece))
            .map(|((x, dy), dx)| {
                let mut sums = vec![0.0; 2 * width];
                backward_rows(self, norm, x, dy, dx, &mut sums);
                sums
            })
            .collect();
        let mut total = vec![0.0; 2 * width];
        for sums in sums {
            total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        }
        gradients.dweight.copy_from_slice(&total[..width]);
        if let Some(dbias) = gradients.dbias {
            dbias.copy_from_slice(&total[width..]);
        }
        Ok(())
    }
}

/// Mean (0 for RMS norm) and the inverse of the deviation.
#[inline(always)]
fn statistics<S: Simd>(s: S, norm: &Norm<'_>, x: &[f32]) -> (f32, f32) {
    let count = x.len() as f32;
    let mut mean = 0.0;
    if norm.centered {
        let mut sum = s.splat(0.0);
        for x in x.chunks(S::LANES) {
            sum = s.add(sum, s.load_or(x, 0.0));
        }
        mean = s.sum(sum) / count;
    }
    let mut squares = s.splat(0.0);
    for x in x.chunks(S::LANES) {
        let difference = s.sub(s.load_or(x, mean), s.splat(mean));
        squares = s.fma(difference, difference, squares);
    }
    (mean, 1.0 / (s.sum(squares) / count + norm.epsilon).sqrt())
}

#[inline(always)]
fn forward<S: Simd>(s: S, norm: &Norm<'_>, x: &[f32], y: &mut [f32]) {
    let width = norm.weight.len();
    for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
        let (mean, inverse) = statistics(s, norm, x);
        for start in (0..width).step_by(S::LANES) {
            let end = (start + S::LANES).min(width);
            let difference = s.sub(s.load_or(&x[start..end], 0.0), s.splat(mean));
            let mut out =
                s.mul(s.mul(difference, s.splat(inverse)), s.load_or(&norm.weight[start..end], 0.0));
            if let Some(bias) = norm.bias {
                out = s.add(out, s.load_or(&bias[start..end], 0.0));
            }
            s.store_some(&mut y[start..end], out);
        }
    }
}

#[inline(always)]
fn backward<S: Simd>(s: S, norm: &Norm<'_>, x: &[f32], dy: &[f32], dx: &mut [f32], sums: &mut [f32]) {
    let width = norm.weight.len();
    let (dweight, dbias) = sums.split_at_mut(width);
    for ((x, dy), dx) in x.chunks_exact(width).zip(dy.chunks_exact(width)).zip(dx.chunks_exact_mut(width)) {
        let (mean, inverse) = statistics(s, norm, x);
        let (mean, inverse) = (s.splat(mean), s.splat(inverse));
        let (mut slopes, mut products) = (s.splat(0.0), s.splat(0.0));
        for start in (0..width).step_by(S::LANES) {
            let range = start..(start + S::LANES).min(width);
            let dy = s.load_or(&dy[range.clone()], 0.0);
            let normal = s.mul(s.sub(s.load_or(&x[range.clone()], 0.0), mean), inverse);
            let slope = s.mul(dy, s.load_or(&norm.weight[range.clone()], 0.0));
            slopes = s.add(slopes, slope);
            products = s.fma(slope, normal, products);
            let sum = s.fma(dy, normal, s.load_or(&dweight[range.clone()], 0.0));
            s.store_some(&mut dweight[range.clone()], sum);
            let sum = s.add(dy, s.load_or(&dbias[range.clone()], 0.0));
            s.store_some(&mut dbias[range], sum);
        }
        let count = width as f32;
        let slopes = s.splat(if norm.centered { s.sum(slopes) / count } else { 0.0 });
        let products = s.splat(s.sum(products) / count);
        for start in (0..width).step_by(S::LANES) {
            let range = start..(start + S::LANES).min(width);
            let normal = s.mul(s.sub(s.load_or(&x[range.clone()], 0.0), mean), inverse);
            let slope =
                s.mul(s.load_or(&dy[range.clone()], 0.0), s.load_or(&norm.weight[range.clone()], 0.0));
            let rest = s.sub(s.sub(slope, slopes), s.mul(normal, products));
            s.store_some(&mut dx[range], s.mul(rest, inverse));
        }
    }
}

kernel!(fn norm_rows(norm: &Norm<'_>, x: &[f32], y: &mut [f32]) = forward);
kernel!(fn backward_rows(norm: &Norm<'_>, x: &[f32], dy: &[f32], dx: &mut [f32], sums: &mut [f32]) = backward);
