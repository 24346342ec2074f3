//! The two normalizations: SigLIP's layer norm and Qwen2's RMS norm.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, assert_shape};

use crate::ops;

/// Configuration of a [`LayerNorm`].
#[derive(Config, Debug)]
pub struct LayerNormConfig {
    /// Features of a token.
    pub d_model: usize,
    /// Added to the variance.
    #[config(default = 1e-5)]
    pub epsilon: f64,
}

/// Layer normalization over the last axis.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[d_model]`, initialized to ones.
    pub weight: Param<Tensor<1>>,
    /// `[d_model]`, initialized to zeros.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl LayerNormConfig {
    /// A layer with initial parameters.
    pub fn init(&self, device: &Device) -> LayerNorm {
        LayerNorm {
            weight: Initializer::Ones.init([self.d_model], device),
            bias: Initializer::Zeros.init([self.d_model], device),
            epsilon: self.epsilon,
        }
    }
}

impl LayerNorm {
    /// # Shapes
    ///
    /// - x, output: `[.., d_model]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let [d_model] = weight.dims();
        assert_shape!(x, [.., d_model]);
        ops::layer_norm(x, weight, bias, self.epsilon)
    }
}

/// Configuration of an [`RmsNorm`].
#[derive(Config, Debug)]
pub struct RmsNormConfig {
    /// Features of a token.
    pub d_model: usize,
    /// Added to the mean square.
    #[config(default = 1e-5)]
    pub epsilon: f64,
}

/// Root-mean-square normalization over the last axis.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[d_model]`, initialized to ones.
    pub weight: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl RmsNormConfig {
    /// A layer with initial parameters.
    pub fn init(&self, device: &Device) -> RmsNorm {
        RmsNorm { weight: Initializer::Ones.init([self.d_model], device), epsilon: self.epsilon }
    }
}

impl RmsNorm {
    /// # Shapes
    ///
    /// - x, output: `[.., d_model]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let weight = self.weight.val();
        let [d_model] = weight.dims();
        assert_shape!(x, [.., d_model]);
        ops::rms_norm(x, weight, self.epsilon)
    }
}
