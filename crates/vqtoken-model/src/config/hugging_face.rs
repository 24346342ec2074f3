//! `config.json` of the `transformers` layout (`llava-onevision-*-hf`), with that library's defaults.

use serde::Deserialize;

use super::{
    OneVisionConfig, TextConfig, TokenIds, VisionConfig, VisualInput, VqAttentionConfig, activation,
    activation_name,
};

#[derive(Deserialize)]
struct Config {
    vision_config: Option<Vision>,
    text_config: Option<Text>,
    vision_feature_layer: Option<FeatureLayer>,
    vision_feature_select_strategy: Option<String>,
    projector_hidden_act: Option<String>,
    multimodal_projector_bias: Option<bool>,
    tie_word_embeddings: Option<bool>,
    vq_attention: Option<VqAttentionConfig>,
    visual_input: Option<VisualInput>,
}

/// A layer, or a list of those whose outputs are joined.
#[derive(Deserialize)]
#[serde(untagged)]
enum FeatureLayer {
    One(i64),
    Many(Vec<i64>),
}

impl FeatureLayer {
    /// Joined outputs have several times the features, which no public LLaVA-OneVision has.
    fn single(self) -> Result<i64, String> {
        match self {
            Self::One(layer) => Ok(layer),
            Self::Many(layers) => match layers.as_slice() {
                [layer] => Ok(*layer),
                _ => Err(format!("vision_feature_layer joins layers {layers:?}; one layer can be read")),
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Vision {
    model_type: String,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    image_size: usize,
    patch_size: usize,
    layer_norm_eps: f64,
    hidden_act: String,
    num_channels: usize,
    pub(super) vision_use_head: bool,
}

impl Default for Vision {
    fn default() -> Self {
        Self {
            model_type: "siglip_vision_model".to_owned(),
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            image_size: 224,
            patch_size: 16,
            layer_norm_eps: 1e-6,
            hidden_act: "gelu_pytorch_tanh".to_owned(),
            num_channels: 3,
            vision_use_head: true,
        }
    }
}

#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Text {
    model_type: String,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: usize,
    rope_theta: Option<f32>,
    rope_parameters: Option<Rope>,
    rope_scaling: Option<Rope>,
    rms_norm_eps: f64,
    hidden_act: String,
    tie_word_embeddings: Option<bool>,
    use_sliding_window: bool,
    max_window_layers: usize,
    layer_types: Vec<String>,
    eos_token_id: Option<TokenIds>,
}

#[derive(Deserialize)]
struct Rope {
    rope_theta: Option<f32>,
    #[serde(alias = "type")]
    rope_type: Option<String>,
    /// `rope_parameters` can be given for each kind of layer.
    full_attention: Option<Box<Rope>>,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            model_type: "qwen2".to_owned(),
            vocab_size: 151_936,
            hidden_size: 4096,
            intermediate_size: 22_016,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: None,
            head_dim: None,
            max_position_embeddings: 32_768,
            rope_theta: None,
            rope_parameters: None,
            rope_scaling: None,
            rms_norm_eps: 1e-6,
            hidden_act: "silu".to_owned(),
            tie_word_embeddings: None,
            use_sliding_window: false,
            max_window_layers: 28,
            layer_types: Vec::new(),
            eos_token_id: None,
        }
    }
}

/// The `vision_feature_layer` of the last layer's output.
pub(super) const LAST_LAYER: i64 = -1;

/// Reads a `config.json` of the `transformers` layout.
pub(super) fn parse(text: &str) -> Result<OneVisionConfig, String> {
    let config: Config = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if let Some(strategy) = config.vision_feature_select_strategy.filter(|strategy| strategy != "full") {
        return Err(format!("vision_feature_select_strategy {strategy:?} is not supported; \"full\" is"));
    }
    if let Some(act) = config.projector_hidden_act.filter(|act| act != "gelu") {
        return Err(format!("projector_hidden_act {act:?} is not supported; \"gelu\" is"));
    }
    if config.multimodal_projector_bias == Some(false) {
        return Err("a projector without bias is not supported".to_owned());
    }
    let layer = config.vision_feature_layer.map_or(Ok(LAST_LAYER), FeatureLayer::single)?;
    Ok(OneVisionConfig {
        vision: match config.vision_config {
            Some(vision) => vision.into_config(layer)?,
            None => VisionConfig::siglip_so400m(),
        },
        text: config.text_config.unwrap_or_default().into_config(config.tie_word_embeddings)?,
        vq_attention: config.vq_attention,
        visual_input: config.visual_input,
    })
}

impl Vision {
    /// `feature_layer` counts hidden states: 0 is the embedding, -1 the last layer's output.
    pub(super) fn into_config(self, feature_layer: i64) -> Result<VisionConfig, String> {
        if self.model_type != "siglip_vision_model" {
            return Err(format!(
                "the vision tower {:?} is not supported; siglip_vision_model is",
                self.model_type
            ));
        }
        if self.num_channels != 3 {
            return Err(format!("a vision tower of {} channels is not supported; 3 are", self.num_channels));
        }
        let states = self.num_hidden_layers as i64 + 1;
        let layers = if feature_layer < 0 { states + feature_layer } else { feature_layer };
        if !(1..states).contains(&layers) {
            return Err(format!(
                "vision_feature_layer {feature_layer} is none of {} layers",
                self.num_hidden_layers
            ));
        }
        Ok(VisionConfig {
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            layers: layers as usize,
            heads: self.num_attention_heads,
            image_size: self.image_size,
            patch_size: self.patch_size,
            layer_norm_epsilon: self.layer_norm_eps,
            activation: activation(&self.hidden_act)?,
        })
    }
}

impl Text {
    /// The flags on tying are hints: where the weights are known, they decide.
    pub(super) fn into_config(self, tied: Option<bool>) -> Result<TextConfig, String> {
        if self.model_type != "qwen2" {
            return Err(format!("the language model {:?} is not supported; qwen2 is", self.model_type));
        }
        // Layers below max_window_layers see everything, and lists of layer types say so directly.
        let slides = match self.layer_types.as_slice() {
            [] => self.use_sliding_window && self.max_window_layers < self.num_hidden_layers,
            types => types.iter().any(|kind| kind == "sliding_attention"),
        };
        if slides {
            return Err("its layers attend to a sliding window, which is not supported".to_owned());
        }
        let rope = self.rope_parameters.or(self.rope_scaling);
        let rope =
            rope.map(|rope| rope.full_attention.map_or(Rope { full_attention: None, ..rope }, |full| *full));
        if let Some(kind) =
            rope.as_ref().and_then(|rope| rope.rope_type.as_deref()).filter(|kind| *kind != "default")
        {
            return Err(format!("rope_type {kind:?} is not supported; \"default\" is"));
        }
        Ok(TextConfig {
            vocabulary: self.vocab_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            key_heads: self.num_key_value_heads.unwrap_or(self.num_attention_heads),
            head_dim: self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads.max(1)),
            max_positions: self.max_position_embeddings,
            rope_theta: rope.and_then(|rope| rope.rope_theta).or(self.rope_theta).unwrap_or(10_000.0),
            rms_norm_epsilon: self.rms_norm_eps,
            activation: activation(&self.hidden_act)?,
            tied: tied.or(self.tie_word_embeddings).unwrap_or(false),
            end_tokens: self.eos_token_id.map(TokenIds::into_vec).unwrap_or_default(),
        })
    }
}

/// Writes what [`parse`] reads.
pub(super) fn to_json(config: &OneVisionConfig) -> serde_json::Value {
    let (vision, text) = (&config.vision, &config.text);
    let mut json = serde_json::json!({
        "architectures": ["LlavaOnevisionForConditionalGeneration"],
        "model_type": "llava_onevision",
        "dtype": "float32",
        "projector_hidden_act": "gelu",
        "tie_word_embeddings": text.tied,
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
        "vision_config": {
            "model_type": "siglip_vision_model",
            "hidden_size": vision.hidden_size,
            "intermediate_size": vision.intermediate_size,
            "num_hidden_layers": vision.layers,
            "num_attention_heads": vision.heads,
            "image_size": vision.image_size,
            "patch_size": vision.patch_size,
            "layer_norm_eps": vision.layer_norm_epsilon,
            "hidden_act": activation_name(vision.activation),
            "vision_use_head": false,
        },
        "text_config": {
            "model_type": "qwen2",
            "vocab_size": text.vocabulary,
            "hidden_size": text.hidden_size,
            "intermediate_size": text.intermediate_size,
            "num_hidden_layers": text.layers,
            "num_attention_heads": text.heads,
            "num_key_value_heads": text.key_heads,
            "head_dim": text.head_dim,
            "max_position_embeddings": text.max_positions,
            "rope_parameters": {"rope_type": "default", "rope_theta": text.rope_theta},
            "rms_norm_eps": text.rms_norm_epsilon,
            "hidden_act": activation_name(text.activation),
            "tie_word_embeddings": text.tied,
            "eos_token_id": text.end_tokens,
        },
    });
    if let Some(attention) = &config.vq_attention {
        json["vq_attention"] = serde_json::json!(attention);
    }
    if let Some(input) = config.visual_input {
        json["visual_input"] = serde_json::json!(input);
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_layer_counts_from_either_end() {
        let layers = |feature_layer| Vision::default().into_config(feature_layer).map(|config| config.layers);
        assert_eq!(layers(-1), Ok(12));
        assert_eq!(layers(-2), Ok(11));
        assert_eq!(layers(5), Ok(5));
        assert!(layers(13).is_err());
        assert!(layers(-13).is_err());
    }

    #[test]
    fn scaled_rotary_positions_are_refused() {
        let text = r#"{"rope_scaling": {"type": "yarn", "factor": 4.0}}"#;
        let text: Text = serde_json::from_str(text).unwrap();
        assert!(text.into_config(None).unwrap_err().contains("yarn"));
    }
}
