//! Every operation has the same output and the same gradients by its kernel in `f32` and by burn's operations in `f64`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use burn::tensor::{DType, Device, Tensor};
use vqtoken_nn::{Activation, Causality, Linear, LinearConfig, MultiHeadAttentionConfig, RotaryConfig, ops};

/// Pseudorandom values in (-1, 1) that depend on the seed.
fn random_values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| draw()).collect()
}

fn tensor<const D: usize>(shape: [usize; D], seed: u64, dtype: DType) -> Tensor<D> {
    let data = burn::tensor::TensorData::new(random_values(shape.iter().product(), seed), shape);
    Tensor::<D>::from_data(data, &Device::flex().autodiff()).cast(dtype).require_grad()
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.cast(DType::F64).into_data().try_to_vec().unwrap()
}

fn gradient<const D: usize>(x: &Tensor<D>, gradients: &burn::tensor::Gradients) -> Vec<f64> {
    values(x.grad(gradients).expect("every input has a gradient"))
}

/// Asserts that output and gradients of `f` agree in both types; the loss is a weighted sum of the output.
fn assert_agree<const D: usize>(what: &str, f: impl Fn(DType) -> (Tensor<D>, Vec<Input>)) {
    let run = |dtype| {
        let (output, inputs) = f(dtype);
        let weights = tensor(output.dims(), 99, dtype).detach();
        let gradients = (output.clone() * weights).sum().backward();
        let mut all = vec![values(output)];
        all.extend(inputs.iter().map(|input| input.gradient(&gradients)));
        all
    };
    for (index, (kernel, exact)) in run(DType::F32).iter().zip(&run(DType::F64)).enumerate() {
        let largest = exact.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
        for (a, b) in kernel.iter().zip(exact) {
            assert!((a - b).abs() < 2e-5 * largest, "{what}, tensor {index}: {a} is not close to {b}");
        }
        assert_eq!(kernel.len(), exact.len());
    }
}

enum Input {
    One(Tensor<1>),
    Two(Tensor<2>),
    Three(Tensor<3>),
    Four(Tensor<4>),
}

impl Input {
    fn gradient(&self, gradients: &burn::tensor::Gradients) -> Vec<f64> {
        match self {
            Self::One(x) => gradient(x, gradients),
            Self::Two(x) => gradient(x, gradients),
            Self::Three(x) => gradient(x, gradients),
            Self::Four(x) => gradient(x, gradients),
        }
    }
}

#[test]
fn linear_layers() {
    for (rows, inputs, outputs) in [(1, 3, 5), (7, 33, 19), (40, 64, 96)] {
        for has_bias in [false, true] {
            assert_agree("linear", |dtype| {
                let x = tensor([2, rows, inputs], 1, dtype);
                let weight = tensor([outputs, inputs], 2, dtype);
                let bias = tensor([outputs], 3, dtype);
                let y = ops::linear(x.clone(), weight.clone(), has_bias.then(|| bias.clone()));
                let mut all = vec![Input::Three(x), Input::Two(weight)];
                if has_bias {
                    all.push(Input::One(bias));
                }
                (y, all)
            });
        }
    }
}

#[test]
fn norms() {
    for (rows, width) in [(1, 1), (5, 24), (33, 97)] {
        assert_agree("layer norm", |dtype| {
            let (x, weight) = (tensor([rows, width], 1, dtype), tensor([width], 2, dtype));
            let bias = tensor([width], 3, dtype);
            let y = ops::layer_norm(x.clone(), weight.clone(), bias.clone(), 1e-2);
            (y, vec![Input::Two(x), Input::One(weight), Input::One(bias)])
        });
        assert_agree("RMS norm", |dtype| {
            let (x, weight) = (tensor([rows, width], 1, dtype), tensor([width], 2, dtype));
            let y = ops::rms_norm(x.clone(), weight.clone(), 1e-2);
            (y, vec![Input::Two(x), Input::One(weight)])
        });
    }
}

#[test]
fn attention() {
    for [batch, heads, kv_heads, queries, keys, head_dim] in
        [[1, 1, 1, 1, 1, 4], [2, 4, 4, 9, 9, 24], [2, 6, 2, 5, 13, 8], [1, 4, 4, 70, 70, 24]]
    {
        for causality in [Causality::Bidirectional, Causality::Causal] {
            assert_agree("attention", |dtype| {
                let query = tensor([batch, queries, heads, head_dim], 1, dtype);
                let key = tensor([batch, keys, kv_heads, head_dim], 2, dtype);
                let value = tensor([batch, keys, kv_heads, head_dim], 3, dtype);
                let y = ops::attention(query.clone(), key.clone(), value.clone(), causality);
                (y, vec![Input::Four(query), Input::Four(key), Input::Four(value)])
            });
        }
    }
}

#[test]
fn activations() {
    for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Silu, Activation::Relu] {
        assert_agree("activation", |dtype| {
            let x = tensor([5, 41], 1, dtype);
            // Wide enough to reach both tails.
            (ops::activate(x.clone() * 6.0, activation), vec![Input::Two(x)])
        });
    }
}

#[test]
fn rotary_positions() {
    let angles = RotaryConfig::new(8).init().angles(&[3, 4, 5, 6, 7, 8, 9]);
    assert_agree("rotation", |dtype| {
        let x = tensor([2, 7, 3, 8], 1, dtype);
        (angles.rotate(x.clone()), vec![Input::Four(x)])
    });
}

#[test]
fn frozen_inputs_have_no_gradient() {
    let device = Device::flex().autodiff();
    let layer: Linear = LinearConfig::new(4, 4).init(&device);
    let frozen = Tensor::<2>::ones([2, 4], &device);
    let y = layer.forward(frozen.clone());
    let gradients = y.sum().backward();
    assert!(frozen.grad(&gradients).is_none());
    assert!(layer.weight.val().grad(&gradients).is_some());
}

#[test]
fn gradients_have_the_same_bits_for_any_number_of_threads() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let device = Device::flex().autodiff();
            device.seed(1);
            let layer = MultiHeadAttentionConfig::new(48, 4).init(&device);
            let x = tensor([3, 65, 48], 4, DType::F32);
            let gradients = layer.forward(x.clone()).powi_scalar(2).sum().backward();
            gradient(&x, &gradients)
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(7));
}
