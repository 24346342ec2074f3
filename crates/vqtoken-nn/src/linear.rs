//! A linear layer whose weight has the shape of the public checkpoints.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

use crate::ops::{self, Activation};
use crate::packed::{Pack, PackLayers, Packed};

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
    /// Stands for weight and bias, which then are never drawn, in models that only infer.
    #[module(skip)]
    packed: Option<Packed>,
}

impl LinearConfig {
    /// A layer whose parameters are drawn when they are first read.
    pub fn init(&self, device: &Device) -> Linear {
        let bound = (1.0 / self.d_input.max(1) as f64).sqrt();
        let uniform = Initializer::Uniform { min: -bound, max: bound };
        Linear {
            weight: uniform.init([self.d_output, self.d_input], device),
            bias: self.bias.then(|| uniform.init([self.d_output], device)),
            packed: None,
        }
    }
}

impl Linear {
    /// # Shapes
    ///
    /// - x: `[.., d_input]`
    /// - output: `[.., d_output]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.apply(x, None, None)
    }

    /// The layer and a non-linearity behind it.
    ///
    /// # Shapes
    ///
    /// - x: `[.., d_input]`
    /// - output: `[.., d_output]`
    pub fn forward_activated<const D: usize>(&self, x: Tensor<D>, activation: Activation) -> Tensor<D> {
        self.apply(x, Some(activation), None)
    }

    /// The layer's output added to `residual`.
    ///
    /// # Shapes
    ///
    /// - x: `[.., d_input]`
    /// - residual, output: `[.., d_output]`
    pub fn forward_added<const D: usize>(&self, x: Tensor<D>, residual: Tensor<D>) -> Tensor<D> {
        self.apply(x, None, Some(residual))
    }

    fn apply<const D: usize>(
        &self,
        x: Tensor<D>,
        activation: Option<Activation>,
        residual: Option<Tensor<D>>,
    ) -> Tensor<D> {
        if let Some(packed) = &self.packed {
            return ops::packed_linear(x, packed, activation, residual);
        }
        let mut y = ops::linear(x, self.weight.val(), self.bias.as_ref().map(|bias| bias.val()));
        if let Some(activation) = activation {
            y = activation.forward(y);
        }
        match residual {
            Some(residual) => residual + y,
            None => y,
        }
    }
}

impl Pack for Linear {
    fn shape(&self) -> [usize; 2] {
        self.weight.lazy_shape().dims()
    }

    fn has_bias(&self) -> bool {
        self.bias.is_some()
    }

    fn packed_bytes(&self) -> usize {
        self.packed.as_ref().map_or(0, Packed::bytes)
    }

    fn set_packed(&mut self, packed: Packed) {
        self.packed = Some(packed);
    }
}

impl PackLayers for Linear {
    fn for_each_packable(&mut self, path: &str, visit: &mut dyn FnMut(&str, &mut dyn Pack)) {
        visit(path, self);
    }
}
