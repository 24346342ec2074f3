//! VQ-attention: writes when and where each code occurs into the codes.
//!
//! Three kinds exist, and a checkpoint says which one it holds.

mod code_reader;
mod error;
mod hash;
mod paper;
mod path_features;
mod released;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use vqtoken_core::IndexMap;

pub use code_reader::CodeReader;
pub use error::AttentionError;
pub use hash::{HashVqAttention, HashVqAttentionConfig};
pub use paper::{PaperVqAttention, PaperVqAttentionConfig};
pub use released::{ReleasedVqAttention, ReleasedVqAttentionConfig};

use crate::config::VqAttentionConfig;

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

impl VqAttentionConfig {
    /// A module of this kind for codes of `d_model` features; parameters are drawn when they are first read.
    pub fn init(&self, d_model: usize, device: &Device) -> VqAttention {
        match *self {
            Self::Released { heads, patches, feed_forward } => VqAttention::Released(
                ReleasedVqAttentionConfig { d_model, heads, patches, feed_forward }.init(device),
            ),
            Self::Paper { positions } => {
                VqAttention::Paper(PaperVqAttentionConfig { d_model, positions }.init(device))
            }
            Self::Hash { heads, frequencies, bins, feed_forward } => VqAttention::Hash(
                HashVqAttentionConfig { d_model, heads, frequencies, bins, feed_forward }.init(device),
            ),
        }
    }
}

impl VqAttention {
    /// How many visual tokens [`Self::forward`] makes of `codes` codes over `frames` frames.
    pub fn visual_tokens(&self, codes: usize, frames: usize) -> usize {
        match self {
            Self::Released(_) => codes.max(frames),
            Self::Paper(_) | Self::Hash(_) => codes,
        }
    }

    /// Visual tokens of the codes.
    ///
    /// # Shapes
    ///
    /// - codebook: `[K, D]`
    /// - index_map: `[T, H, W]` over K codes
    /// - output: `[max(T, K), D]` for the released kind, `[K, D]` for the others
    ///
    /// # Errors
    ///
    /// If codebook and index map have different numbers of codes, which only the released kind can read. That one and the paper's
    /// were made for one size of the index map and refuse any other.
    pub fn forward(&self, codebook: Tensor<2>, index_map: &IndexMap) -> Result<Tensor<2>, AttentionError> {
        let [codes, _] = codebook.dims();
        match self {
            Self::Released(module) => module.forward(codebook, index_map),
            Self::Paper(module) => {
                check_codes(codes, index_map)?;
                module.forward(codebook, index_map)
            }
            Self::Hash(module) => {
                check_codes(codes, index_map)?;
                Ok(module.forward(codebook, index_map))
            }
        }
    }

    /// Visual tokens of the codes of several clips, all with as many codes and index maps of one shape.
    ///
    /// # Shapes
    ///
    /// - codebooks: `[clips, K, D]`
    /// - index_maps: `[clips]` of `[T, H, W]` over K codes
    /// - output: `[clips, M, D]`
    ///
    /// # Errors
    ///
    /// As [`Self::forward`].
    ///
    /// # Panics
    ///
    /// Panics if there is not one map for each codebook, or maps differ in shape.
    pub fn forward_batch(
        &self,
        codebooks: Tensor<3>,
        index_maps: &[IndexMap],
    ) -> Result<Tensor<3>, AttentionError> {
        let [clips, codes, d] = codebooks.dims();
        assert_eq!(clips, index_maps.len(), "VQ-attention: codebooks against index maps");
        if let Self::Hash(module) = self {
            index_maps.iter().try_for_each(|map| check_codes(codes, map))?;
            return Ok(module.forward_batch(codebooks, index_maps));
        }
        let one = |clip: usize| codebooks.clone().slice([clip..clip + 1, 0..codes, 0..d]).squeeze_dim(0);
        let all = (0..clips).map(|clip| self.forward(one(clip), &index_maps[clip]));
        Ok(Tensor::stack(all.collect::<Result<Vec<Tensor<2>>, AttentionError>>()?, 0))
    }
}

fn check_codes(codebook: usize, index_map: &IndexMap) -> Result<(), AttentionError> {
    match index_map.codes() {
        codes if codes == codebook => Ok(()),
        index_map => Err(AttentionError::Codes { codebook, index_map }),
    }
}
