//! The shape of a model, read from the `config.json` of either public layout.

mod hugging_face;
mod llava;
mod siglip;
mod trained_input;

pub use siglip::{SiglipConfig, SiglipTextConfig};
pub use trained_input::{CodeKind, TrainedInput, VisualInput};

use serde::{Deserialize, Serialize};
use vqtoken_nn::Activation;

use crate::error::ModelError;

/// The vision tower: SigLIP.
#[derive(Clone, Debug, PartialEq)]
pub struct VisionConfig {
    /// Features of a patch inside the tower (Dv).
    pub hidden_size: usize,
    /// Inner features of the feed-forward blocks.
    pub intermediate_size: usize,
    /// Layers that are computed; those behind them are left in the file.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Side of the square input, in pixels.
    pub image_size: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Of the layer norms.
    pub layer_norm_epsilon: f64,
    /// Of the feed-forward blocks.
    pub activation: Activation,
}

impl VisionConfig {
    /// SigLIP-so400m/14@384 with 26 of its 27 layers, which is what LLaVA-OneVision uses.
    pub fn siglip_so400m() -> Self {
        Self {
            hidden_size: 1152,
            intermediate_size: 4304,
            layers: 26,
            heads: 16,
            image_size: 384,
            patch_size: 14,
            layer_norm_epsilon: 1e-6,
            activation: Activation::GeluTanh,
        }
    }

    /// Patches along each side of a frame; pixels beyond the last whole patch are not seen.
    pub fn grid_side(&self) -> usize {
        self.image_size / self.patch_size
    }

    /// Says what no tower could have.
    fn check(&self) -> Result<(), String> {
        refuse_absurd([
            ("vision hidden_size", self.hidden_size),
            ("vision intermediate_size", self.intermediate_size),
            ("vision num_hidden_layers", self.layers),
            ("vision num_attention_heads", self.heads),
            ("patch_size", self.patch_size),
        ])?;
        if self.image_size < self.patch_size || self.image_size > 100_000 {
            return Err(format!(
                "image_size {} does not fit patches of {}",
                self.image_size, self.patch_size
            ));
        }
        if !self.hidden_size.is_multiple_of(self.heads) {
            return Err(format!(
                "{} vision heads do not divide hidden_size {}",
                self.heads, self.hidden_size
            ));
        }
        Ok(())
    }
}

/// Refuses sizes that no model has: 0, and those beyond a million, so that products of two stay far from overflow.
fn refuse_absurd<const N: usize>(sizes: [(&str, usize); N]) -> Result<(), String> {
    match sizes.into_iter().find(|&(_, value)| value == 0 || value > 1_000_000) {
        Some((name, value)) => Err(format!("{name} is {value}")),
        None => Ok(()),
    }
}

/// The language model: Qwen2.
#[derive(Clone, Debug, PartialEq)]
pub struct TextConfig {
    /// Words of the vocabulary, unused rows included.
    pub vocabulary: usize,
    /// Features of a token (D).
    pub hidden_size: usize,
    /// Inner features of the gated feed-forward blocks.
    pub intermediate_size: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub key_heads: usize,
    /// Features of a head.
    pub head_dim: usize,
    /// Positions it was made for.
    pub max_positions: usize,
    /// Base of the rotary wavelengths.
    pub rope_theta: f32,
    /// Of the RMS norms.
    pub rms_norm_epsilon: f64,
    /// Of the gates.
    pub activation: Activation,
    /// Whether the output layer is the embedding table.
    pub tied: bool,
    /// Tokens that end an answer.
    pub end_tokens: Vec<u32>,
}

impl TextConfig {
    /// Qwen2-0.5B, the language model of LLaVA-OneVision-0.5B.
    pub fn qwen2_0_5b() -> Self {
        Self {
            vocabulary: 151_936,
            hidden_size: 896,
            intermediate_size: 4864,
            layers: 24,
            heads: 14,
            key_heads: 2,
            head_dim: 64,
            max_positions: 32_768,
            rope_theta: 1e6,
            rms_norm_epsilon: 1e-6,
            activation: Activation::Silu,
            tied: true,
            end_tokens: vec![151_645],
        }
    }

    /// Qwen2-7B, the language model of LLaVA-OneVision-7B.
    pub fn qwen2_7b() -> Self {
        Self {
            vocabulary: 152_064,
            hidden_size: 3584,
            intermediate_size: 18_944,
            layers: 28,
            heads: 28,
            key_heads: 4,
            head_dim: 128,
            tied: false,
            ..Self::qwen2_0_5b()
        }
    }
}

/// Which VQ-attention a checkpoint holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum VqAttentionConfig {
    /// The module of the published weights; its sizes are the tensors'.
    Released {
        /// Attention heads.
        heads: usize,
        /// Patches of a frame, the length of an index map's row.
        patches: usize,
        /// Inner features of the feed-forward block.
        feed_forward: usize,
    },
    /// Equations 6 and 7 of the paper.
    Paper {
        /// Positions of the index map, `T * H * W`.
        positions: usize,
    },
    /// Attention over the positions of the token hash.
    Hash {
        /// Attention heads.
        heads: usize,
        /// Frequencies of the position features, per axis.
        frequencies: usize,
        /// Time bins of a code's path.
        bins: usize,
        /// Inner features of the feed-forward block.
        feed_forward: usize,
    },
}

/// A LLaVA-OneVision model with or without VQ-attention.
#[derive(Clone, Debug, PartialEq)]
pub struct OneVisionConfig {
    /// The vision tower.
    pub vision: VisionConfig,
    /// The language model.
    pub text: TextConfig,
    /// What writes motion into the codes, if the configuration names it.
    pub vq_attention: Option<VqAttentionConfig>,
    /// What the configuration says that the model was trained to read, if it does.
    pub visual_input: Option<VisualInput>,
}

impl OneVisionConfig {
    /// Reads the text of a `config.json`; `file` names it in messages.
    pub fn parse(file: &str, text: &str) -> Result<Self, ModelError> {
        #[derive(Deserialize)]
        struct Kind {
            #[serde(default)]
            model_type: String,
            #[serde(default)]
            mm_vision_tower: Option<String>,
        }
        let bad = |problem: String| ModelError::Config { file: file.to_owned(), problem };
        // Python writes null where a key could be left out.
        let mut json: serde_json::Value =
            serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        remove_nulls(&mut json);
        if let Some(method) = quantization_method(&json) {
            return Err(ModelError::Quantized { file: file.to_owned(), method });
        }
        let text = json.to_string();
        let kind: Kind = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        let config = match (kind.model_type.as_str(), kind.mm_vision_tower) {
            ("llava_onevision", _) => hugging_face::parse(&text),
            (_, Some(_)) => llava::parse(&text),
            (other, None) => Err(format!(
                "model_type is {other:?}; models of type llava_onevision, or of the original LLaVA-NeXT layout \
                 with mm_vision_tower, can be read"
            )),
        };
        let config = config.map_err(bad)?;
        config.check().map_err(bad)?;
        Ok(config)
    }

    /// The `config.json` of the `transformers` layout, with the VQ-attention under `vq_attention`.
    pub fn to_json(&self) -> String {
        format!("{:#}\n", hugging_face::to_json(self))
    }

    /// Says what no model could have, so that building one cannot divide by zero or ask for absurd sizes.
    fn check(&self) -> Result<(), String> {
        let t = &self.text;
        self.vision.check()?;
        refuse_absurd([
            ("vocab_size", t.vocabulary),
            ("hidden_size", t.hidden_size),
            ("intermediate_size", t.intermediate_size),
            ("num_hidden_layers", t.layers),
            ("num_attention_heads", t.heads),
            ("num_key_value_heads", t.key_heads),
            ("head_dim", t.head_dim),
            ("max_position_embeddings", t.max_positions),
        ])?;
        if !t.heads.is_multiple_of(t.key_heads) {
            return Err(format!("{} key heads do not divide {} heads", t.key_heads, t.heads));
        }
        if !t.head_dim.is_multiple_of(2) {
            return Err(format!("head_dim {} is odd, which rotary positions cannot turn", t.head_dim));
        }
        if !(t.rope_theta.is_finite() && t.rope_theta > 0.0) {
            return Err(format!("rope_theta is {}", t.rope_theta));
        }
        self.check_attention()
    }

    fn check_attention(&self) -> Result<(), String> {
        let (heads, sizes) = match self.vq_attention {
            None => return Ok(()),
            Some(VqAttentionConfig::Released { heads, patches, feed_forward }) => {
                (heads, [patches, feed_forward, 1])
            }
            Some(VqAttentionConfig::Paper { positions }) => (1, [positions, 1, 1]),
            Some(VqAttentionConfig::Hash { heads, frequencies, bins, feed_forward }) => {
                (heads, [frequencies, bins, feed_forward])
            }
        };
        if heads == 0 || !self.text.hidden_size.is_multiple_of(heads) {
            return Err(format!("{heads} heads of the VQ-attention do not divide {}", self.text.hidden_size));
        }
        match sizes.iter().all(|&size| (1..=100_000_000).contains(&size)) {
            true => Ok(()),
            false => {
                Err(format!("the VQ-attention has a size of 0 or too large a one: {:?}", self.vq_attention))
            }
        }
    }
}

/// Removes keys whose value is null, at every level.
fn remove_nulls(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(remove_nulls);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

/// The method that a `quantization_config` names, at the top or in the language model.
fn quantization_method(json: &serde_json::Value) -> Option<String> {
    let stated = [json, &json["text_config"]].into_iter().find_map(|json| json.get("quantization_config"))?;
    let is_on = |key: &str| stated.get(key).and_then(serde_json::Value::as_bool) == Some(true);
    Some(match stated.get("quant_method").and_then(serde_json::Value::as_str) {
        Some(method) => method.to_owned(),
        None if is_on("load_in_4bit") || is_on("load_in_8bit") => "bitsandbytes".to_owned(),
        None => "a method without a name".to_owned(),
    })
}

/// The non-linearity of a name in a `config.json`.
fn activation(name: &str) -> Result<Activation, String> {
    match name {
        "gelu" => Ok(Activation::Gelu),
        "gelu_pytorch_tanh" | "gelu_new" => Ok(Activation::GeluTanh),
        "silu" | "swish" => Ok(Activation::Silu),
        "relu" => Ok(Activation::Relu),
        other => {
            Err(format!("the activation {other:?} is not known; gelu, gelu_pytorch_tanh, silu and relu are"))
        }
    }
}

/// The name that [`activation`] reads.
fn activation_name(activation: Activation) -> &'static str {
    match activation {
        Activation::Gelu => "gelu",
        Activation::GeluTanh => "gelu_pytorch_tanh",
        Activation::Silu => "silu",
        Activation::Relu => "relu",
    }
}

/// One token id or a list of them, as configurations write `eos_token_id`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum TokenIds {
    One(u32),
    Many(Vec<u32>),
}

impl TokenIds {
    pub(crate) fn into_vec(self) -> Vec<u32> {
        match self {
            Self::One(id) => vec![id],
            Self::Many(ids) => ids,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> OneVisionConfig {
        let text = include_str!("../../../../golden/a/onevision-hf/config.json");
        OneVisionConfig::parse("config.json", text).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        for vq_attention in [
            None,
            Some(VqAttentionConfig::Hash { heads: 8, frequencies: 6, bins: 16, feed_forward: 64 }),
            Some(VqAttentionConfig::Released { heads: 8, patches: 16, feed_forward: 2048 }),
            Some(VqAttentionConfig::Paper { positions: 64 }),
        ] {
            let config = OneVisionConfig { vq_attention, ..small() };
            assert_eq!(OneVisionConfig::parse("config.json", &config.to_json()).unwrap(), config);
        }
    }

    #[test]
    fn sizes_that_no_model_has_are_refused() {
        type Change = fn(&mut OneVisionConfig);
        let changes: [(Change, &str); 6] = [
            (|c| c.vision.heads = 0, "num_attention_heads is 0"),
            (|c| c.vision.heads = 5, "do not divide hidden_size"),
            (|c| c.text.key_heads = 4, "key heads do not divide"),
            (|c| c.vision.image_size = 3, "image_size 3"),
            (|c| c.text.layers = usize::MAX / 2, "num_hidden_layers"),
            (|c| c.vq_attention = Some(VqAttentionConfig::Paper { positions: 0 }), "VQ-attention"),
        ];
        for (change, problem) in changes {
            let mut config = small();
            change(&mut config);
            let error = OneVisionConfig::parse("config.json", &config.to_json()).unwrap_err().to_string();
            assert!(error.contains(problem) && error.starts_with("config.json: "), "{error}");
        }
    }

    #[test]
    fn other_models_are_named() {
        let error =
            OneVisionConfig::parse("config.json", r#"{"model_type": "bert"}"#).unwrap_err().to_string();
        assert!(error.contains("bert") && error.contains("llava_onevision"), "{error}");
    }
}
