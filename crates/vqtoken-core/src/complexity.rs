//! What the quantizer costs, counted: the "module complexity" of VQToken's tables, apart from the language model's.

use crate::quantize::{CurvePoint, QuantizerStats};
use crate::seeding::CANDIDATES;
use crate::start::{MICRO_ITERATIONS, start_size};

/// Floating-point operations of one clip's quantization. A multiplication and an addition are two; terms without N
/// (the centroids' lengths) are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuantizerFlops {
    /// Scaling N tokens to length 1: `3 N D`.
    pub normalize: u64,
    /// The start, on a sample of S tokens: `2 S D` for each token drawn, one for the first of M = 2 K micro-clusters and
    /// five for each further one, and six assignments and updates of these.
    pub seeding: u64,
    /// Lloyd: `2 N K D` for each assignment (one an iteration and a final one), `N D` for each update; summed over the K tried.
    pub lloyd: u64,
    /// The silhouette, if the rule asks for it: `2 N D` for the cluster sums and `2 N K D`; summed over the K tried.
    pub silhouette: u64,
}

impl QuantizerFlops {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.normalize + self.seeding + self.lloyd + self.silhouette
    }
}

/// Counts what [`crate::quantize`] did on N = `tokens` tokens of D = `dim` channels, by the definition of the method and
/// not by how it is computed: a faster implementation has the same count.
///
/// Restarts beyond the first are left out. A fixed budget is one fit, O(N K D) an iteration; an adaptive one is a fit for every K tried.
pub fn quantizer_flops(tokens: usize, dim: usize, stats: &QuantizerStats) -> QuantizerFlops {
    let values = tokens as u64 * dim as u64;
    let fixed = [CurvePoint {
        codes: stats.codes,
        distortion: stats.distortion,
        silhouette: None,
        iterations: stats.iterations.len(),
    }];
    let fits = if stats.curve.is_empty() { &fixed[..] } else { &stats.curve };
    let mut flops = QuantizerFlops { normalize: 3 * values, ..QuantizerFlops::default() };
    for fit in fits {
        let (codes, iterations) = (fit.codes as u64, fit.iterations as u64);
        // All K start from the micro-clusters of the largest.
        flops.seeding = flops.seeding.max(start_flops(tokens, dim, fit.codes));
        flops.lloyd += 2 * values * codes * (iterations + 1) + values * (iterations + 1);
        flops.silhouette += if fit.silhouette.is_some() { 2 * values * (codes + 1) } else { 0 };
    }
    flops
}

fn start_flops(tokens: usize, dim: usize, codes: usize) -> u64 {
    let (clusters, sample) = start_size(tokens, codes);
    let (clusters, values) = (clusters as u64, sample as u64 * dim as u64);
    let draws = 1 + CANDIDATES as u64 * clusters.saturating_sub(1);
    2 * values * draws + (MICRO_ITERATIONS as u64 + 1) * values * (2 * clusters + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kmeans::Iteration;

    #[test]
    fn fixed_and_adaptive_counts() {
        let iterations = vec![Iteration { distortion: 1.0, inertia: 1.0, moved: 0, splits: 0 }; 3];
        let fixed = QuantizerStats {
            codes: 2,
            distortion: 1.0,
            inertia: 1.0,
            converged: true,
            iterations,
            curve: vec![],
        };
        let expected =
            QuantizerFlops { normalize: 300, seeding: 3200 + 5400, lloyd: 1600 + 400, silhouette: 0 };
        assert_eq!(quantizer_flops(10, 10, &fixed), expected);
        let point = |codes| CurvePoint { codes, distortion: 1.0, silhouette: Some(0.5), iterations: 1 };
        let adaptive = QuantizerStats { curve: vec![point(2), point(3)], ..fixed };
        let flops = quantizer_flops(10, 10, &adaptive);
        assert_eq!(
            flops,
            QuantizerFlops { normalize: 300, seeding: 5200 + 7800, lloyd: 2400, silhouette: 1400 }
        );
        assert_eq!(flops.total(), 300 + 13_000 + 2400 + 1400);
    }
}
