//! The two normalizations: SigLIP's layer norm and Qwen2's RMS norm.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

use crate::ops;

/// Layer normalization over the last axis.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[d]`, ones at first.
    pub weight: Param<Tensor<1>>,
    /// `[d]`, zeros at first.
    pub bias: Param<Tensor<1>>,
    /// Added to the variance.
    #[module(skip)]
    pub epsilon: f64,
}

impl LayerNorm {
    /// A layer over `d` features.
    pub fn new(d: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([d], device),
            bias: Initializer::Zeros.init([d], device),
            epsilon,
        }
    }

    /// # Shapes
    ///
    /// - x, output: `[.., d]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        ops::layer_norm(x, self.weight.val(), self.bias.val(), self.epsilon)
    }
}

/// Root-mean-square normalization over the last axis.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[d]`, ones at first.
    pub weight: Param<Tensor<1>>,
    /// Added to the mean square.
    #[module(skip)]
    pub epsilon: f64,
}

impl RmsNorm {
    /// A layer over `d` features.
    pub fn new(d: usize, epsilon: f64, device: &Device) -> Self {
        Self { weight: Initializer::Ones.init([d], device), epsilon }
    }

    /// # Shapes
    ///
    /// - x, output: `[.., d]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        ops::rms_norm(x, self.weight.val(), self.epsilon)
    }
}
