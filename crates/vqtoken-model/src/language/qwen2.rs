//! Qwen2: embeddings in, logits out, with a cache of keys and values.
//!
//! Source: Yang et al., 2024 (Qwen2).

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use vqtoken_nn::{
    Embedding, EmbeddingConfig, GatedFeedForward, GatedFeedForwardConfig, KvCache, Linear, LinearConfig,
    MultiHeadAttention, MultiHeadAttentionConfig, RmsNorm, RmsNormConfig, Rotary, RotaryAngles, RotaryConfig,
    pack_layers,
};

use crate::config::TextConfig;

/// The transformer from embeddings to the last hidden state.
#[derive(Module, Debug)]
pub struct LanguageModel {
    embed_tokens: Embedding,
    layers: Vec<DecoderLayer>,
    norm: RmsNorm,
    #[module(skip)]
    rotary: Rotary,
}

/// Keys and values of the tokens read so far, one cache per layer.
#[derive(Clone, Debug)]
pub struct LanguageCache {
    layers: Vec<KvCache>,
    /// Position of the next token. Positions that were skipped count, though nothing is kept of them.
    position: usize,
}

impl LanguageCache {
    /// A cache of the texts of these indices, in this order and as often as they are named: each can be continued on its own.
    pub fn select(&self, texts: &[usize]) -> Self {
        let layers = self.layers.iter().map(|layer| layer.select(texts)).collect();
        Self { layers, position: self.position }
    }

    /// The position of the token that is read next.
    pub fn position(&self) -> usize {
        self.position
    }

    /// A cache of the first `tokens` of a single text, after which the next token has this position.
    #[must_use]
    pub fn truncated(&self, tokens: usize, position: usize) -> Self {
        Self { layers: self.layers.iter().map(|layer| layer.truncated(tokens)).collect(), position }
    }

    /// Bytes of keys and values, spare room not counted.
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(KvCache::bytes).sum()
    }

    /// Whether nothing has been read.
    pub fn is_empty(&self) -> bool {
        self.layers.first().is_none_or(KvCache::is_empty)
    }
}

impl TextConfig {
    /// A language model of this shape; parameters are initialised when they are first read.
    pub fn init(&self, device: &Device) -> LanguageModel {
        LanguageModel {
            embed_tokens: EmbeddingConfig::new(self.vocabulary, self.hidden_size).init(device),
            layers: (0..self.layers).map(|_| DecoderLayer::new(self, device)).collect(),
            norm: rms_norm(self, device),
            rotary: RotaryConfig::new(self.head_dim).with_theta(self.rope_theta).init(),
        }
    }
}

impl LanguageModel {
    /// An empty cache for this model.
    pub fn new_cache(&self) -> LanguageCache {
        LanguageCache { layers: vec![KvCache::default(); self.layers.len()], position: 0 }
    }

    /// Embeddings of tokens, `[n, D]`.
    ///
    /// # Panics
    ///
    /// Panics if an id is not in the vocabulary.
    pub fn embed(&self, ids: &[u32]) -> Tensor<2> {
        self.embed_tokens.forward(ids)
    }

    /// Reads the next positions and returns their normalized hidden states.
    ///
    /// # Shapes
    ///
    /// - embeddings, output: `[n, D]`
    pub fn forward(&self, embeddings: Tensor<2>, cache: &mut LanguageCache) -> Tensor<2> {
        self.forward_batch(embeddings.unsqueeze::<3>(), cache).squeeze_dim(0)
    }

    /// Reads the next positions of several texts at once and returns their normalized hidden states. All have the same
    /// length: padding after a shorter one changes nothing before it.
    ///
    /// # Shapes
    ///
    /// - embeddings, output: `[batch, n, D]`
    pub fn forward_batch(&self, embeddings: Tensor<3>, cache: &mut LanguageCache) -> Tensor<3> {
        let [_, count, _] = embeddings.dims();
        let positions: Vec<usize> = (cache.position..cache.position + count).collect();
        self.forward_at(embeddings, &positions, cache)
    }

    /// [`Self::forward_batch`] at given positions, of which some may be skipped. What is read next follows the last of them.
    ///
    /// # Shapes
    ///
    /// - embeddings, output: `[batch, n, D]`
    /// - positions: `[n]`, ascending, or those of one text after the other, `[batch * n]`
    pub fn forward_at(
        &self,
        embeddings: Tensor<3>,
        positions: &[usize],
        cache: &mut LanguageCache,
    ) -> Tensor<3> {
        self.norm.forward(self.through_layers(embeddings, positions, cache, |_| ()))
    }

    /// Reads texts at given positions, as [`Self::forward_at`], and returns the input of each layer and the output of the last,
    /// not normalized.
    ///
    /// # Shapes
    ///
    /// - embeddings: `[batch, n, D]`
    /// - positions: `[n]` or `[batch * n]`
    /// - output: `[layers + 1]` of `[batch, n, D]`
    pub fn states(
        &self,
        embeddings: Tensor<3>,
        positions: &[usize],
        cache: &mut LanguageCache,
    ) -> Vec<Tensor<3>> {
        let mut states = Vec::with_capacity(self.layers.len() + 1);
        let last = self.through_layers(embeddings, positions, cache, |input| states.push(input.clone()));
        states.push(last);
        states
    }

    /// Reads the next token of each of several texts and returns their normalized hidden states. What comes out for a text does
    /// not depend on the others.
    ///
    /// # Shapes
    ///
    /// - embeddings, output: `[texts, 1, D]`
    /// - caches: `[texts]`, of one text each
    pub fn forward_step(&self, embeddings: Tensor<3>, caches: &mut [&mut LanguageCache]) -> Tensor<3> {
        let positions: Vec<usize> = caches.iter().map(|cache| cache.position).collect();
        let angles = self.rotary.angles(&positions);
        let mut x = embeddings;
        for (index, layer) in self.layers.iter().enumerate() {
            let mut caches: Vec<_> = caches.iter_mut().map(|cache| &mut cache.layers[index]).collect();
            x = layer.forward_step(x, &angles, &mut caches);
        }
        caches.iter_mut().for_each(|cache| cache.position += 1);
        self.norm.forward(x)
    }

    /// Reads the next positions of several texts, one text after the other, and returns their normalized hidden states. A text may go on
    /// for several parts, which come out as if they were read one after the other. Given up between two layers once `is_wanted` says no;
    /// the caches are of no use then.
    ///
    /// # Shapes
    ///
    /// - embeddings, output: `[n, D]`
    /// - positions: `[texts]` of `[parts]`, those of each part, ascending, some skipped perhaps; `n` in all
    /// - caches: `[texts]`, of one text each
    pub fn forward_texts(
        &self,
        embeddings: Tensor<2>,
        positions: &[Vec<&[usize]>],
        caches: &mut [&mut LanguageCache],
        is_wanted: impl Fn() -> bool,
    ) -> Option<Tensor<2>> {
        let angles = self.rotary.angles(&positions.concat().concat());
        let counts: Vec<Vec<usize>> =
            positions.iter().map(|parts| parts.iter().map(|part| part.len()).collect()).collect();
        for (cache, parts) in caches.iter_mut().zip(positions) {
            let last = parts.iter().rev().find_map(|part| part.last());
            cache.position = last.map_or(cache.position, |last| last + 1);
        }
        let mut x = embeddings.unsqueeze::<3>(); // [1, n, D]
        for (index, layer) in self.layers.iter().enumerate() {
            if !is_wanted() {
                return None;
            }
            let mut caches: Vec<_> = caches.iter_mut().map(|cache| &mut cache.layers[index]).collect();
            x = layer.forward_texts(x, &angles, &counts, &mut caches);
        }
        Some(self.norm.forward(x).squeeze_dim(0))
    }

    /// Runs all layers; `observe` is called with the input of each.
    fn through_layers(
        &self,
        embeddings: Tensor<3>,
        positions: &[usize],
        cache: &mut LanguageCache,
        mut observe: impl FnMut(&Tensor<3>),
    ) -> Tensor<3> {
        let angles = self.rotary.angles(positions);
        cache.position = positions.last().map_or(cache.position, |last| last + 1);
        self.layers.iter().zip(&mut cache.layers).fold(embeddings, |x, (layer, cache)| {
            observe(&x);
            layer.forward(x, &angles, cache)
        })
    }

    /// Logits of hidden states through the embedding table, for models that tie the two.
    ///
    /// # Shapes
    ///
    /// - hidden: `[.., D]`
    /// - output: `[.., vocabulary]`
    pub fn tied_logits<const R: usize>(&self, hidden: Tensor<R>) -> Tensor<R> {
        self.embed_tokens.scores(hidden)
    }
}

/// The output layer of models that do not tie it to the embedding table.
pub(super) fn output_layer(config: &TextConfig, device: &Device) -> Linear {
    LinearConfig::new(config.hidden_size, config.vocabulary).with_bias(false).init(device)
}

fn rms_norm(config: &TextConfig, device: &Device) -> RmsNorm {
    RmsNormConfig::new(config.hidden_size).with_epsilon(config.rms_norm_epsilon).init(device)
}

/// A pre-norm transformer layer with grouped-query attention and a gated feed-forward block.
#[derive(Module, Debug)]
struct DecoderLayer {
    input_layernorm: RmsNorm,
    self_attn: MultiHeadAttention,
    post_attention_layernorm: RmsNorm,
    mlp: GatedFeedForward,
}

impl DecoderLayer {
    fn new(config: &TextConfig, device: &Device) -> Self {
        let attention = MultiHeadAttentionConfig::new(config.hidden_size, config.heads)
            .with_kv_heads(Some(config.key_heads))
            .with_head_dim(Some(config.head_dim))
            .with_output_bias(false);
        let feed_forward = GatedFeedForwardConfig {
            d_model: config.hidden_size,
            d_inner: config.intermediate_size,
            activation: config.activation,
        };
        Self {
            input_layernorm: rms_norm(config, device),
            self_attn: attention.init(device),
            post_attention_layernorm: rms_norm(config, device),
            mlp: feed_forward.init(device),
        }
    }

    fn forward(&self, x: Tensor<3>, angles: &RotaryAngles, cache: &mut KvCache) -> Tensor<3> {
        let normed = self.input_layernorm.forward(x.clone());
        let x = self.self_attn.forward_causal(normed, x, angles, cache);
        self.mlp.forward_added(self.post_attention_layernorm.forward(x.clone()), x)
    }

    fn forward_texts(
        &self,
        x: Tensor<3>,
        angles: &RotaryAngles,
        counts: &[Vec<usize>],
        caches: &mut [&mut KvCache],
    ) -> Tensor<3> {
        let normed = self.input_layernorm.forward(x.clone());
        let x = self.self_attn.forward_texts(normed, x, angles, counts, caches);
        self.mlp.forward_added(self.post_attention_layernorm.forward(x.clone()), x)
    }

    fn forward_step(&self, x: Tensor<3>, angles: &RotaryAngles, caches: &mut [&mut KvCache]) -> Tensor<3> {
        let normed = self.input_layernorm.forward(x.clone());
        let x = self.self_attn.forward_step(normed, x, angles, caches);
        self.mlp.forward_added(self.post_attention_layernorm.forward(x.clone()), x)
    }
}

pack_layers!(LanguageModel { embed_tokens, layers });
pack_layers!(DecoderLayer { self_attn, mlp });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OneVisionConfig;

    fn model() -> LanguageModel {
        let text = r#"{
            "model_type": "llava_onevision", "vision_feature_layer": -1, "tie_word_embeddings": true,
            "text_config": {"model_type": "qwen2", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
                "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4, "vocab_size": 20,
                "max_position_embeddings": 4096, "rms_norm_eps": 1e-06, "tie_word_embeddings": true,
                "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}},
            "vision_config": {"model_type": "siglip_vision_model", "hidden_size": 8, "intermediate_size": 8,
                "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
        }"#;
        let device = Device::flex();
        device.seed(5);
        OneVisionConfig::parse("config.json", text).unwrap().text.init(&device)
    }

    fn agree(a: Tensor<3>, b: Tensor<3>) {
        let most: f32 = (a - b).abs().max().into_scalar();
        assert!(most < 1e-4, "{most}");
    }

    #[test]
    fn skipped_tokens_leave_their_positions() {
        let model = model();
        let x = model.embed(&[3, 1, 4, 1]).unsqueeze::<3>();
        let at = |positions: &[usize]| {
            let mut cache = model.new_cache();
            let last = model.states(x.clone(), positions, &mut cache).pop().unwrap();
            (last, model.forward_batch(model.embed(&[5, 9]).unsqueeze::<3>(), &mut cache))
        };
        // Distances are all that counts, and what follows is as far from the last as from a neighbour.
        let (first, then) = at(&[0, 1, 5, 7]);
        let (moved, moved_then) = at(&[40, 41, 45, 47]);
        agree(first.clone(), moved);
        agree(then, moved_then);
        let (dense, _) = at(&[0, 1, 2, 3]);
        // Each text of a batch can have its own.
        let both = Tensor::cat(vec![x.clone(), x.clone()], 0);
        let both = model.states(both, &[0, 1, 5, 7, 0, 2, 3, 7], &mut model.new_cache()).pop().unwrap();
        let [a, b] = [0, 1].map(|text| both.clone().narrow(0, text, 1));
        agree(a, first.clone());
        agree(b, at(&[0, 2, 3, 7]).0);
        let apart: f32 = (first - dense.clone()).abs().max().into_scalar();
        assert!(apart > 1e-3, "{apart}");
        agree(model.norm.forward(dense), model.forward_batch(x, &mut model.new_cache()));
    }
}
