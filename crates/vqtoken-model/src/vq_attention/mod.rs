//! VQ-attention: writes when and where each code occurs into the codes.
//!
//! Three kinds exist, and a checkpoint says which one it holds.

mod hash;
mod occupancy;
mod paper;
mod path_features;
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

    /// Visual tokens of the codes of several clips, all with as many codes and index maps of one shape.
    ///
    /// # Shapes
    ///
    /// - codebooks: `[clips, K, D]`
    /// - index_maps: `[clips]` of `[T, H, W]`
    /// - output: `[clips, M, D]`
    ///
    /// # Errors
    ///
    /// As [`Self::forward`].
    pub fn forward_batch(
        &self,
        codebooks: Tensor<3>,
        index_maps: &[IndexMap],
    ) -> Result<Tensor<3>, ModelError> {
        if let Self::Hash(module) = self {
            return Ok(module.forward_batch(codebooks, index_maps));
        }
        let [clips, codes, d] = codebooks.dims();
        let one = |clip: usize| codebooks.clone().slice([clip..clip + 1, 0..codes, 0..d]).squeeze_dim(0);
        let all = (0..clips).map(|clip| self.forward(one(clip), &index_maps[clip]));
        Ok(Tensor::stack(all.collect::<Result<Vec<Tensor<2>>, ModelError>>()?, 0))
    }
}
