//! LLaVA-OneVision's pooling as a differentiable function of tokens.

use burn::tensor::{Tensor, TensorData};
use vqtoken_core::{PooledCell, pooled_cells};

/// Pools every frame's square grid bilinearly to half its sides, rounded up, as [`vqtoken_core::pool_bilinear`] does: one
/// linear map along each axis.
///
/// # Shapes
///
/// - grid: `[T, side * side, D]`
/// - output: `[T * half * half, D]`
pub(super) fn pool_grid(grid: Tensor<3>) -> Tensor<2> {
    let [frames, patches, d] = grid.dims();
    let side = patches.isqrt();
    assert_eq!(side * side, patches, "grids of frames are square");
    let half = side.div_ceil(2);
    let mut weights = vec![0.0; half * side];
    for (row, PooledCell { first, second, weight }) in
        weights.chunks_exact_mut(side).zip(pooled_cells(side, half))
    {
        row[first] += 1.0 - weight;
        row[second] += weight;
    }
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [half, side]), &grid.device());
    let rows = weights.clone().unsqueeze::<3>().expand([frames, half, side]);
    let grid = rows.matmul(grid.reshape([frames, side, side * d])); // [T, half, side * D]
    let columns = weights.unsqueeze::<3>().expand([frames * half, half, side]);
    let grid = columns.matmul(grid.reshape([frames * half, side, d])); // [T * half, half, D]
    grid.reshape([frames * half * half, d])
}

#[cfg(test)]
mod tests {
    use vqtoken_core::{GridShape, TokenGrid, pool_bilinear};

    use super::*;
    use crate::rng::Rng;
    use crate::tensors::{to_vec, training_device};

    #[test]
    fn tensors_and_slices_are_pooled_alike() {
        for side in [1, 2, 5, 8, 27] {
            let shape = GridShape { frames: 2, height: side, width: side };
            let mut rng = Rng::new(1, "grid", side as u64);
            let values: Vec<f32> = (0..2 * side * side * 3).map(|_| rng.unit() as f32).collect();
            let grid = TokenGrid::new(shape, 3, values.clone()).unwrap();
            let tensor = TensorData::new(values, [2, side * side, 3]);
            let tensor = to_vec(pool_grid(Tensor::from_data(tensor, &training_device())));
            let pooled = pool_bilinear(&grid).unwrap();
            assert_eq!(tensor.len(), pooled.data().len());
            // Sums of four products in another order.
            let off = tensor.iter().zip(pooled.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-6, "{side}: {off}");
        }
    }
}
