//! The head that makes one vector of any number of hidden states.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, assert_shape};
use vqtoken_nn::{FeedForward, LayerNorm, MultiHeadAttention, pack_layers};

use crate::vision::EncoderConfig;

/// Attention pooling: a learned query attends to the hidden states; a feed-forward block with a residual follows.
///
/// Source: Zhai et al., 2022 (Scaling Vision Transformers), the "MAP head".
#[derive(Module, Debug)]
pub(super) struct PoolingHead {
    /// The query, `[1, 1, Dv]`.
    probe: Param<Tensor<3>>,
    attention: MultiHeadAttention,
    layernorm: LayerNorm,
    mlp: FeedForward,
}

impl PoolingHead {
    /// A head for the hidden states of such an encoder.
    pub(super) fn new(config: &EncoderConfig, device: &Device) -> Self {
        let normal = Initializer::Normal { mean: 0.0, std: 0.02 };
        Self {
            probe: normal.init([1, 1, config.hidden_size], device),
            attention: config.attention(device),
            layernorm: config.norm(device),
            mlp: config.feed_forward(device),
        }
    }

    /// Each set of hidden states as one vector.
    ///
    /// # Shapes
    ///
    /// - hidden: `[sets, n, Dv]`, any `n` above 0
    /// - output: `[sets, Dv]`
    pub(super) fn forward(&self, hidden: Tensor<3>) -> Tensor<2> {
        let probe = self.probe.val();
        let ([sets, n, _], [_, _, features]) = (hidden.dims(), probe.dims());
        assert_shape!(hidden, [sets, n, features]);
        assert!(n > 0, "pooling needs at least one hidden state");
        let query = probe.expand([sets, 1, features]);
        let attended = self.attention.forward_cross(query, hidden); // [sets, 1, Dv]
        let pooled = self.mlp.forward_added(self.layernorm.forward(attended.clone()), attended); // [sets, 1, Dv]
        pooled.reshape([sets, features])
    }
}

pack_layers!(PoolingHead { attention, mlp });
