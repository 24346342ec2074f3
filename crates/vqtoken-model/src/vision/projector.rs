//! The projector: hidden states of the tower to tokens of the language model's width.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use vqtoken_nn::{Activation, Linear, LinearConfig, pack_layers};

/// `mlp2x_gelu`: from the tower's features to the language model's.
#[derive(Module, Debug)]
pub struct Projector {
    linear_1: Linear,
    linear_2: Linear,
}

impl Projector {
    /// A projector from `d_vision` to `d_text` features.
    pub fn new(d_vision: usize, d_text: usize, device: &Device) -> Self {
        Self {
            linear_1: LinearConfig::new(d_vision, d_text).init(device),
            linear_2: LinearConfig::new(d_text, d_text).init(device),
        }
    }

    /// # Shapes
    ///
    /// - hidden: `[T, N, Dv]`
    /// - output: `[T, N, D]`
    pub fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.linear_2.forward(self.linear_1.forward_activated(hidden, Activation::Gelu))
    }
}

pack_layers!(Projector { linear_1, linear_2 });
