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
mod tiles;

pub use backward::{AttentionForward, AttentionGradients};

use crate::errors::check_length;
use crate::matrix::Matrix;
use crate::{Kernels, ShapeError};

/// The memory layout of queries, keys, values and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[batch, tokens, heads, head_dim]`, as a linear layer writes them.
    TokensFirst,
    /// `[batch, heads, tokens, head_dim]`.
    HeadsFirst,
}

/// Which keys a query attends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Causality {
    /// All keys.
    Bidirectional,
    /// The keys up to its own position: the last query attends to every key, each query before it to one key fewer. With
    /// more keys than queries, the first keys come from a cache.
    Causal,
}

/// The shape and the parameters of an attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionShape {
    /// Sequences.
    pub batch: usize,
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of keys and values, a divisor of `heads`; query head `h` reads `h / (heads / kv_heads)`.
    pub kv_heads: usize,
    /// Query tokens of a sequence.
    pub queries: usize,
    /// Key tokens of a sequence.
    pub keys: usize,
    /// Features of a head.
    pub head_dim: usize,
    /// The memory layout.
    pub layout: Layout,
    /// Which keys a query attends to.
    pub causality: Causality,
    /// The factor of the scores, usually `1 / sqrt(head_dim)`.
    pub scale: f32,
}

impl AttentionShape {
    /// Length of the queries and of the output.
    pub fn query_len(&self) -> usize {
        self.batch * self.heads * self.queries * self.head_dim
    }

    /// Length of the keys and of the values.
    pub fn key_len(&self) -> usize {
        self.batch * self.kv_heads * self.keys * self.head_dim
    }

    /// Length of the log sums `[batch, heads, queries]`.
    pub fn log_sums_len(&self) -> usize {
        self.batch * self.heads * self.queries
    }

    fn check(&self, q: usize, k: usize, v: usize) -> Result<(), ShapeError> {
        let Self { batch, heads, kv_heads, queries, keys, head_dim, .. } = *self;
        let remedy = "the number of query heads must be a multiple of that of key heads";
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            return Err(ShapeError::Mismatch { what: "heads", left: heads, right: kv_heads, remedy });
        }
        if self.causality == Causality::Causal && queries > keys {
            let remedy = "causal attention needs a key for each query";
            return Err(ShapeError::Mismatch {
                what: "queries and keys",
                left: queries,
                right: keys,
                remedy,
            });
        }
        check_length("queries", q, &[batch, heads, queries, head_dim])?;
        check_length("keys", k, &[batch, kv_heads, keys, head_dim])?;
        check_length("values", v, &[batch, kv_heads, keys, head_dim])
    }

    /// The number of keys that a query attends to.
    fn visible_keys(&self, query: usize) -> usize {
        match self.causality {
            Causality::Bidirectional => self.keys,
            Causality::Causal => (self.keys - self.queries + query + 1).min(self.keys),
        }
    }

    /// The offset of head `head` of sequence `batch` in a tensor of `heads` heads and `tokens` tokens, and the stride of its
    /// tokens.
    fn offset_and_stride(&self, batch: usize, head: usize, heads: usize, tokens: usize) -> (usize, usize) {
        match self.layout {
            Layout::TokensFirst => ((batch * tokens * heads + head) * self.head_dim, heads * self.head_dim),
            Layout::HeadsFirst => ((batch * heads + head) * tokens * self.head_dim, self.head_dim),
        }
    }

    /// The queries (or outputs, or their gradients) of one head, `[queries, head_dim]`.
    fn query_head<'a>(&self, data: &'a [f32], batch: usize, head: usize) -> Matrix<'a> {
        let (start, stride) = self.offset_and_stride(batch, head, self.heads, self.queries);
        Matrix::strided(&data[start.min(data.len())..], self.queries, self.head_dim, stride)
    }

    /// The keys or values of one head, `[keys, head_dim]`.
    fn key_head<'a>(&self, data: &'a [f32], batch: usize, head: usize) -> Matrix<'a> {
        let (start, stride) = self.offset_and_stride(batch, head, self.kv_heads, self.keys);
        Matrix::strided(&data[start.min(data.len())..], self.keys, self.head_dim, stride)
    }
}

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
