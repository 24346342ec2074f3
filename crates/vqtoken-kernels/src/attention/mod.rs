//! Attention without materialised scores: softmax goes along block by block, forward and backward.
//!
//! Forward, everything stands transposed: a block of queries lies across the lanes of vectors, and scores, their
//! exponentials and the output are columns below it. So softmax needs no sums across lanes, and exponentials are already
//! packed for the product with the values. Backward, keys lie across the lanes, and no softmax is left to do.
//!
//! Source: Dao et al., FlashAttention (arXiv 2205.14135); Milakov and Gimelshein, Online normalizer calculation for
//! softmax (arXiv 1805.02867).

mod backward;
mod forward;
mod head_gradients;
mod single;
mod tiles;

pub use backward::{AttentionForward, AttentionGradients};

use crate::errors::{check_equal, check_length};
use crate::matrix::Matrix;
use crate::{Kernels, ShapeError};

/// How queries, keys, values and outputs lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[batch, tokens, heads, head_dim]`, as a linear layer leaves them.
    TokensFirst,
    /// `[batch, heads, tokens, head_dim]`.
    HeadsFirst,
}

/// Sizes of an attention.
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
    /// Numbers of a head.
    pub head_dim: usize,
    /// How they lie.
    pub layout: Layout,
    /// `Some(offset)`: query `i` sees keys `0..=i + offset`, where `offset` is how many tokens stood in the cache before
    /// the first query. `None`: each sees all.
    pub causal: Option<usize>,
    /// What scores are multiplied by, usually `1 / sqrt(head_dim)`.
    pub scale: f32,
}

impl AttentionShape {
    /// Numbers of the queries, and of the output.
    pub fn query_len(&self) -> usize {
        self.batch * self.heads * self.queries * self.head_dim
    }

    /// Numbers of the keys, and of the values.
    pub fn key_len(&self) -> usize {
        self.batch * self.kv_heads * self.keys * self.head_dim
    }

    /// Numbers of the logarithms `[batch, heads, queries]`.
    pub fn log_sums_len(&self) -> usize {
        self.batch * self.heads * self.queries
    }

    fn check(&self, q: usize, k: usize, v: usize) -> Result<(), ShapeError> {
        let Self { batch, heads, kv_heads, queries, keys, head_dim, .. } = *self;
        let remedy = "query heads must be a multiple of key heads";
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            return Err(ShapeError::Mismatch { what: "heads", left: heads, right: kv_heads, remedy });
        }
        if let Some(offset) = self.causal {
            check_equal(
                "queries and offset against keys",
                queries + offset,
                keys,
                "offset = keys - queries",
            )?;
        }
        check_length("queries", q, &[batch, heads, queries, head_dim])?;
        check_length("keys", k, &[batch, kv_heads, keys, head_dim])?;
        check_length("values", v, &[batch, kv_heads, keys, head_dim])
    }

    /// How many keys a query sees.
    fn visible(&self, query: usize) -> usize {
        self.causal.map_or(self.keys, |offset| (query + offset + 1).min(self.keys))
    }

    /// Where head `head` of sequence `batch` starts among `heads` heads of `tokens` tokens, and how far its tokens are
    /// apart.
    fn place(&self, batch: usize, head: usize, heads: usize, tokens: usize) -> (usize, usize) {
        match self.layout {
            Layout::TokensFirst => ((batch * tokens * heads + head) * self.head_dim, heads * self.head_dim),
            Layout::HeadsFirst => ((batch * heads + head) * tokens * self.head_dim, self.head_dim),
        }
    }

    /// The queries (or outputs, or their gradients) of one head, `[queries, head_dim]`.
    fn query_head<'a>(&self, data: &'a [f32], batch: usize, head: usize) -> Matrix<'a> {
        let (start, stride) = self.place(batch, head, self.heads, self.queries);
        Matrix::strided(&data[start.min(data.len())..], self.queries, self.head_dim, stride)
    }

    /// The keys or values of one head, `[keys, head_dim]`.
    fn key_head<'a>(&self, data: &'a [f32], batch: usize, head: usize) -> Matrix<'a> {
        let (start, stride) = self.place(batch, head, self.kv_heads, self.keys);
        Matrix::strided(&data[start.min(data.len())..], self.keys, self.head_dim, stride)
    }
}

impl Kernels {
    /// `out = softmax(scale q k^T) v`, shaped like `q`; `out` may hold anything before.
    ///
    /// `log_sums` `[batch, heads, queries]`, where asked for, takes the logarithm of each query's sum of exponentials,
    /// which [`Kernels::attention_backward`] needs. A query that sees no key comes out as NaN.
    ///
    /// # Errors
    /// Lengths do not fit the shape.
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
            single::attend_single(self, shape, (q, k, v), out);
        } else {
            forward::attend(self, shape, (q, k, v), out, log_sums);
        }
        Ok(())
    }
}
