//! Gradients through the means that codes are and through every kind of VQ-attention, against finite differences.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::{GridShape, IndexMap};
use vqtoken_model::config::VqAttentionConfig;
use vqtoken_train::draws::Draws;
use vqtoken_train::losses::unit_rows;
use vqtoken_train::reading::{code_means, commitment};

const D: usize = 16;
const CODES: usize = 5;
const SHAPE: GridShape = GridShape { frames: 3, height: 4, width: 4 };
const TOKENS: usize = 48;

fn numbers(count: usize, place: u64) -> Vec<f32> {
    let mut draws = Draws::at(7, "numbers", place);
    (0..count).map(|_| (2.0 * draws.unit() - 1.0) as f32).collect()
}

fn map() -> IndexMap {
    let mut draws = Draws::at(7, "labels", 0);
    let labels = (0..TOKENS).map(|_| draws.below(CODES) as u32).collect();
    IndexMap::new(SHAPE, CODES, labels).unwrap()
}

/// Checks the gradient of `loss` at random tokens along some directions.
fn check(what: &str, loss: impl Fn(Tensor<2>) -> Tensor<1>) {
    const STEP: f32 = 4e-3;
    let device = Device::flex().autodiff();
    let at = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [TOKENS, D]), &device);
    let start = numbers(TOKENS * D, 1);
    let tokens = at(start.clone()).require_grad();
    let gradients = loss(tokens.clone()).backward();
    let gradient: Vec<f32> = tokens.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
    let norm = gradient.iter().map(|x| x * x).sum::<f32>().sqrt();
    assert!(norm > 1e-3, "{what}: the gradient is {norm}");
    for direction in 0..6 {
        // Half of it along the gradient, so that the derivative is far from rounding errors.
        let random = numbers(TOKENS * D, 10 + direction);
        let length = random.iter().map(|x| x * x).sum::<f32>().sqrt();
        let along: Vec<f32> = random.iter().zip(&gradient).map(|(r, g)| r / length + g / norm).collect();
        let value = |step: f32| -> f64 {
            let moved = start.iter().zip(&along).map(|(x, d)| x + step * d).collect();
            f64::from(loss(at(moved)).into_scalar::<f32>())
        };
        let found = (value(STEP) - value(-STEP)) / (2.0 * f64::from(STEP));
        let expected: f64 = gradient.iter().zip(&along).map(|(g, d)| f64::from(g * d)).sum();
        // The loss is rounded to 24 bits, which the division by the step makes larger.
        let allowed = 0.02 * expected.abs() + 5e-5;
        assert!(
            (found - expected).abs() < allowed,
            "{what}, direction {direction}: {found} is not {expected}"
        );
    }
}

/// A loss that weighs every output differently.
fn weighed<const N: usize>(output: Tensor<N>) -> Tensor<1> {
    let count = output.shape().num_elements();
    let device = output.device();
    let weights = Tensor::<1>::from_data(TensorData::new(numbers(count, 2), [count]), &device);
    (output.reshape([count]) * weights).sum()
}

#[test]
fn through_the_means() {
    let map = map();
    check("code means", |tokens| weighed(code_means(unit_rows(tokens), map.labels(), CODES)));
}

#[test]
fn the_commitment_pulls_tokens_but_not_codes() {
    let map = map();
    let device = Device::flex().autodiff();
    let codes = Tensor::<2>::from_data(TensorData::new(numbers(CODES * D, 3), [CODES, D]), &device);
    check("commitment", |tokens| commitment(unit_rows(tokens), codes.clone(), map.labels()));
    let codes = codes.require_grad();
    let tokens =
        Tensor::<2>::from_data(TensorData::new(numbers(TOKENS * D, 1), [TOKENS, D]), &device).require_grad();
    let gradients = commitment(tokens.clone(), codes.clone(), map.labels()).backward();
    assert!(tokens.grad(&gradients).is_some() && codes.grad(&gradients).is_none());
}

#[test]
fn through_every_kind_of_attention() {
    let map = map();
    let device = Device::flex().autodiff();
    for kind in [
        VqAttentionConfig::Hash { heads: 2, frequencies: 3, bins: 4, feed_forward: 24 },
        VqAttentionConfig::Paper { positions: TOKENS },
        VqAttentionConfig::Released { heads: 2, patches: 16, feed_forward: 24 },
    ] {
        device.seed(5);
        let attention = kind.init(D, &device);
        check(&format!("{kind:?}"), |tokens| {
            let codes = code_means(unit_rows(tokens), map.labels(), CODES);
            weighed(attention.forward(codes, &map).unwrap())
        });
    }
}
