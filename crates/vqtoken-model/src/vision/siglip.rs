//! SigLIP's vision tower: pixels to hidden states.
//!
//! Source: Zhai et al., 2023 (SigLIP); Dosovitskiy et al., 2021 (ViT). LLaVA-OneVision takes the hidden states
//! without the tower's last normalization and pooling head.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, assert_shape};
use vqtoken_nn::{Embedding, EmbeddingConfig, ops, pack_layers};
use vqtoken_video::Cancellation;

use super::siglip_encoder::{Encoder, EncoderConfig};
use crate::config::VisionConfig;

/// SigLIP without its last normalization and head.
#[derive(Module, Debug)]
pub struct VisionTower {
    embeddings: Embeddings,
    encoder: Encoder,
}

/// Patches and their positions, the input of the first layer.
#[derive(Module, Debug)]
pub(crate) struct Embeddings {
    patch_embedding: PatchEmbedding,
    position_embedding: Embedding,
}

impl VisionConfig {
    /// A tower of this shape; parameters are initialised when they are first read.
    pub fn init(&self, device: &Device) -> VisionTower {
        VisionTower { embeddings: self.embeddings(device), encoder: self.encoder().init(device) }
    }

    pub(crate) fn embeddings(&self, device: &Device) -> Embeddings {
        let side = self.grid_side();
        Embeddings {
            patch_embedding: PatchEmbedding::new(self, device),
            position_embedding: EmbeddingConfig::new(side * side, self.hidden_size).init(device),
        }
    }

    pub(crate) fn encoder(&self) -> EncoderConfig {
        EncoderConfig {
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            layers: self.layers,
            heads: self.heads,
            layer_norm_epsilon: self.layer_norm_epsilon,
            activation: self.activation,
        }
    }
}

impl Embeddings {
    /// # Shapes
    ///
    /// - pixels: `[T, 3, S, S]`
    /// - output: `[T, N, Dv]`, `N` patches in rows from the top left
    pub(crate) fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let patches = self.patch_embedding.forward(pixels); // [T, N, Dv]
        let [_, count, hidden] = patches.dims();
        let positions = self.position_embedding.weight.val();
        assert_shape!(positions, [count, hidden]);
        patches + positions.unsqueeze() // [T, N, Dv]
    }
}

impl VisionTower {
    /// Hidden states of the last layer.
    ///
    /// # Shapes
    ///
    /// - pixels: `[T, 3, S, S]`
    /// - output: `[T, N, Dv]`, `N` patches in rows from the top left
    pub fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.encoder.forward(self.embeddings.forward(pixels))
    }

    /// [`Self::forward`], given up within a layer's time once `cancellation` is set.
    ///
    /// # Shapes
    ///
    /// - pixels: `[T, 3, S, S]`
    /// - output: `[T, N, Dv]`
    pub fn forward_unless(&self, cancellation: &Cancellation, pixels: Tensor<4>) -> Option<Tensor<3>> {
        self.encoder.forward_unless(cancellation, self.embeddings.forward(pixels))
    }

    /// Hidden states of square windows of pictures, whose patches know where in the whole picture they are: a coarser grid
    /// to train on.
    ///
    /// # Shapes
    ///
    /// - pixels: `[T, 3, s, s]`, one window each
    /// - corners: row and column of each window's first patch in the whole grid, `[T]`
    /// - output: `[T, n, Dv]`, a window's patches in rows from its top left
    ///
    /// # Panics
    ///
    /// Panics if a window reaches out of the grid, or there is not one corner for each.
    pub fn forward_windows(&self, pixels: Tensor<4>, corners: &[[usize; 2]]) -> Tensor<3> {
        let patches = self.embeddings.patch_embedding.forward(pixels);
        let [windows, count, hidden] = patches.dims();
        let [positions, _] = self.embeddings.position_embedding.weight.dims();
        let (window, side) = (count.isqrt(), positions.isqrt());
        assert_eq!(windows, corners.len(), "windows against corners");
        let rows = corners.iter().flat_map(|&[top, left]| {
            assert!(
                top.max(left) + window <= side,
                "a window of {window} patches at {top}, {left} of {side}"
            );
            (0..count).map(move |patch| ((top + patch / window) * side + left + patch % window) as u32)
        });
        let positions = self.embeddings.position_embedding.forward(&rows.collect::<Vec<_>>());
        self.encoder.forward(patches + positions.reshape([windows, count, hidden]))
    }
}

/// A linear map of every patch: a convolution whose stride is its width.
#[derive(Module, Debug)]
struct PatchEmbedding {
    /// `[Dv, 3, P, P]`, as the checkpoints have it.
    weight: Param<Tensor<4>>,
    /// `[Dv]`
    bias: Param<Tensor<1>>,
}

impl PatchEmbedding {
    fn new(config: &VisionConfig, device: &Device) -> Self {
        let (patch, hidden) = (config.patch_size, config.hidden_size);
        let fan_in = (3 * patch * patch) as f64;
        let uniform = Initializer::Uniform { min: -fan_in.sqrt().recip(), max: fan_in.sqrt().recip() };
        Self {
            weight: uniform.init([hidden, 3, patch, patch], device),
            bias: Initializer::Zeros.init([hidden], device),
        }
    }

    /// `[T, 3, S, S]` to `[T, N, Dv]`; pixels right of and below the last whole patch are left out.
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let weight = self.weight.val();
        let [hidden, channels, patch, _] = weight.dims();
        let [frames, _, size, _] = pixels.dims();
        assert_shape!(pixels, [frames, channels, size, size]);
        let patches = ops::patches(pixels, patch); // [T, N, 3 P P]
        ops::linear(patches, weight.reshape([hidden, channels * patch * patch]), Some(self.bias.val()))
    }
}

pack_layers!(VisionTower { encoder });
