//! What labels cost, computed from labels and tokens alone: the same measure for every way of finding them.

use vqtoken_core::normalize;

use super::tokens::Tokens;

/// How far tokens are from what they became.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quality {
    /// The sum of squared distances from each unit token to the mean of its cluster.
    pub(super) inertia: f64,
    /// The sum over tokens of 1 - cosine to the mean of their cluster.
    pub(super) distortion: f64,
}

/// One pass over the tokens: both costs follow from the sums of the clusters.
pub(super) fn quality(tokens: &Tokens, labels: &[u32], codes: usize) -> anyhow::Result<Quality> {
    let dim = tokens.dim();
    let (mut sums, mut counts, mut squares) = (vec![0.0f64; codes * dim], vec![0u64; codes], 0.0);
    for block in tokens.blocks() {
        let rows = normalize(&tokens.rows(block.clone())?, dim);
        for (row, &label) in rows.chunks_exact(dim).zip(&labels[block]) {
            counts[label as usize] += 1;
            let sum = &mut sums[label as usize * dim..][..dim];
            for (sum, &value) in sum.iter_mut().zip(row) {
                *sum += f64::from(value);
                squares += f64::from(value) * f64::from(value);
            }
        }
    }
    let mut quality = Quality { inertia: squares, distortion: 0.0 };
    for (sum, &count) in sums.chunks_exact(dim).zip(&counts) {
        let squared: f64 = sum.iter().map(|value| value * value).sum();
        quality.inertia -= squared / count.max(1) as f64;
        quality.distortion += count as f64 - squared.sqrt();
    }
    Ok(Quality { inertia: quality.inertia.max(0.0), distortion: quality.distortion.max(0.0) })
}
