//! What the quantizer costs, counted: the "module complexity" of VQToken's tables, apart from the language model's.

use crate::budget::Budget;
use crate::quantize::QuantizerStats;
use crate::quantize::seeding::CANDIDATES;
use crate::quantize::start::{DRAWS, MICRO_ITERATIONS, TRIAL_ITERATIONS, draws, start_size};

/// Floating-point operations of one clip's quantization. A multiplication and an addition are two; terms without N
/// (the centroids' lengths, the merges) are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuantizerFlops {
    /// Scaling N tokens to length 1: `3 N D`.
    pub normalize: u64,
    /// Where fits start. Ours is made on a sample of S tokens: seeds for M = 2 K micro-clusters (at least 32) from a third of it, `2 D` for each of
    /// its tokens and each token drawn, one for the first seed and three for each further one; four assignments and updates of these
    /// on all of it. For an adaptive budget, or 16 codes or fewer, three times, with five more of K codes each. Where the sample would be all tokens it is
    /// made once, from all of them. As published it is one draw a code from all tokens for every K.
    pub seeding: u64,
    /// The curve of an adaptive budget: `2 N M D` and `N D` to put every token into its micro-cluster. 0 as published.
    pub curve: u64,
    /// Lloyd: `2 N K D` for each assignment (one an iteration and a final one), `N D` for each update; summed over the fits.
    pub lloyd: u64,
    /// The silhouette, if the rule asks for it: `2 N M D` for all K together; as published `2 N K D` and `2 N D` for each.
    pub silhouette: u64,
}

impl QuantizerFlops {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.normalize + self.seeding + self.curve + self.lloyd + self.silhouette
    }
}

/// Counts what [`crate::quantize`] did on N = `tokens` tokens of D = `dim` channels, by the definition of the method and
/// not by how it is computed: a faster implementation has the same count.
///
/// Restarts beyond the first are left out.
pub fn quantizer_flops(tokens: usize, dim: usize, stats: &QuantizerStats) -> QuantizerFlops {
    let values = tokens as u64 * dim as u64;
    let mut flops = QuantizerFlops { normalize: 3 * values, ..QuantizerFlops::default() };
    let fit = |codes: usize, iterations: usize| {
        let assignments = iterations as u64 + 1;
        2 * values * codes as u64 * assignments + values * assignments
    };
    let has_silhouette = stats.curve.first().is_some_and(|point| point.silhouette.is_some());
    if stats.curve.iter().any(|point| point.iterations > 0) {
        for point in &stats.curve {
            flops.seeding += 2 * values * point.codes as u64;
            flops.lloyd += fit(point.codes, point.iterations);
            flops.silhouette += if has_silhouette { 2 * values * (point.codes as u64 + 1) } else { 0 };
        }
        return flops;
    }
    let most = stats.curve.last().map_or(stats.codes, |point| point.codes);
    let clusters = start_size(tokens, most).0 as u64;
    let draws = if stats.curve.is_empty() { draws(&Budget::Fixed(stats.codes)) } else { DRAWS };
    flops.seeding = start_flops(tokens, dim, most, draws);
    flops.curve = if stats.curve.is_empty() { 0 } else { 2 * values * clusters + values };
    flops.lloyd = fit(stats.codes, stats.iterations.len());
    flops.silhouette = if has_silhouette { 2 * values * clusters } else { 0 };
    flops
}

fn start_flops(tokens: usize, dim: usize, codes: usize, draws: usize) -> u64 {
    let (clusters, sample) = start_size(tokens, codes);
    let (clusters, values) = (clusters as u64, sample as u64 * dim as u64);
    let seeds = 2 * values * (1 + CANDIDATES as u64 * clusters.saturating_sub(1));
    let rounds = |clusters: u64, iterations: usize| (iterations as u64 + 1) * values * (2 * clusters + 1);
    let micro = rounds(clusters, MICRO_ITERATIONS);
    match draws as u64 {
        _ if sample == tokens => seeds + micro,
        1 => seeds / DRAWS as u64 + micro,
        draws => seeds + draws * (micro + rounds(codes as u64, TRIAL_ITERATIONS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize::CurvePoint;
    use crate::quantize::kmeans::Iteration;

    #[test]
    fn fixed_adaptive_and_published_counts() {
        let iterations = vec![Iteration { distortion: 1.0, inertia: 1.0, moved: 0, splits: 0 }; 3];
        let fixed = QuantizerStats {
            codes: 2,
            distortion: 1.0,
            inertia: 1.0,
            converged: true,
            iterations,
            curve: vec![],
            variance: 2.0,
        };
        // 10 tokens of 10 channels, all of them micro-clusters, which take 28 draws and four assignments and updates.
        let seeding = 5600 + 4 * 2100;
        let expected = QuantizerFlops { normalize: 300, seeding, lloyd: 1600 + 400, ..Default::default() };
        assert_eq!(quantizer_flops(10, 10, &fixed), expected);
        assert_eq!(expected.total(), 300 + 14_000 + 2000);
        let point = |codes, iterations| CurvePoint {
            codes,
            distortion: 1.0,
            inertia: 1.0,
            silhouette: Some(0.5),
            iterations,
        };
        let adaptive = QuantizerStats { curve: vec![point(2, 0), point(3, 0)], ..fixed.clone() };
        let expected = QuantizerFlops { normalize: 300, seeding, curve: 2100, lloyd: 2000, silhouette: 2000 };
        assert_eq!(quantizer_flops(10, 10, &adaptive), expected);
        let published = QuantizerStats { curve: vec![point(2, 1), point(3, 1)], ..fixed };
        let expected =
            QuantizerFlops { normalize: 300, seeding: 1000, curve: 0, lloyd: 2400, silhouette: 1400 };
        assert_eq!(quantizer_flops(10, 10, &published), expected);
    }
}
