//! Codes as differentiable functions of tokens: the assignment is a constant, the means are not.

use burn::tensor::{IndexingUpdateOp, Tensor, TensorData};

use crate::tensors::indices;

/// The mean of each code's unit tokens, with gradients to the tokens; zeros for a code without tokens.
///
/// # Shapes
///
/// - unit: `[n, D]`
/// - labels: `[n]`
/// - output: `[codes, D]`
pub(super) fn code_means(unit: Tensor<2>, labels: &[u32], codes: usize) -> Tensor<2> {
    let [n, d] = unit.dims();
    assert_eq!(labels.len(), n, "one label per token");
    let device = unit.device();
    let mut counts = vec![0.0_f32; codes];
    labels.iter().for_each(|&label| counts[label as usize] += 1.0);
    let shares = counts.iter().map(|count| 1.0 / count.max(1.0)).collect();
    let shares = Tensor::<2>::from_data(TensorData::new::<f32, _>(shares, [codes, 1]), &device);
    let sums = Tensor::zeros([codes, d], &device).select_assign(
        0,
        indices(labels, &device),
        unit,
        IndexingUpdateOp::Add,
    ); // [codes, D]
    sums * shares
}

/// The mean over tokens of the squared distance to their codes, which are held constant: it pulls tokens to their codes.
///
/// # Shapes
///
/// - unit: `[n, D]`
/// - codes: `[K, D]`
/// - labels: `[n]`
/// - output: `[1]`
pub(super) fn commitment_loss(unit: Tensor<2>, codes: Tensor<2>, labels: &[u32]) -> Tensor<1> {
    let [n, d] = unit.dims();
    assert_eq!((labels.len(), codes.dims()[1]), (n, d), "one label per token, codes as wide as tokens");
    let device = unit.device();
    let own = codes.detach().select(0, indices(labels, &device)); // [n, D]
    (unit - own).powi_scalar(2).sum_dim(1).mean()
}

/// Gradients against finite differences.
#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use vqtoken_core::{GridShape, IndexMap};
    use vqtoken_model::config::VqAttentionConfig;

    use super::*;
    use crate::losses::unit_rows;
    use crate::rng::Rng;
    use crate::tensors::training_device;

    const D: usize = 16;
    const CODES: usize = 5;
    const SHAPE: GridShape = GridShape { frames: 3, height: 4, width: 4 };
    const TOKENS: usize = 48;

    fn numbers(count: usize, index: u64) -> Vec<f32> {
        let mut rng = Rng::new(7, "numbers", index);
        (0..count).map(|_| (2.0 * rng.unit() - 1.0) as f32).collect()
    }

    fn map() -> IndexMap {
        let mut rng = Rng::new(7, "labels", 0);
        let labels = (0..TOKENS).map(|_| rng.below(CODES) as u32).collect();
        IndexMap::new(SHAPE, CODES, labels).unwrap()
    }

    fn matrix(rows: usize, values: Vec<f32>, device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, [rows, D]), device)
    }

    /// Checks the gradient of `loss` at random tokens along some directions.
    fn check(what: &str, loss: impl Fn(Tensor<2>) -> Tensor<1>) {
        const STEP: f32 = 4e-3;
        let device = training_device();
        let at = |values: Vec<f32>| matrix(TOKENS, values, &device);
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
            // The loss is rounded to 24 bits, and the division by the step enlarges that error.
            let allowed = 0.02 * expected.abs() + 5e-5;
            assert!(
                (found - expected).abs() < allowed,
                "{what}, direction {direction}: {found} is not {expected}"
            );
        }
    }

    /// A loss that weights every output differently.
    fn weighted<const N: usize>(output: Tensor<N>) -> Tensor<1> {
        let count = output.shape().num_elements();
        let device = output.device();
        let weights = Tensor::<1>::from_data(TensorData::new(numbers(count, 2), [count]), &device);
        (output.reshape([count]) * weights).sum()
    }

    #[test]
    fn gradients_flow_through_the_means() {
        let map = map();
        check("code means", |tokens| weighted(code_means(unit_rows(tokens), map.labels(), CODES)));
    }

    #[test]
    fn the_commitment_pulls_tokens_but_not_codes() {
        let map = map();
        let device = training_device();
        let codes = matrix(CODES, numbers(CODES * D, 3), &device);
        check("commitment", |tokens| commitment_loss(unit_rows(tokens), codes.clone(), map.labels()));
        let codes = codes.require_grad();
        let tokens = matrix(TOKENS, numbers(TOKENS * D, 1), &device).require_grad();
        let gradients = commitment_loss(tokens.clone(), codes.clone(), map.labels()).backward();
        assert!(tokens.grad(&gradients).is_some() && codes.grad(&gradients).is_none());
    }

    #[test]
    fn gradients_flow_through_every_kind_of_attention() {
        let map = map();
        let device = training_device();
        for kind in [
            VqAttentionConfig::Hash { heads: 2, frequencies: 3, bins: 4, feed_forward: 24 },
            VqAttentionConfig::Paper { positions: TOKENS },
            VqAttentionConfig::Released { heads: 2, patches: 16, feed_forward: 24 },
        ] {
            device.seed(5);
            let attention = kind.init(D, &device);
            check(&format!("{kind:?}"), |tokens| {
                let codes = code_means(unit_rows(tokens), map.labels(), CODES);
                weighted(attention.forward(codes, &map).unwrap())
            });
        }
    }
}
