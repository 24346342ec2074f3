//! The pieces that the objectives are made of; `docs/training.md` has the formulas.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};

/// Mean cross-entropy of rows of logits, each row with a weight, divided by the sum of the weights.
///
/// # Shapes
///
/// - logits: `[n, classes]`
/// - classes, weights: `[n]`
/// - output: `[1]`
pub fn cross_entropy(logits: Tensor<2>, classes: &[u32], weights: Option<&[f32]>) -> Tensor<1> {
    let device = logits.device();
    let rows = classes.len();
    let ids: Vec<i64> = classes.iter().map(|&class| i64::from(class)).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [rows, 1]), &device);
    let of_class = log_softmax(logits, 1).gather(1, ids).reshape([rows]);
    match weights {
        None => -of_class.mean(),
        Some(weights) => {
            let total: f32 = weights.iter().sum();
            let weights = Tensor::<1>::from_data(TensorData::new(weights.to_vec(), [rows]), &device);
            -(of_class * weights).sum() / total.max(f32::MIN_POSITIVE)
        }
    }
}

/// Rows scaled to length one: what the quantizer compares.
///
/// # Shapes
///
/// - rows, output: `[n, d]`
pub fn unit_rows(rows: Tensor<2>) -> Tensor<2> {
    const EPSILON: f32 = 1e-12;
    let squares = rows.clone().powi_scalar(2).sum_dim(1);
    rows / (squares + EPSILON).sqrt()
}

/// The largest entry of each row.
pub fn argmax_rows(logits: &Tensor<2>) -> Vec<u32> {
    let [rows, classes] = logits.dims();
    let values: Vec<f32> = logits.clone().into_data().try_to_vec().unwrap_or_default();
    let best = |row: &[f32]| {
        let better = |best: usize, i: usize| if row[i] > row[best] { i } else { best };
        (1..row.len()).fold(0, better) as u32
    };
    if rows == 0 { Vec::new() } else { values.chunks_exact(classes).map(best).collect() }
}
