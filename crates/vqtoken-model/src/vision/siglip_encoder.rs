//! SigLIP's transformer layers, which its vision tower and its text tower share.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use vqtoken_nn::{
    Activation, FeedForward, FeedForwardConfig, LayerNorm, LayerNormConfig, MultiHeadAttention,
    MultiHeadAttentionConfig, pack_layers,
};
use vqtoken_video::Cancellation;

/// The shape of an [`Encoder`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderConfig {
    /// Features of a token.
    pub(crate) hidden_size: usize,
    /// Inner features of the feed-forward blocks.
    pub(crate) intermediate_size: usize,
    /// Layers.
    pub(crate) layers: usize,
    /// Attention heads.
    pub(crate) heads: usize,
    /// Of the layer norms.
    pub(crate) layer_norm_epsilon: f64,
    /// Of the feed-forward blocks.
    pub(crate) activation: Activation,
}

impl EncoderConfig {
    /// Layers of this shape; parameters are initialised when they are first read.
    pub(crate) fn init(&self, device: &Device) -> Encoder {
        Encoder { layers: (0..self.layers).map(|_| EncoderLayer::new(self, device)).collect() }
    }

    /// A layer norm as the layers have it.
    pub(crate) fn norm(&self, device: &Device) -> LayerNorm {
        LayerNormConfig::new(self.hidden_size).with_epsilon(self.layer_norm_epsilon).init(device)
    }

    /// Self-attention as the layers have it.
    pub(crate) fn attention(&self, device: &Device) -> MultiHeadAttention {
        MultiHeadAttentionConfig::new(self.hidden_size, self.heads).init(device)
    }

    /// A feed-forward block as the layers have it.
    pub(crate) fn feed_forward(&self, device: &Device) -> FeedForward {
        let config = FeedForwardConfig {
            d_input: self.hidden_size,
            d_inner: self.intermediate_size,
            d_output: self.hidden_size,
            activation: self.activation,
        };
        config.init(device)
    }
}

/// Pre-norm transformer layers in which every token attends to every token.
#[derive(Module, Debug)]
pub(crate) struct Encoder {
    layers: Vec<EncoderLayer>,
}

impl Encoder {
    /// All layers.
    ///
    /// # Shapes
    ///
    /// - x, output: `[batch, n, hidden_size]`
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.forward_from(0, x)
    }

    /// The layers from `first` on, whose input is the output of the layer before.
    ///
    /// # Shapes
    ///
    /// - x, output: `[batch, n, hidden_size]`
    pub(crate) fn forward_from(&self, first: usize, x: Tensor<3>) -> Tensor<3> {
        self.layers[first..].iter().fold(x, |hidden, layer| layer.forward(hidden))
    }

    /// [`Self::forward`], given up within a layer's time once `cancellation` is set.
    ///
    /// # Shapes
    ///
    /// - x, output: `[batch, n, hidden_size]`
    pub(crate) fn forward_unless(&self, cancellation: &Cancellation, x: Tensor<3>) -> Option<Tensor<3>> {
        let mut hidden = x;
        for layer in &self.layers {
            if cancellation.is_cancelled() {
                return None;
            }
            hidden = layer.attend(hidden);
            if cancellation.is_cancelled() {
                return None;
            }
            hidden = layer.feed_forward(hidden);
        }
        Some(hidden)
    }
}

/// A pre-norm transformer layer.
#[derive(Module, Debug)]
struct EncoderLayer {
    layer_norm1: LayerNorm,
    self_attn: MultiHeadAttention,
    layer_norm2: LayerNorm,
    mlp: FeedForward,
}

impl EncoderLayer {
    fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self {
            layer_norm1: config.norm(device),
            self_attn: config.attention(device),
            layer_norm2: config.norm(device),
            mlp: config.feed_forward(device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.feed_forward(self.attend(x))
    }

    fn attend(&self, x: Tensor<3>) -> Tensor<3> {
        self.self_attn.forward_added(self.layer_norm1.forward(x.clone()), x)
    }

    fn feed_forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.mlp.forward_added(self.layer_norm2.forward(x.clone()), x)
    }
}

pack_layers!(Encoder { layers });
pack_layers!(EncoderLayer { self_attn, mlp });
