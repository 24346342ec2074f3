//! The linear layer. Its weight has the shape that public checkpoints use.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, assert_shape};

use crate::packed::{Pack, PackLayers, Packed, Wanted};
use crate::{Activation, ops};

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
    /// `[d_output, d_input]`, initialized from `U(-k, k)` with `k = sqrt(1 / d_input)`.
    pub weight: Param<Tensor<2>>,
    /// `[d_output]`, initialized in the same way.
    pub bias: Option<Param<Tensor<1>>>,
    /// Replaces weight and bias, which are then never initialized. For inference only.
    #[module(skip)]
    packed: Option<Packed>,
}

impl LinearConfig {
    /// A layer whose parameters are initialized on first use.
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
    /// Features of the input.
    pub(crate) fn d_input(&self) -> usize {
        self.shape()[1]
    }

    /// # Shapes
    ///
    /// - x: `[.., d_input]`
    /// - output: `[.., d_output]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.apply(x, None, None)
    }

    /// The layer followed by an activation.
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

    /// Several layers with the same input, which packed ones read once.
    ///
    /// # Shapes
    ///
    /// - x: `[.., d_input]`
    /// - output: `[.., d_output]` each
    pub(crate) fn forward_all<const D: usize, const N: usize>(
        layers: [&Self; N],
        x: Tensor<D>,
    ) -> [Tensor<D>; N] {
        let packed: Option<Vec<&Packed>> = layers.iter().map(|layer| layer.packed.as_ref()).collect();
        match packed.map(<[&Packed; N]>::try_from) {
            Some(Ok(packed)) => ops::packed_linears(x, packed),
            _ => layers.map(|layer| layer.forward(x.clone())),
        }
    }

    fn apply<const D: usize>(
        &self,
        x: Tensor<D>,
        activation: Option<Activation>,
        residual: Option<Tensor<D>>,
    ) -> Tensor<D> {
        let [d_output, d_input] = self.shape();
        assert_shape!(x, [.., d_input]);
        if let Some(residual) = &residual {
            let mut expected = x.dims();
            expected[D - 1] = d_output;
            assert_eq!(residual.dims(), expected, "linear: shape of the residual");
        }
        if let Some(packed) = &self.packed {
            return ops::packed_linear(x, packed, activation, residual);
        }
        let mut y = ops::linear(x, self.weight.val(), self.bias.as_ref().map(|bias| bias.val()));
        if let Some(activation) = activation {
            y = ops::activate(y, activation);
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

    fn set_wanted(&mut self, wanted: Wanted) {
        if let Some(packed) = &mut self.packed {
            packed.set_wanted(wanted);
        }
    }
}

impl PackLayers for Linear {
    fn for_each_packable(&mut self, path: &str, visit: &mut dyn FnMut(&str, &mut dyn Pack)) {
        visit(path, self);
    }
}
