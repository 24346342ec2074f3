//! The modules of the vision side: pixels to tokens.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use vqtoken_nn::pack_layers;
use vqtoken_video::Cancellation;

use super::projector::{Projector, ProjectorConfig};
use super::siglip::VisionTower;
use crate::config::VisionConfig;

/// Tower and projector. The fields' names are the checkpoints'.
#[derive(Module, Debug)]
pub struct VisionModules {
    vision_tower: VisionTower,
    multi_modal_projector: Projector,
}

impl VisionModules {
    /// Modules that give tokens of `d` features; parameters are initialised when they are first read.
    pub fn new(config: &VisionConfig, d: usize, device: &Device) -> Self {
        Self {
            vision_tower: config.init(device),
            multi_modal_projector: ProjectorConfig { vision_features: config.hidden_size, text_features: d }
                .init(device),
        }
    }

    /// Hidden states of the tower.
    ///
    /// # Shapes
    ///
    /// - pixels: `[T, 3, S, S]`
    /// - output: `[T, N, Dv]`
    pub fn hidden_states(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.vision_tower.forward(pixels)
    }

    /// Tokens of whole frames.
    ///
    /// # Shapes
    ///
    /// - pixels: `[T, 3, S, S]`
    /// - output: `[T, N, D]`
    pub fn tokens(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.project(self.vision_tower.forward(pixels))
    }

    /// [`Self::hidden_states`], given up within a layer's time once `cancellation` is set.
    ///
    /// # Shapes
    ///
    /// - pixels: `[T, 3, S, S]`
    /// - output: `[T, N, Dv]`
    pub fn hidden_states_unless(&self, cancellation: &Cancellation, pixels: Tensor<4>) -> Option<Tensor<3>> {
        self.vision_tower.forward_unless(cancellation, pixels)
    }

    /// Tokens of square windows of frames.
    ///
    /// # Shapes
    ///
    /// - pixels: `[T, 3, s, s]`
    /// - corners: `[T]`, row and column of each window's first patch in the whole grid
    /// - output: `[T, n, D]`
    pub fn window_tokens(&self, pixels: Tensor<4>, corners: &[[usize; 2]]) -> Tensor<3> {
        self.project(self.vision_tower.forward_windows(pixels, corners))
    }

    /// The projector alone.
    ///
    /// # Shapes
    ///
    /// - hidden: `[T, N, Dv]`
    /// - output: `[T, N, D]`
    pub fn project(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.multi_modal_projector.forward(hidden)
    }
}

pack_layers!(VisionModules { vision_tower, multi_modal_projector });
