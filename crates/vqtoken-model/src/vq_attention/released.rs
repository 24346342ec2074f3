//! The VQ-attention of the published weights (`model.cross_attention.*`).

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::IndexMap;
use vqtoken_nn::{
    Activation, FeedForward, LayerNorm, Linear, LinearConfig, MultiHeadAttention, MultiHeadAttentionConfig,
};

use crate::error::ModelError;

/// Of torch's `TransformerDecoderLayer`.
const LAYER_NORM_EPSILON: f64 = 1e-5;

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

impl ReleasedVqAttention {
    /// A module for codes of `d` features and frames of `patches` cells.
    pub fn new(d: usize, heads: usize, patches: usize, feed_forward: usize, device: &Device) -> Self {
        let attention = || MultiHeadAttentionConfig::even(d, heads).init(device);
        let norm = || LayerNorm::new(d, LAYER_NORM_EPSILON, device);
        Self {
            to_q_proj: LinearConfig::new(patches, d).init(device),
            self_attn: attention(),
            norm1: norm(),
            multihead_attn: attention(),
            norm2: norm(),
            feed_forward: FeedForward::new([d, feed_forward, d], Activation::Relu, device),
            norm3: norm(),
        }
    }

    /// # Shapes
    ///
    /// - codebook: `[K, D]`
    /// - index_map: `[T, H, W]`
    /// - output: `[max(T, K), D]`; the shorter of frames and codes is repeated up to the longer
    ///
    /// # Errors
    ///
    /// If the map's frames have another number of cells than the module was made for.
    pub fn forward(&self, codebook: Tensor<2>, index_map: &IndexMap) -> Result<Tensor<2>, ModelError> {
        let shape = index_map.shape();
        let (frames, patches) = (shape.frames, shape.height * shape.width);
        let [_, expected] = self.to_q_proj.weight.dims();
        if patches != expected {
            return Err(ModelError::AttentionInput(format!(
                "this checkpoint's VQ-attention reads frames of {expected} patches, the video tokens have {patches}: \
                 encode the video with this model"
            )));
        }
        let ids = index_map.labels().iter().map(|&id| id as f32).collect();
        let rows = Tensor::from_data(TensorData::new::<f32, _>(ids, [frames, patches]), &codebook.device());
        let count = frames.max(codebook.dims()[0]);
        let target = self.to_q_proj.forward(tiled(rows, count)).unsqueeze::<3>();
        let memory = tiled(codebook, count).unsqueeze::<3>();

        let x = self.norm1.forward(target.clone() + self.self_attn.forward(target));
        let x = self.norm2.forward(x.clone() + self.multihead_attn.forward_cross(x, memory));
        let x = self.norm3.forward(x.clone() + self.feed_forward.forward(x));
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
