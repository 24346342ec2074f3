//! The two feed-forward blocks: plain (SigLIP, VQ-attention) and gated (Qwen2).

use burn::module::Module;
use burn::tensor::{Device, Tensor, assert_shape};

use crate::linear::{Linear, LinearConfig};
use crate::thread_pool::join_for_single_row;
use crate::{Activation, pack_layers};

/// Configuration of a [`FeedForward`] block.
#[derive(Clone, Debug)]
pub struct FeedForwardConfig {
    /// Features of the input.
    pub d_input: usize,
    /// Features between the two layers.
    pub d_inner: usize,
    /// Features of the output.
    pub d_output: usize,
    /// The activation between the two layers.
    pub activation: Activation,
}

/// `fc2(activation(fc1(x)))`.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `d_input` to `d_inner`.
    pub fc1: Linear,
    /// `d_inner` to `d_output`.
    pub fc2: Linear,
    #[module(skip)]
    activation: Activation,
}

impl FeedForwardConfig {
    /// A block with parameters initialized as in [`LinearConfig::init`].
    pub fn init(&self, device: &Device) -> FeedForward {
        FeedForward {
            fc1: LinearConfig::new(self.d_input, self.d_inner).init(device),
            fc2: LinearConfig::new(self.d_inner, self.d_output).init(device),
            activation: self.activation,
        }
    }
}

impl FeedForward {
    /// # Shapes
    ///
    /// - x: `[.., d_input]`
    /// - output: `[.., d_output]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        assert_shape!(x, [.., self.fc1.d_input()]);
        let inner = self.fc1.forward_activated(x, self.activation); // [.., d_inner]
        self.fc2.forward(inner) // [.., d_output]
    }

    /// The block's output added to `residual`.
    ///
    /// # Shapes
    ///
    /// - x: `[.., d_input]`
    /// - residual, output: `[.., d_output]`
    pub fn forward_added<const D: usize>(&self, x: Tensor<D>, residual: Tensor<D>) -> Tensor<D> {
        assert_shape!(x, [.., self.fc1.d_input()]);
        let inner = self.fc1.forward_activated(x, self.activation); // [.., d_inner]
        self.fc2.forward_added(inner, residual) // [.., d_output]
    }
}

pack_layers!(FeedForward { fc1, fc2 });

/// Configuration of a [`GatedFeedForward`] block.
#[derive(Clone, Debug)]
pub struct GatedFeedForwardConfig {
    /// Features of the input and the output.
    pub d_model: usize,
    /// Features inside the block.
    pub d_inner: usize,
    /// The activation of the gate.
    pub activation: Activation,
}

/// `down(activation(gate(x)) * up(x))`, without biases.
#[derive(Module, Debug)]
pub struct GatedFeedForward {
    /// `d_model` to `d_inner`; the gate is its activated output.
    pub gate_proj: Linear,
    /// `d_model` to `d_inner`.
    pub up_proj: Linear,
    /// `d_inner` to `d_model`.
    pub down_proj: Linear,
    #[module(skip)]
    activation: Activation,
}

impl GatedFeedForwardConfig {
    /// A block with parameters initialized as in [`LinearConfig::init`].
    pub fn init(&self, device: &Device) -> GatedFeedForward {
        let linear = |d_input, d_output| LinearConfig::new(d_input, d_output).with_bias(false).init(device);
        GatedFeedForward {
            gate_proj: linear(self.d_model, self.d_inner),
            up_proj: linear(self.d_model, self.d_inner),
            down_proj: linear(self.d_inner, self.d_model),
            activation: self.activation,
        }
    }
}

impl GatedFeedForward {
    /// The block's output added to `residual`.
    ///
    /// # Shapes
    ///
    /// - x, residual, output: `[.., d_model]`
    pub fn forward_added<const D: usize>(&self, x: Tensor<D>, residual: Tensor<D>) -> Tensor<D> {
        assert_shape!(x, [.., self.gate_proj.d_input()]);
        let rows = x.dims().iter().rev().skip(1).product();
        let (gate, up) = join_for_single_row(
            rows,
            || self.gate_proj.forward_activated(x.clone(), self.activation), // [.., d_inner]
            || self.up_proj.forward(x.clone()),                              // [.., d_inner]
        );
        self.down_proj.forward_added(gate * up, residual) // [.., d_model]
    }
}

pack_layers!(GatedFeedForward { gate_proj, up_proj, down_proj });
