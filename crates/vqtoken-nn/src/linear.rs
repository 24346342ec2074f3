//! A linear layer whose weight has the shape of the public checkpoints.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

use crate::ops;

/// Configuration of a [`Linear`] layer.
#[derive(Config, Debug)]
pub struct LinearConfig {
    /// Input features.
    pub d_input: usize,
    /// Output features.
    pub d_output: usize,
    /// Whether a bias is added.
    #[config(default = true)]
    pub bias: bool,
}

/// `y = x @ weight^T + bias`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[d_output, d_input]`, drawn from `U(-k, k)` with `k = sqrt(1 / d_input)`.
    pub weight: Param<Tensor<2>>,
    /// `[d_output]`, drawn likewise.
    pub bias: Option<Param<Tensor<1>>>,
}

impl LinearConfig {
    /// A layer whose parameters are drawn when they are first read.
    pub fn init(&self, device: &Device) -> Linear {
        let bound = (1.0 / self.d_input.max(1) as f64).sqrt();
        let uniform = Initializer::Uniform { min: -bound, max: bound };
        Linear {
            weight: uniform.init([self.d_output, self.d_input], device),
            bias: self.bias.then(|| uniform.init([self.d_output], device)),
        }
    }
}

impl Linear {
    /// # Shapes
    ///
    /// - x: `[.., d_input]`
    /// - output: `[.., d_output]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        ops::linear(x, self.weight.val(), self.bias.as_ref().map(|bias| bias.val()))
    }
}
