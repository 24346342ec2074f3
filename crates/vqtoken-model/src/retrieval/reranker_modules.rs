//! The modules of a [`TokenReranker`](crate::TokenReranker): a text reads the codes of a video.

use burn::module::Module;
use burn::tensor::{Device, Tensor, assert_shape};
use serde::{Deserialize, Serialize};
use vqtoken_nn::{Activation, FeedForward, LayerNorm, Linear, LinearConfig, MultiHeadAttention, pack_layers};

use super::retrieval_files::RetrievalFiles;
use super::text_tower::TextEmbeddings;
use super::token_modules::{LAYER_NORM_EPSILON, TokenRetrieverConfig, check_sizes};
use crate::config::SiglipTextConfig;
use crate::error::ModelError;
use crate::vision::{Encoder, EncoderConfig};

/// The shape of a [`TokenReranker`](crate::TokenReranker); `reranking/config.json` of a model directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRerankerConfig {
    /// The model whose video tokens it was trained on: a name and a checksum, as [`Checkpoint::id`](crate::checkpoint::Checkpoint::id).
    pub model: String,
    /// Features of a code, and of a word that reads codes (D).
    pub code_features: usize,
    /// Layers over the codes of a video.
    pub code_layers: usize,
    /// Words of the vocabulary.
    pub vocabulary: usize,
    /// Features of a word before it reads codes.
    pub text_features: usize,
    /// Layers over a text alone.
    pub text_layers: usize,
    /// Tokens of a text; shorter ones are padded, longer ones cut.
    pub text_tokens: usize,
    /// The token that texts are padded with.
    pub pad_token: u32,
    /// Layers in which the words of a text read the codes.
    pub reading_layers: usize,
    /// Attention heads of all layers.
    pub heads: usize,
    /// Inner features of the feed-forward blocks over features.
    pub expansion: usize,
}

impl TokenRerankerConfig {
    /// Reads the text of a `config.json`; `file` names it in messages.
    ///
    /// # Errors
    ///
    /// If it is damaged, or states a shape that no reranker has.
    pub fn parse(file: &str, text: &str) -> Result<Self, ModelError> {
        let bad = |problem: String| ModelError::Config { file: file.to_owned(), problem };
        let config: Self = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        let sizes = [
            ("code_layers", config.code_layers),
            ("vocabulary", config.vocabulary),
            ("text_layers", config.text_layers),
            ("text_tokens", config.text_tokens),
            ("reading_layers", config.reading_layers),
            ("expansion", config.expansion),
        ];
        let of_heads = [("code_features", config.code_features), ("text_features", config.text_features)];
        check_sizes(&sizes, config.heads, of_heads).map_err(bad)?;
        Ok(config)
    }

    /// How texts become ids, and the layers over them, as SigLIP's text tower is described.
    pub fn text(&self) -> SiglipTextConfig {
        SiglipTextConfig {
            vocabulary: self.vocabulary,
            hidden_size: self.text_features,
            intermediate_size: self.text_features * self.expansion,
            layers: self.text_layers,
            heads: self.heads,
            positions: self.text_tokens,
            layer_norm_epsilon: LAYER_NORM_EPSILON,
            activation: Activation::GeluTanh,
            pad_token: self.pad_token,
            embedding_size: self.code_features,
        }
    }

    fn layers(&self, hidden_size: usize, layers: usize) -> EncoderConfig {
        EncoderConfig {
            hidden_size,
            intermediate_size: hidden_size * self.expansion,
            layers,
            heads: self.heads,
            layer_norm_epsilon: LAYER_NORM_EPSILON,
            activation: Activation::GeluTanh,
        }
    }
}

/// A text reads the codes of a video after the VQ-attention, word by word, and becomes one logit: is it true of the video? The fields'
/// names are those of `reranking/model.safetensors`; the layers before reading are named as a retriever's, from which they can begin.
#[derive(Module, Debug)]
pub struct TokenRerankerModules {
    text_model: TextReader,
    code_model: CodeReader,
    reading_model: ReadingModel,
}

/// Words that have read each other.
#[derive(Module, Debug)]
struct TextReader {
    embeddings: TextEmbeddings,
    encoder: Encoder,
    projection: Linear,
}

/// Codes that have read each other.
#[derive(Module, Debug)]
struct CodeReader {
    encoder: Encoder,
    post_layernorm: LayerNorm,
}

/// Words that read codes, and the last one as a logit.
#[derive(Module, Debug)]
struct ReadingModel {
    layers: Vec<ReadingLayer>,
    norm: LayerNorm,
    head: Linear,
}

impl TokenRerankerModules {
    /// Modules of this shape; parameters are initialised when they are first read.
    pub fn new(config: &TokenRerankerConfig, device: &Device) -> Self {
        let text = config.layers(config.text_features, config.text_layers);
        let codes = config.layers(config.code_features, config.code_layers);
        Self {
            text_model: TextReader {
                embeddings: TextEmbeddings::new(&config.text(), device),
                encoder: text.init(device),
                projection: LinearConfig::new(config.text_features, config.code_features).init(device),
            },
            code_model: CodeReader { encoder: codes.init(device), post_layernorm: codes.norm(device) },
            reading_model: ReadingModel {
                layers: (0..config.reading_layers).map(|_| ReadingLayer::new(&codes, device)).collect(),
                norm: codes.norm(device),
                head: LinearConfig::new(config.code_features, 1).init(device),
            },
        }
    }

    /// With the layers over texts alone and over codes alone of a retriever, if that has as many of them and they are as wide.
    ///
    /// # Errors
    ///
    /// If the retriever's files do not fit their own configuration, or hold values that are not finite.
    pub fn begin_as(
        self,
        retriever: &RetrievalFiles,
        config: &TokenRerankerConfig,
    ) -> Result<Self, ModelError> {
        let other = TokenRetrieverConfig::parse(&retriever.config_file(), &retriever.config)?;
        let sizes = |text: SiglipTextConfig, code_features, code_layers| {
            let text =
                (text.vocabulary, text.hidden_size, text.intermediate_size, text.layers, text.positions);
            (text, code_features, code_layers)
        };
        let is_alike = sizes(other.text(), other.code_features, other.code_layers)
            == sizes(config.text(), config.code_features, config.code_layers)
            && (other.heads, other.expansion) == (config.heads, config.expansion);
        match is_alike {
            true => retriever.begin(self, &["text_model.projection.", "reading_model."]),
            false => Ok(self),
        }
    }

    /// The words of texts, from token ids that are padded to `length`.
    ///
    /// # Shapes
    ///
    /// - ids: `[texts, length]`
    /// - output: `[texts, length, D]`
    pub fn read_texts(&self, ids: &[u32], length: usize) -> Tensor<3> {
        let text = &self.text_model;
        text.projection.forward(text.encoder.forward(text.embeddings.forward(ids, length)))
    }

    /// The logits of texts about videos with as many codes each, from the codes after the VQ-attention.
    ///
    /// # Shapes
    ///
    /// - words: `[videos * texts, length, D]`, the texts about one video after those about the one before
    /// - codes: `[videos, K, D]`, K above 0
    /// - output: `[videos, texts]`
    pub fn logits(&self, words: Tensor<3>, codes: Tensor<3>) -> Tensor<2> {
        let ([count, length, d], [videos, k, _]) = (words.dims(), codes.dims());
        assert_shape!(codes, [videos, k, d]);
        assert!(videos > 0 && count.is_multiple_of(videos), "as many texts about each video");
        let codes = self.code_model.post_layernorm.forward(self.code_model.encoder.forward(codes)); // [videos, K, D]
        let reading = &self.reading_model;
        let read = reading.layers.iter().fold(words, |words, layer| layer.forward(words, &codes)); // [videos * texts, length, D]
        let last = read.narrow(1, length - 1, 1).reshape([count, d]); // [videos * texts, D]
        reading.head.forward(reading.norm.forward(last)).reshape([videos, count / videos]) // [videos, texts]
    }
}

/// A pre-norm transformer layer in which the words of each text read each other, then the codes of the text's video.
#[derive(Module, Debug)]
struct ReadingLayer {
    layer_norm1: LayerNorm,
    self_attn: MultiHeadAttention,
    layer_norm2: LayerNorm,
    cross_attn: MultiHeadAttention,
    layer_norm3: LayerNorm,
    mlp: FeedForward,
}

impl ReadingLayer {
    fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self {
            layer_norm1: config.norm(device),
            self_attn: config.attention(device),
            layer_norm2: config.norm(device),
            cross_attn: config.attention(device),
            layer_norm3: config.norm(device),
            mlp: config.feed_forward(device),
        }
    }

    /// # Shapes
    ///
    /// - words, output: `[videos * texts, length, D]`
    /// - codes: `[videos, K, D]`
    fn forward(&self, words: Tensor<3>, codes: &Tensor<3>) -> Tensor<3> {
        let ([count, length, d], [videos, ..]) = (words.dims(), codes.dims());
        let words = self.self_attn.forward_added(self.layer_norm1.forward(words.clone()), words);
        let queries = self.layer_norm2.forward(words.clone()).reshape([videos, count / videos * length, d]);
        let read = self.cross_attn.forward_cross(queries, codes.clone()); // [videos, texts * length, D]
        let words = words + read.reshape([count, length, d]);
        self.mlp.forward_added(self.layer_norm3.forward(words.clone()), words)
    }
}

pack_layers!(TokenRerankerModules { text_model, code_model, reading_model });
pack_layers!(TextReader { embeddings, encoder, projection });
pack_layers!(CodeReader { encoder });
pack_layers!(ReadingModel { layers, head });
pack_layers!(ReadingLayer { self_attn, cross_attn, mlp });
