//! Attention of codes over the positions of a grid that carry their label.

use burn::backend::Dispatch;
use burn::tensor::{Tensor, TensorData, assert_shape};
pub use vqtoken_kernels::PositionAttention;

use super::has_kernels;
use crate::kernel_ops::PositionOps;

/// For each code and head the mean of the features of the code's positions, weighted by `softmax(query . features)` over them;
/// zeros for a code without positions.
///
/// The kernel's time is linear in the positions and its memory in the output. Other devices and types compute it densely, with
/// memory for every code and head at every position.
///
/// # Shapes
///
/// - query, output: `[clips, codes, heads * 3 * features]`
///
/// # Panics
///
/// Panics if the labels or the tables of `attention` do not have the lengths that it says, or a label is not below `codes`.
pub fn position_attention(query: Tensor<3>, attention: &PositionAttention<'_>) -> Tensor<3> {
    let PositionAttention { labels, shape, codes, heads, features, tables } = *attention;
    assert_shape!(query, [labels.len(), codes, heads * 3 * features]);
    for labels in labels {
        assert_eq!(
            labels.len(),
            shape.iter().product::<usize>(),
            "position attention: labels against the shape"
        );
        assert!(
            labels.iter().all(|&label| (label as usize) < codes),
            "position attention: a label is not below {codes}"
        );
    }
    for (count, table) in shape.into_iter().zip(tables) {
        assert_eq!(table.len(), count * features, "position attention: a table against its axis");
    }
    match has_kernels(&query) {
        true => Tensor::from_dispatch(<Dispatch as PositionOps>::kernel_position_attention(
            query.into_dispatch(),
            attention,
        )),
        false => dense(query, attention),
    }
}

/// Taken off the scores of positions of other codes.
const OTHER_CODE: f32 = 1e4;

/// What a code without positions is divided by.
const SMALLEST_TOTAL: f32 = 1e-20;

/// By burn's operations: every code's weight at every position.
fn dense(query: Tensor<3>, attention: &PositionAttention<'_>) -> Tensor<3> {
    let PositionAttention { labels, codes, heads, .. } = *attention;
    let (clips, described) = (labels.len(), 3 * attention.features);
    let (device, dtype) = (query.device(), query.dtype());
    let keys = position_features(attention);
    let positions = keys.len() / described;
    let keys = Tensor::<3>::from_data(TensorData::new(keys, [1, positions, described]), &device).cast(dtype);

    let mut own = vec![0.0_f32; clips * codes * positions];
    for (clip, labels) in labels.iter().enumerate() {
        for (position, &label) in labels.iter().enumerate() {
            own[(clip * codes + label as usize) * positions + position] = 1.0;
        }
    }
    let own = Tensor::<4>::from_data(TensorData::new(own, [clips, codes, 1, positions]), &device).cast(dtype);

    let query = query.reshape([clips, codes * heads, described]); // [clips, codes * heads, 3 * features]
    let scores = query.matmul(keys.clone().swap_dims(1, 2)); // [clips, codes * heads, positions]
    let scores = scores.reshape([clips, codes, heads, positions]) + (own.clone() - 1.0) * OTHER_CODE;
    let largest = scores.clone().detach().max_dim(3); // [clips, codes, heads, 1]
    let weights = (scores - largest).exp() * own; // [clips, codes, heads, positions]
    let totals = weights.clone().sum_dim(3).clamp_min(SMALLEST_TOTAL); // [clips, codes, heads, 1]
    let weights = (weights / totals).reshape([clips, codes * heads, positions]);
    weights.matmul(keys).reshape([clips, codes, heads * described])
}

/// The features of every position, `[positions, 3 * features]`.
fn position_features(attention: &PositionAttention<'_>) -> Vec<f32> {
    let PositionAttention { shape: [frames, height, width], features, tables, .. } = *attention;
    let of_axis = |axis: usize, coordinate: usize| &tables[axis][coordinate * features..][..features];
    let positions = (0..frames * height * width).flat_map(|position| {
        [position / (height * width), position / width % height, position % width]
            .into_iter()
            .enumerate()
            .flat_map(|(axis, coordinate)| of_axis(axis, coordinate))
    });
    positions.copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::values;
    use burn::tensor::Device;

    const HEADS: usize = 3;
    const FEATURES: usize = 5;

    /// The output for queries `[clips, codes, heads * 3 * features]` and the gradient by them of its sum, weighed differently everywhere.
    fn outputs(
        attention: &PositionAttention<'_>,
        form: impl Fn(Tensor<3>, &PositionAttention<'_>) -> Tensor<3>,
    ) -> [Vec<f32>; 2] {
        let device = Device::flex().autodiff();
        let shape = [attention.labels.len(), attention.codes, HEADS * 3 * FEATURES];
        let count = shape.iter().product();
        let tensor =
            |seed: u32| Tensor::<1>::from_floats(values(count, seed).as_slice(), &device).reshape(shape);
        let query = (tensor(1) * 3.0).require_grad();
        let output = form(query.clone(), attention);
        let gradients = (output.clone() * tensor(2)).sum().backward();
        [output, query.grad(&gradients).unwrap()].map(|x| x.into_data().try_to_vec().unwrap())
    }

    #[test]
    fn the_kernel_and_the_dense_form_agree_in_values_and_gradients() {
        for (clips, shape, codes) in
            [(1, [1, 1, 1], 1), (2, [3, 4, 5], 4), (3, [8, 9, 9], 32), (1, [30, 2, 3], 7)]
        {
            let positions = shape.iter().product::<usize>();
            let draw = |clip: usize| -> Vec<u32> {
                let drawn = values(positions, 7 + clip as u32);
                drawn.iter().map(|x| ((x.abs() * 1e4) as usize % codes) as u32).collect()
            };
            let labels: Vec<Vec<u32>> = (0..clips).map(draw).collect();
            let labels: Vec<&[u32]> = labels.iter().map(Vec::as_slice).collect();
            let tables = [0, 1, 2].map(|axis| values(shape[axis] * FEATURES, axis as u32 + 3));
            let attention = PositionAttention {
                labels: &labels,
                shape,
                codes,
                heads: HEADS,
                features: FEATURES,
                tables: tables.each_ref().map(Vec::as_slice),
            };
            let (kernel, dense) = (outputs(&attention, position_attention), outputs(&attention, dense));
            for (what, (kernel, dense)) in ["value", "gradient"].into_iter().zip(kernel.iter().zip(&dense)) {
                for (index, (a, b)) in kernel.iter().zip(dense).enumerate() {
                    // The dense form sums up to 648 products in f32.
                    assert!((a - b).abs() < 5e-6, "{what} {index} of {shape:?}: {a} is not {b}");
                }
            }
        }
    }
}
