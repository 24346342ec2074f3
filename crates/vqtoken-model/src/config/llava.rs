//! `config.json` of the original LLaVA-NeXT layout (`lmms-lab/llava-onevision-qwen2-*`, `VQ-Token-llava-ov-*`).

use serde::Deserialize;

use super::hugging_face::{LAST_LAYER, Text, Vision};
use super::{OneVisionConfig, VisionConfig, VisualInput, VqAttentionConfig};

#[derive(Deserialize)]
struct Config {
    mm_vision_tower: String,
    #[serde(default = "two_layer_projector")]
    mm_projector_type: String,
    #[serde(default = "all_patches")]
    mm_vision_select_feature: String,
    /// Shape of a tower that its name does not give.
    vision_config: Option<Vision>,
    tie_word_embeddings: Option<bool>,
    vq_attention: Option<VqAttentionConfig>,
    visual_input: Option<VisualInput>,
}

fn two_layer_projector() -> String {
    "mlp2x_gelu".to_owned()
}

fn all_patches() -> String {
    "patch".to_owned()
}

/// Reads a `config.json` of the original layout.
///
/// There `mm_vision_select_layer` counts the layers of the published tower; the checkpoint holds just those that
/// are used, so all layers of the file are.
pub(super) fn parse(text: &str) -> Result<OneVisionConfig, String> {
    let config: Config = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if config.mm_projector_type != "mlp2x_gelu" {
        return Err(format!(
            "mm_projector_type {:?} is not supported; mlp2x_gelu is",
            config.mm_projector_type
        ));
    }
    if config.mm_vision_select_feature != "patch" {
        return Err(format!(
            "mm_vision_select_feature {:?} is not supported; \"patch\" is",
            config.mm_vision_select_feature
        ));
    }
    let vision = match config.vision_config {
        Some(tower) => tower.into_config(LAST_LAYER)?,
        None if is_so400m(&config.mm_vision_tower) => VisionConfig::siglip_so400m(),
        None => {
            return Err(format!(
                "the vision tower {:?} is not known; add its shape as vision_config",
                config.mm_vision_tower
            ));
        }
    };
    let text: Text = serde_json::from_str(&without_model_type(text)?).map_err(|error| error.to_string())?;
    Ok(OneVisionConfig {
        vision,
        text: text.into_config(config.tie_word_embeddings)?,
        vq_attention: config.vq_attention,
        visual_input: config.visual_input,
    })
}

/// Whether a name, or a path that ends in it, is that of the published tower.
fn is_so400m(tower: &str) -> bool {
    tower.to_ascii_lowercase().contains("siglip-so400m-patch14-384")
}

/// The language model's keys stand at the top level here, beside a `model_type` that is not the language model's.
fn without_model_type(text: &str) -> Result<String, String> {
    let mut object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    object.remove("model_type");
    serde_json::to_string(&object).map_err(|error| error.to_string())
}
