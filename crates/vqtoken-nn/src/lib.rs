#![doc = include_str!("../README.md")]

mod attention;
mod embedding;
mod feed_forward;
mod kernel_ops;
mod kv_cache;
mod linear;
mod norm;
pub mod ops;
mod packed;
mod rotary;
#[cfg(test)]
mod testing;
mod thread_pool;

pub use attention::{MultiHeadAttention, MultiHeadAttentionConfig};
pub use embedding::{Embedding, EmbeddingConfig};
pub use feed_forward::{FeedForward, FeedForwardConfig, GatedFeedForward, GatedFeedForwardConfig};
pub use kv_cache::KvCache;
pub use linear::{Linear, LinearConfig};
pub use norm::{LayerNorm, LayerNormConfig, RmsNorm, RmsNormConfig};
pub use packed::{Pack, PackLayers, Packed, Precision, PrecisionError, Wanted};
pub use rotary::{Rotary, RotaryAngles, RotaryConfig};
pub use thread_pool::in_thread_pool;
pub use vqtoken_kernels::{Activation, Causality};
