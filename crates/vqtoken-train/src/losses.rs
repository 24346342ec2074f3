//! What several objectives share: cross-entropy, unit rows, the likeliest class. `docs/training.md` has the formulas.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};

use crate::tensors::{indices, to_vec};

/// The weighted mean of the cross-entropies of rows of logits.
///
/// # Shapes
///
/// - logits: `[n, classes]`
/// - classes, weights: `[n]`
/// - output: `[1]`
pub(crate) fn cross_entropy(logits: Tensor<2>, classes: &[u32], weights: &[f32]) -> Tensor<1> {
    let [n, _] = logits.dims();
    assert_eq!((classes.len(), weights.len()), (n, n), "one class and one weight per row of logits");
    let device = logits.device();
    let total: f32 = weights.iter().sum();
    let classes = indices(classes, &device).reshape([n, 1]);
    let weights = Tensor::<1>::from_data(TensorData::new(weights.to_vec(), [n]), &device);
    let log_likelihoods = log_softmax(logits, 1).gather(1, classes).reshape([n]);
    -(log_likelihoods * weights).sum() / total.max(f32::MIN_POSITIVE)
}

/// Rows scaled to length one: what the quantizer compares.
///
/// # Shapes
///
/// - rows, output: `[n, d]`
pub(crate) fn unit_rows(rows: Tensor<2>) -> Tensor<2> {
    const EPSILON: f32 = 1e-12;
    let squares = rows.clone().powi_scalar(2).sum_dim(1);
    rows / (squares + EPSILON).sqrt()
}

/// The index of the largest entry of each row, the first where several are.
///
/// # Shapes
///
/// - logits: `[n, classes]`
/// - output: `[n]`
pub(crate) fn argmax_rows(logits: &Tensor<2>) -> Vec<u32> {
    let [rows, classes] = logits.dims();
    let values = to_vec(logits.clone());
    let best = |row: &[f32]| {
        let better = |best: usize, i: usize| if row[i] > row[best] { i } else { best };
        (1..row.len()).fold(0, better) as u32
    };
    if rows == 0 { Vec::new() } else { values.chunks_exact(classes).map(best).collect() }
}
