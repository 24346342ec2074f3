//! VQ-attention: writes when and where each code occurs into the codes.
//!
//! Three kinds exist, and a checkpoint says which one it holds.

mod hash;
mod paper;
mod released;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use vqtoken_core::IndexMap;

pub use hash::HashVqAttention;
pub use paper::PaperVqAttention;
pub use released::ReleasedVqAttention;

use crate::config::VqAttentionConfig;
use crate::error::ModelError;

/// One of the three kinds.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "a model holds one of these")]
pub enum VqAttention {
    /// Of the published weights.
    Released(ReleasedVqAttention),
    /// Of the paper's equations.
    Paper(PaperVqAttention),
    /// Over the positions of the token hash.
    Hash(HashVqAttention),
}

impl VqAttention {
    /// A module of the given kind for codes of `d` features; parameters are drawn when they are first read.
    pub fn new(config: &VqAttentionConfig, d: usize, device: &Device) -> Self {
        match *config {
            VqAttentionConfig::Released { heads, patches, feed_forward } => {
                Self::Released(ReleasedVqAttention::new(d, heads, patches, feed_forward, device))
            }
            VqAttentionConfig::Paper { positions } => {
                Self::Paper(PaperVqAttention::new(d, positions, device))
            }
            VqAttentionConfig::Hash { heads, frequencies, bins, feed_forward } => {
                Self::Hash(HashVqAttention::new(d, heads, frequencies, bins, feed_forward, device))
            }
        }
    }

    /// Visual tokens of the codes.
    ///
    /// # Shapes
    ///
    /// - codebook: `[K, D]`
    /// - index_map: `[T, H, W]`
    /// - output: `[max(T, K), D]` for the released kind, `[K, D]` for the others
    ///
    /// # Errors
    ///
    /// The released and the paper's kind were made for one size of the index map and refuse any other.
    pub fn forward(&self, codebook: Tensor<2>, index_map: &IndexMap) -> Result<Tensor<2>, ModelError> {
        match self {
            Self::Released(module) => module.forward(codebook, index_map),
            Self::Paper(module) => module.forward(codebook, index_map),
            Self::Hash(module) => Ok(module.forward(codebook, index_map)),
        }
    }
}
