//! A whole SigLIP. The fields' names are the checkpoints'.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use vqtoken_nn::pack_layers;

use super::picture_tower::PictureTower;
use super::text_tower::TextTower;
use crate::config::SiglipConfig;

/// Both towers with their heads, and what turns a cosine into a logit.
#[derive(Module, Debug)]
pub(crate) struct SiglipModules {
    pub(super) text_model: TextTower,
    pub(super) vision_model: PictureTower,
    /// Logarithm of the factor of a cosine, `[1]`.
    pub(super) logit_scale: Param<Tensor<1>>,
    /// What is added to it, `[1]`.
    pub(super) logit_bias: Param<Tensor<1>>,
}

impl SiglipModules {
    /// Modules of this shape; parameters are initialised when they are first read.
    pub(crate) fn new(config: &SiglipConfig, device: &Device) -> Self {
        // Where training starts (Zhai et al., 2023, section 3.2): a factor of 10 and a bias of -10.
        let constant = |value: f64| Initializer::Constant { value }.init([1], device);
        Self {
            text_model: TextTower::new(&config.text, device),
            vision_model: PictureTower::new(&config.vision, device),
            logit_scale: constant(10_f64.ln()),
            logit_bias: constant(-10.0),
        }
    }
}

pack_layers!(SiglipModules { text_model, vision_model });
