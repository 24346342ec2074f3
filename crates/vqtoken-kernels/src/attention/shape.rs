//! The shape of an attention: sizes, layout, and which keys a query attends to.

use crate::ShapeError;
use crate::errors::check_length;
use crate::matrix::Matrix;

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

    pub(super) fn check(&self, q: usize, k: usize, v: usize) -> Result<(), ShapeError> {
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
    pub(super) fn visible_keys(&self, query: usize) -> usize {
        match self.causality {
            Causality::Bidirectional => self.keys,
            Causality::Causal => (self.keys - self.queries + query + 1).min(self.keys),
        }
    }

    /// The offset of head `head` of sequence `batch` in a tensor of `heads` heads and `tokens` tokens, and the stride of its
    /// tokens.
    pub(super) fn offset_and_stride(
        &self,
        batch: usize,
        head: usize,
        heads: usize,
        tokens: usize,
    ) -> (usize, usize) {
        match self.layout {
            Layout::TokensFirst => ((batch * tokens * heads + head) * self.head_dim, heads * self.head_dim),
            Layout::HeadsFirst => ((batch * heads + head) * tokens * self.head_dim, self.head_dim),
        }
    }

    /// The queries (or outputs, or their gradients) of one head, `[queries, head_dim]`.
    pub(super) fn query_head<'a>(&self, data: &'a [f32], batch: usize, head: usize) -> Matrix<'a> {
        let (start, stride) = self.offset_and_stride(batch, head, self.heads, self.queries);
        Matrix::strided(&data[start.min(data.len())..], self.queries, self.head_dim, stride)
    }

    /// The keys or values of one head, `[keys, head_dim]`.
    pub(super) fn key_head<'a>(&self, data: &'a [f32], batch: usize, head: usize) -> Matrix<'a> {
        let (start, stride) = self.offset_and_stride(batch, head, self.kv_heads, self.keys);
        Matrix::strided(&data[start.min(data.len())..], self.keys, self.head_dim, stride)
    }
}
