//! Rotary position embedding: pairs of features are rotated by angles that grow with the position.

use rayon::prelude::*;

use crate::errors::{check_equal, check_length};
use crate::simd::{Simd, kernel};
use crate::{Kernels, ShapeError};

/// The direction of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotaryDirection {
    /// By the angle: the forward pass.
    Forward,
    /// By the negative angle: the backward pass, since the transpose of a rotation is its inverse.
    Backward,
}

impl Kernels {
    /// Rotates `x [tokens, heads, head_dim]` in place. Feature `i` of a head pairs with `i + head_dim / 2`; `cos` and `sin`
    /// are `[tokens, head_dim / 2]`.
    ///
    /// Source: Su et al., RoFormer (arXiv 2104.09864), in the half-split layout of Qwen2.
    ///
    /// # Errors
    /// If lengths do not match, or `head_dim` is odd.
    pub fn rotary(
        self,
        x: &mut [f32],
        (heads, head_dim): (usize, usize),
        (cos, sin): (&[f32], &[f32]),
        direction: RotaryDirection,
    ) -> Result<(), ShapeError> {
        check_equal("head_dim", head_dim, head_dim / 2 * 2, "it must be even")?;
        let half = head_dim / 2;
        let tokens = cos.len() / half.max(1);
        check_length("cosines", cos.len(), &[tokens, half])?;
        check_length("sines", sin.len(), &[tokens, half])?;
        check_length("rotary input", x.len(), &[tokens, heads, head_dim])?;
        x.par_chunks_mut((heads * head_dim).max(1))
            .zip(cos.par_chunks(half.max(1)).zip(sin.par_chunks(half.max(1))))
            .for_each(|(x, (cos, sin))| rotate_heads(self, x, cos, sin, direction));
        Ok(())
    }
}

#[inline(always)]
fn rotate_generic<S: Simd>(s: S, x: &mut [f32], cos: &[f32], sin: &[f32], direction: RotaryDirection) {
    let half = cos.len();
    let sign = s.splat(if direction == RotaryDirection::Forward { 1.0 } else { -1.0 });
    for head in x.chunks_exact_mut(2 * half) {
        let (left, right) = head.split_at_mut(half);
        let angles = cos.chunks(S::LANES).zip(sin.chunks(S::LANES));
        for ((a, b), (cos, sin)) in left.chunks_mut(S::LANES).zip(right.chunks_mut(S::LANES)).zip(angles) {
            let (x, y) = (s.load_or(a, 0.0), s.load_or(b, 0.0));
            let (cos, sin) = (s.load_or(cos, 0.0), s.mul(s.load_or(sin, 0.0), sign));
            s.store_some(a, s.sub(s.mul(x, cos), s.mul(y, sin)));
            s.store_some(b, s.fma(x, sin, s.mul(y, cos)));
        }
    }
}

kernel!(fn rotate_heads(x: &mut [f32], cos: &[f32], sin: &[f32], direction: RotaryDirection) = rotate_generic);
