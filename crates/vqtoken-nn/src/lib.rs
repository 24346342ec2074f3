#![doc = include_str!("../README.md")]

pub mod attention;
pub mod embedding;
pub mod feed_forward;
pub mod kernel_ops;
pub mod kv_cache;
pub mod linear;
pub mod norm;
pub mod ops;
pub mod packed;
pub mod rotary;
#[cfg(test)]
mod testing;

pub use attention::{MultiHeadAttention, MultiHeadAttentionConfig};
pub use embedding::Embedding;
pub use feed_forward::{FeedForward, GatedFeedForward};
pub use kv_cache::KvCache;
pub use linear::{Linear, LinearConfig};
pub use norm::{LayerNorm, RmsNorm};
pub use ops::Activation;
pub use packed::{Pack, PackLayers, Packed, Precision};
pub use rotary::{Rotary, RotaryAngles};
