//! `config.json` of a whole SigLIP (`google/siglip-*` and `google/siglip2-*` of one resolution), with the defaults of `transformers`.

use serde::Deserialize;
use serde_json::Value;
use vqtoken_nn::Activation;

use super::hugging_face::{LAST_LAYER, Vision};
use super::{VisionConfig, activation, quantization_method, refuse_absurd, remove_nulls};
use crate::error::ModelError;

/// SigLIP's text tower.
#[derive(Clone, Debug, PartialEq)]
pub struct SiglipTextConfig {
    /// Words of the vocabulary.
    pub vocabulary: usize,
    /// Features of a token inside the tower.
    pub hidden_size: usize,
    /// Inner features of the feed-forward blocks.
    pub intermediate_size: usize,
    /// Layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Tokens of a text; shorter ones are padded, longer ones cut.
    pub positions: usize,
    /// Of the layer norms.
    pub layer_norm_epsilon: f64,
    /// Of the feed-forward blocks.
    pub activation: Activation,
    /// The token that texts are padded with, unless the tokenizer's files name another.
    pub pad_token: u32,
    /// Features of a text's vector (E).
    pub embedding_size: usize,
}

/// A whole SigLIP: both towers and both heads.
#[derive(Clone, Debug, PartialEq)]
pub struct SiglipConfig {
    /// The vision tower with all its layers.
    pub vision: VisionConfig,
    /// The text tower.
    pub text: SiglipTextConfig,
    /// Whether the vision tower has its pooling head.
    pub has_head: bool,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    text_config: Text,
    #[serde(default)]
    vision_config: Vision,
}

#[derive(Deserialize)]
#[serde(default)]
struct Text {
    model_type: String,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    layer_norm_eps: f64,
    hidden_act: String,
    pad_token_id: u32,
    projection_size: Option<usize>,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            model_type: "siglip_text_model".to_owned(),
            vocab_size: 32_000,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            max_position_embeddings: 64,
            layer_norm_eps: 1e-6,
            hidden_act: "gelu_pytorch_tanh".to_owned(),
            pad_token_id: 1,
            projection_size: None,
        }
    }
}

impl SiglipConfig {
    /// Reads the text of a `config.json`; `file` names it in messages.
    ///
    /// # Errors
    ///
    /// If it is damaged, describes another model, or sizes do not fit together.
    pub fn parse(file: &str, text: &str) -> Result<Self, ModelError> {
        let bad = |problem: String| ModelError::Config { file: file.to_owned(), problem };
        let mut json: Value = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        remove_nulls(&mut json);
        if let Some(method) = quantization_method(&json) {
            return Err(ModelError::Quantized { file: file.to_owned(), method });
        }
        refuse_other_models(json["model_type"].as_str().unwrap_or_default()).map_err(bad)?;
        let config: Config = serde_json::from_value(json).map_err(|error| bad(error.to_string()))?;
        let has_head = config.vision_config.vision_use_head;
        let vision = config.vision_config.into_config(LAST_LAYER).map_err(bad)?;
        let config = Self { vision, text: config.text_config.into_config().map_err(bad)?, has_head };
        config.check().map_err(bad)?;
        Ok(config)
    }

    /// Says what no model could have, so that building one cannot divide by zero or ask for absurd sizes.
    fn check(&self) -> Result<(), String> {
        let t = &self.text;
        self.vision.check()?;
        refuse_absurd([
            ("text vocab_size", t.vocabulary),
            ("text hidden_size", t.hidden_size),
            ("text intermediate_size", t.intermediate_size),
            ("text num_hidden_layers", t.layers),
            ("text num_attention_heads", t.heads),
            ("text max_position_embeddings", t.positions),
        ])?;
        if !t.hidden_size.is_multiple_of(t.heads) {
            return Err(format!("{} text heads do not divide hidden_size {}", t.heads, t.hidden_size));
        }
        match t.embedding_size == self.vision.hidden_size {
            true => Ok(()),
            false => Err(format!(
                "texts get {} features and pictures {}, which cannot be compared: projection_size has to be the \
                 vision tower's hidden_size",
                t.embedding_size, self.vision.hidden_size
            )),
        }
    }
}

fn refuse_other_models(model_type: &str) -> Result<(), String> {
    match model_type {
        "siglip" => Ok(()),
        "siglip2" => Err(
            "model_type \"siglip2\" is SigLIP 2 of variable resolution (NaFlex), which is not supported; \
             checkpoints of one resolution, such as google/siglip2-so400m-patch14-384, are"
                .to_owned(),
        ),
        other => Err(format!(
            "model_type is {other:?}; texts and pictures are compared by a whole SigLIP, of model_type \"siglip\", \
             such as google/siglip-so400m-patch14-384"
        )),
    }
}

impl Text {
    fn into_config(self) -> Result<SiglipTextConfig, String> {
        if self.model_type != "siglip_text_model" {
            return Err(format!(
                "the text tower {:?} is not supported; siglip_text_model is",
                self.model_type
            ));
        }
        Ok(SiglipTextConfig {
            vocabulary: self.vocab_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            positions: self.max_position_embeddings,
            layer_norm_epsilon: self.layer_norm_eps,
            activation: activation(&self.hidden_act)?,
            pad_token: self.pad_token_id,
            embedding_size: self.projection_size.unwrap_or(self.hidden_size),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_configurations_leave_out_what_is_default() {
        let text = r#"{"model_type": "siglip", "text_config": {"model_type": "siglip_text_model"},
            "vision_config": {"model_type": "siglip_vision_model"}}"#;
        let config = SiglipConfig::parse("config.json", text).unwrap();
        assert_eq!((config.text.vocabulary, config.text.positions), (32_000, 64));
        assert_eq!((config.vision.image_size, config.vision.patch_size, config.vision.layers), (224, 16, 12));
        assert!(config.has_head);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, problem) in [
            (r#"{"model_type": "siglip2"}"#, "variable resolution"),
            (r#"{"model_type": "clip"}"#, "\"clip\""),
            (r#"{}"#, "model_type is \"\""),
            (r#"{"model_type": "siglip", "text_config": {"projection_size": 5}}"#, "texts get 5 features"),
            (
                r#"{"model_type": "siglip", "text_config": {"num_attention_heads": 0}}"#,
                "num_attention_heads is 0",
            ),
            (r#"{"model_type": "siglip", "vision_config": {"patch_size": 0}}"#, "patch_size is 0"),
            (r#"{"model_type": "siglip", "vision_config": {"num_channels": 4}}"#, "4 channels"),
            (r#"{"model_type": "siglip", "text_config": {"hidden_act": "mish"}}"#, "mish"),
        ] {
            let error = SiglipConfig::parse("config.json", text).unwrap_err().to_string();
            assert!(error.contains(problem) && error.starts_with("config.json: "), "{error}");
        }
    }
}
