//! Writes a tiny checkpoint with random weights: `cargo run -p vqtoken-model --example make_tiny -- OUT_DIR TOKENIZER_JSON`.
//!
//! Its grid is the paper's, 27 x 27 patches a frame; everything else is as small as it can be. Such a model answers
//! nonsense, but everything around the words is real: tokens, picture, timing. The random patch filters weigh a
//! patch's colour more than its texture and its place little, so that the regions of its codes follow objects.

use std::error::Error;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Distribution, Tensor};
use vqtoken_model::config::{OneVisionConfig, TextConfig, VisionConfig, VqAttentionConfig};
use vqtoken_model::{OneVision, Tokenizer, checkpoint};
use vqtoken_nn::Activation;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, tokenizer_file] = arguments.as_slice() else {
        return Err("usage: make_tiny OUT_DIR TOKENIZER_JSON".into());
    };
    let tokenizer_file = Path::new(tokenizer_file);
    let tokenizer = std::fs::read(tokenizer_file)?;
    let end = Tokenizer::from_bytes(tokenizer_file, &tokenizer, usize::MAX)?.id("<|im_end|>");
    let config = config(end.ok_or("the tokenizer has no <|im_end|>")?);

    let device = Device::flex();
    device.seed(0);
    let model = OneVision::new(&config, &device).map(&mut ColourFirst::default());
    checkpoint::save(Path::new(directory), &config, &model, &tokenizer)?;
    Ok(())
}

/// Adds to every patch filter one random weight a colour channel, and makes positions count for less.
#[derive(Default)]
struct ColourFirst {
    path: Vec<String>,
}

impl ModuleMapper for ColourFirst {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        if path.ends_with("patch_embedding.weight") {
            param.map(|filters| {
                // [Dv, 3, P, P]: one number for all places of a channel.
                let mut channels = filters.dims();
                channels[D - 2..].fill(1);
                let colour = Tensor::random(channels, Distribution::Normal(0.0, 0.02), &filters.device());
                filters * 0.25 + colour
            })
        } else if path.ends_with("position_embedding.weight") {
            param.map(|positions| positions * 0.25)
        } else {
            param
        }
    }
}

fn config(end_token: u32) -> OneVisionConfig {
    OneVisionConfig {
        vision: VisionConfig {
            hidden_size: 64,
            intermediate_size: 128,
            layers: 2,
            heads: 4,
            image_size: 378,
            ..VisionConfig::siglip_so400m()
        },
        text: TextConfig {
            vocabulary: 466,
            hidden_size: 64,
            intermediate_size: 128,
            layers: 2,
            heads: 4,
            key_heads: 2,
            head_dim: 16,
            max_positions: 32_768,
            rope_theta: 1e6,
            rms_norm_epsilon: 1e-6,
            activation: Activation::Silu,
            tied: true,
            end_tokens: vec![end_token],
        },
        vq_attention: Some(VqAttentionConfig::Hash { heads: 4, frequencies: 6, bins: 16, feed_forward: 128 }),
    }
}
