//! Attention without materialized scores: an online softmax, block by block, forward and backward.
//!
//! The forward pass works transposed: the lanes of a vector are different queries, and scores, exponentials and the output
//! are columns. So the softmax needs no sums across lanes, and the exponentials are already packed for the product with the
//! values. In the backward pass the lanes are different keys; the softmax statistics are saved from the forward pass.
//!
//! Source: Dao et al., FlashAttention (arXiv 2205.14135); Milakov and Gimelshein, Online normalizer calculation for
//! softmax (arXiv 1805.02867).

mod backward;
mod decode;
mod forward;
mod head_gradients;
mod shape;
mod tiles;

pub use backward::{AttentionForward, AttentionGradients};
pub use decode::{StepShape, TextCache};
pub use shape::{AttentionShape, Causality, Layout};

use crate::errors::check_length;
use crate::{Kernels, ShapeError};

impl Kernels {
    /// `out = softmax(scale q k^T) v`, shaped like `q`.
    ///
    /// `log_sums [batch, heads, queries]`, if given, receives the logarithm of each query's sum of exponentials, which
    /// [`Kernels::attention_backward`] needs. With no keys, the output is NaN.
    ///
    /// # Errors
    /// If lengths do not match the shape.
    pub fn attention(
        self,
        shape: &AttentionShape,
        (q, k, v): (&[f32], &[f32], &[f32]),
        out: &mut [f32],
        log_sums: Option<&mut [f32]>,
    ) -> Result<(), ShapeError> {
        shape.check(q.len(), k.len(), v.len())?;
        check_length("attention output", out.len(), &[q.len()])?;
        if let Some(log_sums) = &log_sums {
            check_length("log sums", log_sums.len(), &[shape.log_sums_len()])?;
        }
        if out.is_empty() {
            return Ok(());
        }
        if shape.queries == 1 && log_sums.is_none() {
            decode::attend_single_query(self, shape, (q, k, v), out);
        } else {
            forward::attend(self, shape, (q, k, v), out, log_sums);
        }
        Ok(())
    }
}
