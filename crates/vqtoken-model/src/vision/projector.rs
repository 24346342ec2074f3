//! The projector: hidden states of the tower to tokens of the language model's width.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use vqtoken_nn::{Activation, Linear, LinearConfig, pack_layers};

/// The sizes of a [`Projector`].
#[derive(Clone, Copy, Debug)]
pub struct ProjectorConfig {
    /// Features of the tower's hidden states.
    pub vision_features: usize,
    /// Features of the language model's tokens.
    pub text_features: usize,
}

impl ProjectorConfig {
    /// A projector with random weights.
    pub fn init(&self, device: &Device) -> Projector {
        Projector {
            linear_1: LinearConfig::new(self.vision_features, self.text_features).init(device),
            linear_2: LinearConfig::new(self.text_features, self.text_features).init(device),
        }
    }
}

/// `mlp2x_gelu`: from the tower's features to the language model's.
#[derive(Module, Debug)]
pub struct Projector {
    linear_1: Linear,
    linear_2: Linear,
}

impl Projector {
    /// # Shapes
    ///
    /// - hidden: `[T, N, Dv]`
    /// - output: `[T, N, D]`
    pub fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.linear_2.forward(self.linear_1.forward_activated(hidden, Activation::Gelu))
    }
}

pack_layers!(Projector { linear_1, linear_2 });
