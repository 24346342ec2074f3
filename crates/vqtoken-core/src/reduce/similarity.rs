//! Cosines of tokens in the same cell of two frames.

use rayon::prelude::*;

use crate::grid::TokenGrid;
use crate::products::product;
use crate::unit_tokens::normalize;

/// The cosine of every token with the token of the same cell in its frame's reference frame, `[N]`, `None` where the frame has
/// none; and the operations: `3 N D` to normalise and `2 D` a cosine. The cosine with a zero vector is 0.
pub(crate) fn same_cell_cosines(
    grid: &TokenGrid,
    reference: impl Fn(usize) -> Option<usize> + Sync,
) -> (Vec<Option<f32>>, u64) {
    let (dim, per_frame) = (grid.dim(), grid.shape().tokens_per_frame());
    let units = normalize(grid.data(), dim);
    let unit = |token: usize| &units[token * dim..][..dim];
    let cosine = |token: usize| {
        let other = reference(token / per_frame)? * per_frame + token % per_frame;
        Some(product(unit(token), unit(other)))
    };
    let cosines: Vec<Option<f32>> =
        (0..grid.shape().len()).into_par_iter().with_min_len(64).map(cosine).collect();
    let compared = cosines.iter().flatten().count();
    (cosines, (3 * grid.data().len() + 2 * compared * dim) as u64)
}
