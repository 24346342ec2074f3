//! The VQ-attention of the published weights (`model.cross_attention.*`).

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, assert_shape};
use vqtoken_core::IndexMap;
use vqtoken_nn::{
    Activation, FeedForward, FeedForwardConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    MultiHeadAttention, MultiHeadAttentionConfig,
};

use super::AttentionError;

/// Of torch's `TransformerDecoderLayer`.
const LAYER_NORM_EPSILON: f64 = 1e-5;

/// Configuration of a [`ReleasedVqAttention`].
#[derive(Config, Debug)]
pub struct ReleasedVqAttentionConfig {
    /// Features of a code (D).
    pub d_model: usize,
    /// Attention heads, a divisor of `d_model`.
    pub heads: usize,
    /// Patches of a frame (N), the length of an index map's row.
    pub patches: usize,
    /// Inner features of the feed-forward block.
    pub feed_forward: usize,
}

/// Rows of the index map query the codebook through one post-norm transformer decoder layer.
///
/// A row holds the ids of a frame's codes as numbers, so the result depends on how the codes are numbered.
#[derive(Module, Debug)]
pub struct ReleasedVqAttention {
    to_q_proj: Linear,
    self_attn: MultiHeadAttention,
    norm1: LayerNorm,
    multihead_attn: MultiHeadAttention,
    norm2: LayerNorm,
    feed_forward: FeedForward,
    norm3: LayerNorm,
}

impl ReleasedVqAttentionConfig {
    /// A module with parameters drawn when they are first read.
    pub fn init(&self, device: &Device) -> ReleasedVqAttention {
        let Self { d_model, heads, patches, feed_forward } = *self;
        let attention = || MultiHeadAttentionConfig::new(d_model, heads).init(device);
        let norm = || LayerNormConfig::new(d_model).with_epsilon(LAYER_NORM_EPSILON).init(device);
        let feed_forward = FeedForwardConfig {
            d_input: d_model,
            d_inner: feed_forward,
            d_output: d_model,
            activation: Activation::Relu,
        };
        ReleasedVqAttention {
            to_q_proj: LinearConfig::new(patches, d_model).init(device),
            self_attn: attention(),
            norm1: norm(),
            multihead_attn: attention(),
            norm2: norm(),
            feed_forward: feed_forward.init(device),
            norm3: norm(),
        }
    }
}

impl ReleasedVqAttention {
    /// # Shapes
    ///
    /// - codebook: `[K, D]`
    /// - index_map: `[T, H, W]`, over any number of codes
    /// - output: `[max(T, K), D]`; the shorter of frames and codes is repeated up to the longer
    ///
    /// # Errors
    ///
    /// If the map's frames have another number of cells than the module was made for.
    pub fn forward(&self, codebook: Tensor<2>, index_map: &IndexMap) -> Result<Tensor<2>, AttentionError> {
        let [d_model, expected] = self.to_q_proj.weight.dims();
        let shape = index_map.shape();
        let (frames, [codes, _]) = (shape.frames, codebook.dims());
        assert_shape!(codebook, [codes, d_model]);
        let found = shape.tokens_per_frame();
        if found != expected {
            return Err(AttentionError::Patches { expected, found });
        }
        let ids = index_map.labels().iter().map(|&id| id as f32).collect();
        let rows =
            Tensor::<2>::from_data(TensorData::new::<f32, _>(ids, [frames, found]), &codebook.device());
        let count = frames.max(codes);
        let target = tiled(self.to_q_proj.forward(rows), count).unsqueeze::<3>(); // [1, count, D]
        let memory = tiled(codebook, count).unsqueeze::<3>(); // [1, count, D]

        let x = self.norm1.forward(target.clone() + self.self_attn.forward(target)); // [1, count, D]
        let x = self.norm2.forward(x.clone() + self.multihead_attn.forward_cross(x, memory)); // [1, count, D]
        let x = self.norm3.forward(x.clone() + self.feed_forward.forward(x)); // [1, count, D]
        Ok(x.squeeze_dim(0))
    }
}

/// Repeats the rows of `x` until there are `count`, and cuts what is over.
fn tiled(x: Tensor<2>, count: usize) -> Tensor<2> {
    let [rows, columns] = x.dims();
    if rows == count {
        return x;
    }
    x.repeat_dim(0, count.div_ceil(rows)).slice([0..count, 0..columns])
}
