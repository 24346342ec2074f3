//! A checkpoint small enough to be loaded thousands of times.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use vqtoken_model::config::{OneVisionConfig, TextConfig, VisionConfig, VqAttentionConfig};
use vqtoken_model::{OneVision, checkpoint};
use vqtoken_nn::Activation;

pub(crate) fn config(vq_attention: Option<VqAttentionConfig>) -> OneVisionConfig {
    OneVisionConfig {
        vision: VisionConfig {
            hidden_size: 8,
            intermediate_size: 8,
            layers: 1,
            heads: 2,
            image_size: 8,
            patch_size: 4,
            ..VisionConfig::siglip_so400m()
        },
        text: TextConfig {
            vocabulary: 466,
            hidden_size: 8,
            intermediate_size: 8,
            layers: 1,
            heads: 2,
            key_heads: 1,
            head_dim: 4,
            max_positions: 256,
            rope_theta: 1e4,
            rms_norm_epsilon: 1e-6,
            activation: Activation::Silu,
            tied: true,
            end_tokens: vec![463],
        },
        vq_attention,
        visual_input: None,
    }
}

pub(crate) fn tokenizer() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/a/onevision-hf/tokenizer.json"))
        .unwrap()
}

/// Writes the checkpoint into a new directory `name` of `folder`.
pub(crate) fn write(folder: &Path, name: &str, config: &OneVisionConfig) -> PathBuf {
    let device = Device::flex();
    device.seed(1);
    let directory = folder.join(name);
    checkpoint::save(&directory, config, &OneVision::new(config, &device), &tokenizer()).unwrap();
    directory
}
