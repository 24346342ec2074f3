//! The two feed-forward blocks: plain (SigLIP, VQ-attention, projector) and gated (Qwen2).

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::kernel_ops::both;
use crate::linear::{Linear, LinearConfig};
use crate::ops::Activation;
use crate::pack_layers;

/// `fc2(activation(fc1(x)))`.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// To the inner features.
    pub fc1: Linear,
    /// Back to the features of the output.
    pub fc2: Linear,
    #[module(skip)]
    activation: Activation,
}

impl FeedForward {
    /// A block from `d_input` over `d_inner` to `d_output` features.
    pub fn new([d_input, d_inner, d_output]: [usize; 3], activation: Activation, device: &Device) -> Self {
        Self {
            fc1: LinearConfig::new(d_input, d_inner).init(device),
            fc2: LinearConfig::new(d_inner, d_output).init(device),
            activation,
        }
    }

    /// # Shapes
    ///
    /// - x: `[.., d_input]`
    /// - output: `[.., d_output]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.fc2.forward(self.fc1.forward_activated(x, self.activation))
    }

    /// The block's output added to `residual`.
    ///
    /// # Shapes
    ///
    /// - x: `[.., d_input]`
    /// - residual, output: `[.., d_output]`
    pub fn forward_added<const D: usize>(&self, x: Tensor<D>, residual: Tensor<D>) -> Tensor<D> {
        self.fc2.forward_added(self.fc1.forward_activated(x, self.activation), residual)
    }
}

pack_layers!(FeedForward { fc1, fc2 });

/// `down(activation(gate(x)) * up(x))`, without biases.
#[derive(Module, Debug)]
pub struct GatedFeedForward {
    /// To the inner features; its activation is the gate.
    pub gate_proj: Linear,
    /// To the inner features.
    pub up_proj: Linear,
    /// Back to the features of the model.
    pub down_proj: Linear,
    #[module(skip)]
    activation: Activation,
}

impl GatedFeedForward {
    /// A block over `d_model` features with `d_inner` inside.
    pub fn new(d_model: usize, d_inner: usize, activation: Activation, device: &Device) -> Self {
        let linear = |d_input, d_output| LinearConfig::new(d_input, d_output).with_bias(false).init(device);
        Self {
            gate_proj: linear(d_model, d_inner),
            up_proj: linear(d_model, d_inner),
            down_proj: linear(d_inner, d_model),
            activation,
        }
    }

    /// The block's output added to `residual`.
    ///
    /// # Shapes
    ///
    /// - x, residual, output: `[.., d_model]`
    pub fn forward_added<const D: usize>(&self, x: Tensor<D>, residual: Tensor<D>) -> Tensor<D> {
        let rows = x.dims().iter().rev().skip(1).product();
        let (gate, up) = both(
            rows,
            || self.gate_proj.forward_activated(x.clone(), self.activation),
            || self.up_proj.forward(x.clone()),
        );
        self.down_proj.forward_added(gate * up, residual)
    }
}

pack_layers!(GatedFeedForward { gate_proj, up_proj, down_proj });
