//! Activation functions, forward and backward.

use rayon::prelude::*;

use crate::errors::check_length;
use crate::math::{normal_density, normal_distribution, sigmoid};
use crate::simd::{Simd, kernel};
use crate::{Kernels, ShapeError};

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU with the cumulative distribution function of the normal distribution: `x Phi(x)`.
    Gelu,
    /// The tanh approximation of GELU: `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2` (SigLIP).
    GeluTanh,
    /// SiLU: `x / (1 + e^-x)` (Qwen2).
    Silu,
    /// `max(x, 0)`.
    Relu,
}

/// An elementwise function on vectors.
pub(crate) trait Function {
    fn value<S: Simd>(s: S, x: S::F) -> S::F;
    /// `dy` times the derivative at `x`.
    fn gradient<S: Simd>(s: S, x: S::F, dy: S::F) -> S::F;
}

pub(crate) struct Identity;
pub(crate) struct Gelu;
pub(crate) struct GeluTanh;
pub(crate) struct Silu;
pub(crate) struct Relu;

impl Function for Identity {
    #[inline(always)]
    fn value<S: Simd>(_: S, x: S::F) -> S::F {
        x
    }
    #[inline(always)]
    fn gradient<S: Simd>(_: S, _: S::F, dy: S::F) -> S::F {
        dy
    }
}

impl Function for Gelu {
    #[inline(always)]
    fn value<S: Simd>(s: S, x: S::F) -> S::F {
        s.mul(x, normal_distribution(s, x))
    }
    #[inline(always)]
    fn gradient<S: Simd>(s: S, x: S::F, dy: S::F) -> S::F {
        s.mul(dy, s.fma(x, normal_density(s, x), normal_distribution(s, x)))
    }
}

/// `2 sqrt(2 / pi)`: `(1 + tanh u) / 2` is the logistic function of `2 u`.
const TWICE_ROOT: f32 = 1.595_769_1;
const CUBIC: f32 = 0.044_715;

impl Function for GeluTanh {
    #[inline(always)]
    fn value<S: Simd>(s: S, x: S::F) -> S::F {
        let inner = s.fma(s.mul(x, x), s.splat(TWICE_ROOT * CUBIC), s.splat(TWICE_ROOT));
        s.mul(x, sigmoid(s, s.mul(x, inner)))
    }
    #[inline(always)]
    fn gradient<S: Simd>(s: S, x: S::F, dy: S::F) -> S::F {
        let square = s.mul(x, x);
        let inner = s.fma(square, s.splat(TWICE_ROOT * CUBIC), s.splat(TWICE_ROOT));
        let gate = sigmoid(s, s.mul(x, inner));
        let inner_derivative = s.fma(square, s.splat(3.0 * TWICE_ROOT * CUBIC), s.splat(TWICE_ROOT));
        let rest = s.mul(s.mul(gate, s.sub(s.splat(1.0), gate)), s.mul(x, inner_derivative));
        s.mul(dy, s.add(gate, rest))
    }
}

impl Function for Silu {
    #[inline(always)]
    fn value<S: Simd>(s: S, x: S::F) -> S::F {
        s.mul(x, sigmoid(s, x))
    }
    #[inline(always)]
    fn gradient<S: Simd>(s: S, x: S::F, dy: S::F) -> S::F {
        let gate = sigmoid(s, x);
        s.mul(dy, s.mul(gate, s.fma(x, s.sub(s.splat(1.0), gate), s.splat(1.0))))
    }
}

impl Function for Relu {
    #[inline(always)]
    fn value<S: Simd>(s: S, x: S::F) -> S::F {
        // Adding zero turns -0 into 0; NaN passes through.
        s.select_gt(s.splat(0.0), x, s.splat(0.0), s.add(x, s.splat(0.0)))
    }
    #[inline(always)]
    fn gradient<S: Simd>(s: S, x: S::F, dy: S::F) -> S::F {
        // Not a product, which would turn some zeros into -0.
        s.select_gt(x, s.splat(0.0), dy, Self::value(s, x))
    }
}

#[inline(always)]
fn apply<S: Simd, A: Function>(s: S, x: &mut [f32]) {
    for x in x.chunks_mut(S::LANES) {
        let y = A::value(s, s.load_or(x, 0.0));
        s.store_some(x, y);
    }
}

#[inline(always)]
fn apply_gradient<S: Simd, A: Function>(s: S, x: &[f32], dy: &mut [f32]) {
    for (x, dy) in x.chunks(S::LANES).zip(dy.chunks_mut(S::LANES)) {
        let dx = A::gradient(s, s.load_or(x, 0.0), s.load_or(dy, 0.0));
        s.store_some(dy, dx);
    }
}

#[inline(always)]
fn forward<S: Simd>(s: S, activation: Activation, x: &mut [f32]) {
    match activation {
        Activation::Gelu => apply::<S, Gelu>(s, x),
        Activation::GeluTanh => apply::<S, GeluTanh>(s, x),
        Activation::Silu => apply::<S, Silu>(s, x),
        Activation::Relu => apply::<S, Relu>(s, x),
    }
}

#[inline(always)]
fn backward<S: Simd>(s: S, activation: Activation, x: &[f32], dy: &mut [f32]) {
    match activation {
        Activation::Gelu => apply_gradient::<S, Gelu>(s, x, dy),
        Activation::GeluTanh => apply_gradient::<S, GeluTanh>(s, x, dy),
        Activation::Silu => apply_gradient::<S, Silu>(s, x, dy),
        Activation::Relu => apply_gradient::<S, Relu>(s, x, dy),
    }
}

kernel!(fn forward_chunk(activation: Activation, x: &mut [f32]) = forward);
kernel!(fn backward_chunk(activation: Activation, x: &[f32], dy: &mut [f32]) = backward);

/// Values of a task.
const CHUNK: usize = 8192;

impl Kernels {
    /// Applies an activation to each value, in place.
    pub fn activate(self, activation: Activation, x: &mut [f32]) {
        x.par_chunks_mut(CHUNK).for_each(|x| forward_chunk(self, activation, x));
    }

    /// The gradient of [`Kernels::activate`]: multiplies `dy` in place by the derivative at `x`, the input of the forward
    /// pass.
    ///
    /// # Errors
    /// If the lengths differ.
    pub fn activate_backward(
        self,
        activation: Activation,
        x: &[f32],
        dy: &mut [f32],
    ) -> Result<(), ShapeError> {
        check_length("gradient of the activation", dy.len(), &[x.len()])?;
        x.par_chunks(CHUNK)
            .zip(dy.par_chunks_mut(CHUNK))
            .for_each(|(x, dy)| backward_chunk(self, activation, x, dy));
        Ok(())
    }
}
