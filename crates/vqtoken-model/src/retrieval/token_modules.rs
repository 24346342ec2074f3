//! The modules of a [`TokenRetriever`](crate::TokenRetriever): a text tower, and a tower over the codes of a video.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, assert_shape};
use serde::{Deserialize, Serialize};
use vqtoken_nn::{Activation, LayerNorm, Linear, LinearConfig, pack_layers};

use super::pooling_head::PoolingHead;
use super::scoring::Scoring;
use super::text_tower::TextTower;
use crate::config::SiglipTextConfig;
use crate::error::ModelError;
use crate::vision::{Encoder, EncoderConfig};

pub(super) const LAYER_NORM_EPSILON: f64 = 1e-6;

/// More of anything than a tower has that is read here.
const MOST: usize = 1 << 16;

/// The shape of a [`TokenRetriever`](crate::TokenRetriever)'s towers; `retrieval/config.json` of a model directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRetrieverConfig {
    /// The model whose video tokens it was trained on: a name and a checksum, as [`Checkpoint::id`](crate::checkpoint::Checkpoint::id).
    pub model: String,
    /// Features of a vector (E).
    pub features: usize,
    /// Features of a code (D).
    pub code_features: usize,
    /// Layers over the codes of a window.
    pub code_layers: usize,
    /// Words of the vocabulary.
    pub vocabulary: usize,
    /// Features of a word inside the text tower.
    pub text_features: usize,
    /// Layers of the text tower.
    pub text_layers: usize,
    /// Tokens of a text; shorter ones are padded, longer ones cut.
    pub text_tokens: usize,
    /// The token that texts are padded with.
    pub pad_token: u32,
    /// Attention heads of both towers.
    pub heads: usize,
    /// Inner features of the feed-forward blocks over the features of their tower.
    pub expansion: usize,
}

/// Refuses sizes that no layer has, and widths that do not consist of whole heads; says what is wrong.
pub(super) fn check_sizes(
    sizes: &[(&str, usize)],
    heads: usize,
    of_heads: [(&str, usize); 2],
) -> Result<(), String> {
    let all = sizes.iter().copied().chain([("heads", heads)]).chain(of_heads);
    if let Some((key, value)) = all.into_iter().find(|(_, value)| !(1..=MOST).contains(value)) {
        return Err(format!("{key} is {value}; it has to be from 1 to {MOST}"));
    }
    match of_heads.into_iter().find(|(_, value)| !value.is_multiple_of(heads)) {
        Some((key, value)) => Err(format!("{heads} heads do not divide {key} {value}")),
        None => Ok(()),
    }
}

impl TokenRetrieverConfig {
    /// Reads the text of a `config.json`; `file` names it in messages.
    ///
    /// # Errors
    ///
    /// If it is damaged, or states a shape that no tower has.
    pub fn parse(file: &str, text: &str) -> Result<Self, ModelError> {
        let bad = |problem: String| ModelError::Config { file: file.to_owned(), problem };
        let config: Self = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        let sizes = [
            ("features", config.features),
            ("code_layers", config.code_layers),
            ("vocabulary", config.vocabulary),
            ("text_layers", config.text_layers),
            ("text_tokens", config.text_tokens),
            ("expansion", config.expansion),
        ];
        let of_heads = [("code_features", config.code_features), ("text_features", config.text_features)];
        check_sizes(&sizes, config.heads, of_heads).map_err(bad)?;
        Ok(config)
    }

    /// How texts become ids, and the text tower, as SigLIP's is described.
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
            embedding_size: self.features,
        }
    }

    fn codes(&self) -> EncoderConfig {
        EncoderConfig {
            hidden_size: self.code_features,
            intermediate_size: self.code_features * self.expansion,
            layers: self.code_layers,
            heads: self.heads,
            layer_norm_epsilon: LAYER_NORM_EPSILON,
            activation: Activation::GeluTanh,
        }
    }
}

/// Both towers, and what turns a cosine into a logit. The fields' names are those of `retrieval/model.safetensors`.
#[derive(Module, Debug)]
pub struct TokenRetrieverModules {
    text_model: TextTower,
    code_model: CodeTower,
    /// Logarithm of the factor of a cosine, `[1]`.
    logit_scale: Param<Tensor<1>>,
    /// What is added to it, `[1]`.
    logit_bias: Param<Tensor<1>>,
}

/// Codes after the VQ-attention to vectors. No code has a position, so their order does not matter.
#[derive(Module, Debug)]
struct CodeTower {
    encoder: Encoder,
    post_layernorm: LayerNorm,
    head: PoolingHead,
    projection: Linear,
}

/// Vectors of windows and of their codes, of any length.
#[derive(Debug)]
pub struct CodeVectors {
    /// All codes of a window pooled together, `[windows, E]`.
    pub windows: Tensor<2>,
    /// Each code pooled alone, after it has read the others, `[windows, K, E]`.
    pub codes: Tensor<3>,
}

impl TokenRetrieverModules {
    /// Modules of this shape; parameters are initialised when they are first read.
    pub fn new(config: &TokenRetrieverConfig, device: &Device) -> Self {
        // Where training starts (Zhai et al., 2023, section 3.2): a factor of 10 and a bias of -10, here -5, as true texts are frequent.
        let constant = |value: f64| Initializer::Constant { value }.init([1], device);
        let codes = config.codes();
        Self {
            text_model: TextTower::new(&config.text(), device),
            code_model: CodeTower {
                encoder: codes.init(device),
                post_layernorm: codes.norm(device),
                head: PoolingHead::new(&codes, device),
                projection: LinearConfig::new(config.code_features, config.features).init(device),
            },
            logit_scale: constant(10_f64.ln()),
            logit_bias: constant(-5.0),
        }
    }

    /// Vectors of texts, of any length, from token ids that are padded to `length`.
    ///
    /// # Shapes
    ///
    /// - ids: `[texts, length]`
    /// - output: `[texts, E]`
    pub fn embed_texts(&self, ids: &[u32], length: usize) -> Tensor<2> {
        self.text_model.forward(ids, length)
    }

    /// Vectors of windows with as many codes each, and of their codes, from the codes after the VQ-attention.
    ///
    /// # Shapes
    ///
    /// - codes: `[windows, K, D]`, K above 0
    pub fn embed_codes(&self, codes: Tensor<3>) -> CodeVectors {
        let hidden = self.read_codes(codes); // [windows, K, D]
        CodeVectors { windows: self.pool(hidden.clone()), codes: self.pool_each(hidden) }
    }

    /// Codes that have read each other, from the codes after the VQ-attention.
    ///
    /// # Shapes
    ///
    /// - codes, output: `[windows, K, D]`
    pub(super) fn read_codes(&self, codes: Tensor<3>) -> Tensor<3> {
        let ([windows, k, d], tower) = (codes.dims(), &self.code_model);
        let hidden = tower.post_layernorm.forward(tower.encoder.forward(codes)); // [windows, K, D]
        assert_shape!(hidden, [windows, k, d]);
        hidden
    }

    /// All codes of a window pooled together.
    ///
    /// # Shapes
    ///
    /// - hidden: `[windows, K, D]`, K above 0
    /// - output: `[windows, E]`
    pub(super) fn pool(&self, hidden: Tensor<3>) -> Tensor<2> {
        let tower = &self.code_model;
        tower.projection.forward(tower.head.forward(hidden))
    }

    /// Each code pooled alone.
    ///
    /// # Shapes
    ///
    /// - hidden: `[windows, K, D]`
    /// - output: `[windows, K, E]`
    pub(super) fn pool_each(&self, hidden: Tensor<3>) -> Tensor<3> {
        let [windows, k, d] = hidden.dims();
        let alone = self.pool(hidden.reshape([windows * k, 1, d])); // [windows * K, E]
        let [_, features] = alone.dims();
        alone.reshape([windows, k, features])
    }

    /// Logits of cosines.
    ///
    /// # Shapes
    ///
    /// - cosines, output: `[.., ..]`
    pub fn logits(&self, cosines: Tensor<2>) -> Tensor<2> {
        let [rows, columns] = cosines.dims();
        let scale = self.logit_scale.val().exp().reshape([1, 1]).expand([rows, columns]);
        cosines * scale + self.logit_bias.val().reshape([1, 1]).expand([rows, columns])
    }

    /// How vectors are compared.
    ///
    /// # Errors
    ///
    /// If the two parameters cannot be read back from the device.
    pub(super) fn scoring(&self) -> Result<Scoring, ModelError> {
        Scoring::of_parameters(self.logit_scale.val(), self.logit_bias.val())
    }
}

pack_layers!(TokenRetrieverModules { text_model, code_model });
pack_layers!(CodeTower { encoder, head, projection });
