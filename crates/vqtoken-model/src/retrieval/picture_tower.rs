//! SigLIP's vision tower with all its layers, its last normalization and its pooling head.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use vqtoken_nn::{LayerNorm, pack_layers};
use vqtoken_video::Cancellation;

use super::pooling_head::PoolingHead;
use crate::config::VisionConfig;
use crate::vision::{Embeddings, Encoder};

/// Pixels to hidden states to vectors.
#[derive(Module, Debug)]
pub(super) struct PictureTower {
    embeddings: Embeddings,
    encoder: Encoder,
    post_layernorm: LayerNorm,
    head: PoolingHead,
}

impl PictureTower {
    /// A tower of this shape; parameters are initialised when they are first read.
    pub(super) fn new(config: &VisionConfig, device: &Device) -> Self {
        let encoder = config.encoder();
        Self {
            embeddings: config.embeddings(device),
            encoder: encoder.init(device),
            post_layernorm: encoder.norm(device),
            head: PoolingHead::new(&encoder, device),
        }
    }

    /// Normalized hidden states, unless `cancellation` is set meanwhile.
    ///
    /// # Shapes
    ///
    /// - pixels: `[T, 3, S, S]`
    /// - output: `[T, N, Dv]`
    pub(super) fn hidden_states(&self, cancellation: &Cancellation, pixels: Tensor<4>) -> Option<Tensor<3>> {
        let hidden = self.encoder.forward_unless(cancellation, self.embeddings.forward(pixels))?;
        Some(self.post_layernorm.forward(hidden))
    }

    /// The same from the output of the first `layers` layers, which another tower computed.
    ///
    /// # Shapes
    ///
    /// - states, output: `[T, N, Dv]`
    pub(super) fn hidden_states_after(&self, layers: usize, states: Tensor<3>) -> Tensor<3> {
        self.post_layernorm.forward(self.encoder.forward_from(layers, states))
    }

    /// Each set of normalized hidden states as one vector.
    ///
    /// # Shapes
    ///
    /// - hidden: `[sets, n, Dv]`
    /// - output: `[sets, E]`
    pub(super) fn pool(&self, hidden: Tensor<3>) -> Tensor<2> {
        self.head.forward(hidden)
    }
}

pack_layers!(PictureTower { encoder, head });
