//! SigLIP's text tower: token ids to vectors.

use burn::module::Module;
use burn::tensor::{Device, Tensor, assert_shape};
use vqtoken_nn::{Embedding, EmbeddingConfig, LayerNorm, Linear, LinearConfig, pack_layers};

use crate::config::SiglipTextConfig;
use crate::vision::{Encoder, EncoderConfig};

/// Token and position embedding, layers without a mask, and a linear head on the last position.
#[derive(Module, Debug)]
pub(super) struct TextTower {
    embeddings: TextEmbeddings,
    encoder: Encoder,
    final_layer_norm: LayerNorm,
    head: Linear,
}

/// Tables of tokens and of positions.
#[derive(Module, Debug)]
pub(super) struct TextEmbeddings {
    token_embedding: Embedding,
    position_embedding: Embedding,
}

impl TextEmbeddings {
    /// Tables of this shape; parameters are initialised when they are first read.
    pub(super) fn new(config: &SiglipTextConfig, device: &Device) -> Self {
        let table = |rows| EmbeddingConfig::new(rows, config.hidden_size).init(device);
        Self { token_embedding: table(config.vocabulary), position_embedding: table(config.positions) }
    }

    /// Embeddings of texts that are padded to one length.
    ///
    /// # Shapes
    ///
    /// - ids: `[texts, length]`
    /// - output: `[texts, length, d]`
    pub(super) fn forward(&self, ids: &[u32], length: usize) -> Tensor<3> {
        let texts = ids.len() / length.max(1);
        let words = self.token_embedding.forward(ids); // [texts * length, d]
        let [_, d] = words.dims();
        assert_shape!(words, [texts * length, d]);
        let positions: Vec<u32> = (0..length as u32).collect();
        let positions = self.position_embedding.forward(&positions); // [length, d]
        words.reshape([texts, length, d]) + positions.unsqueeze() // [texts, length, d]
    }
}

impl TextTower {
    /// A tower of this shape; parameters are initialised when they are first read.
    pub(super) fn new(config: &SiglipTextConfig, device: &Device) -> Self {
        let encoder = EncoderConfig {
            hidden_size: config.hidden_size,
            intermediate_size: config.intermediate_size,
            layers: config.layers,
            heads: config.heads,
            layer_norm_epsilon: config.layer_norm_epsilon,
            activation: config.activation,
        };
        Self {
            embeddings: TextEmbeddings::new(config, device),
            encoder: encoder.init(device),
            final_layer_norm: encoder.norm(device),
            head: LinearConfig::new(config.hidden_size, config.embedding_size).init(device),
        }
    }

    /// Vectors of texts that are padded to one length. Padding is attended to, as it was in training.
    ///
    /// # Shapes
    ///
    /// - ids: `[texts, length]`
    /// - output: `[texts, E]`
    pub(super) fn forward(&self, ids: &[u32], length: usize) -> Tensor<2> {
        let hidden = self.encoder.forward(self.embeddings.forward(ids, length)); // [texts, length, d]
        let [texts, length, d] = hidden.dims();
        let last = hidden.narrow(1, length - 1, 1).reshape([texts, d]); // [texts, d]
        self.head.forward(self.final_layer_norm.forward(last)) // [texts, E]
    }
}

pack_layers!(TextTower { embeddings, encoder, head });
pack_layers!(TextEmbeddings { token_embedding });
