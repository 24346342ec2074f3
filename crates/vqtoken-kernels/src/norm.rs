//! Layer norm and RMS norm, forward and backward.

use rayon::prelude::*;

use crate::errors::check_length;
use crate::simd::{Simd, kernel};
use crate::{Kernels, ShapeError};

/// Rows of a task. Weight gradients are summed within tasks first, so this must not depend on the number of threads.
const ROWS: usize = 32;

/// The kind of a norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// Layer norm: subtracts the mean and divides by the standard deviation.
    Layer,
    /// RMS norm: divides by the root mean square.
    Rms,
}

/// A norm over the last dimension.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// Layer norm or RMS norm.
    pub kind: NormKind,
    /// `[width]`
    pub weight: &'a [f32],
    /// `[width]`
    pub bias: Option<&'a [f32]>,
    /// Added to the variance (layer norm) or the mean square (RMS norm).
    pub epsilon: f32,
}

/// The gradients of a norm; previous contents are overwritten.
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
    /// `y = (x - mean) / sqrt(variance + epsilon) * weight + bias` for each row of `x [rows, width]`; with RMS norm,
    /// `y = x / sqrt(mean(x^2) + epsilon) * weight + bias`.
    ///
    /// # Errors
    /// If lengths do not match.
    pub fn norm(self, norm: &Norm<'_>, x: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
        let width = norm.check(x.len(), y.len())?.max(1);
        x.par_chunks(ROWS * width)
            .zip(y.par_chunks_mut(ROWS * width))
            .for_each(|(x, y)| norm_rows(self, norm, x, y));
        Ok(())
    }

    /// The gradients of [`Kernels::norm`], given that of its output, `dy [rows, width]`. Mean and variance are recomputed.
    ///
    /// # Errors
    /// If lengths do not match.
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
        let chunk = ROWS * width.max(1);
        let sums: Vec<Vec<f32>> = x
            .par_chunks(chunk)
            .zip(dy.par_chunks(chunk))
            .zip(gradients.dx.par_chunks_mut(chunk))
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

/// The mean (0 for RMS norm), and the reciprocal of the standard deviation or root mean square.
#[inline(always)]
fn statistics<S: Simd>(s: S, norm: &Norm<'_>, x: &[f32]) -> (f32, f32) {
    let count = x.len() as f32;
    let mut mean = 0.0;
    if norm.kind == NormKind::Layer {
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
        let (mut weighted_sum, mut projection_sum) = (s.splat(0.0), s.splat(0.0));
        for start in (0..width).step_by(S::LANES) {
            let range = start..(start + S::LANES).min(width);
            let dy = s.load_or(&dy[range.clone()], 0.0);
            let normalized = s.mul(s.sub(s.load_or(&x[range.clone()], 0.0), mean), inverse);
            let weighted = s.mul(dy, s.load_or(&norm.weight[range.clone()], 0.0));
            weighted_sum = s.add(weighted_sum, weighted);
            projection_sum = s.fma(weighted, normalized, projection_sum);
            let sum = s.fma(dy, normalized, s.load_or(&dweight[range.clone()], 0.0));
            s.store_some(&mut dweight[range.clone()], sum);
            let sum = s.add(dy, s.load_or(&dbias[range.clone()], 0.0));
            s.store_some(&mut dbias[range], sum);
        }
        let count = width as f32;
        let weighted_sum = s.splat(match norm.kind {
            NormKind::Layer => s.sum(weighted_sum) / count,
            NormKind::Rms => 0.0,
        });
        let projection_sum = s.splat(s.sum(projection_sum) / count);
        for start in (0..width).step_by(S::LANES) {
            let range = start..(start + S::LANES).min(width);
            let normalized = s.mul(s.sub(s.load_or(&x[range.clone()], 0.0), mean), inverse);
            let weighted =
                s.mul(s.load_or(&dy[range.clone()], 0.0), s.load_or(&norm.weight[range.clone()], 0.0));
            let rest = s.sub(s.sub(weighted, weighted_sum), s.mul(normalized, projection_sum));
            s.store_some(&mut dx[range], s.mul(rest, inverse));
        }
    }
}

kernel!(fn norm_rows(norm: &Norm<'_>, x: &[f32], y: &mut [f32]) = forward);
kernel!(fn backward_rows(norm: &Norm<'_>, x: &[f32], dy: &[f32], dx: &mut [f32], sums: &mut [f32]) = backward);
