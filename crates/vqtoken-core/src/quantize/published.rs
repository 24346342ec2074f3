//! The published procedure, as the reference: for every K tried k-means++ seeds of its own and Lloyd's iterations from them.
//!
//! Source: VQToken, section 3.2 and its public code: unit tokens, plain k-means++, assignment by cosine, empty codes stay
//! where they are, and a fit ends when the centroids together move by no more than 1e-4.

use crate::budget::Budget;
use crate::codebook::{Codebook, CodebookError};
use crate::quantize::assign::assign;
use crate::quantize::config::QuantizerConfig;
use crate::quantize::kmeans::{Iteration, LloydFit};
use crate::quantize::means::ClusterSums;
use crate::quantize::result::CurvePoint;
use crate::quantize::rule::Rule;
use crate::quantize::seeding::seed_plainly;
use crate::quantize::silhouette::silhouette;
use crate::random::Random;
use crate::unit_tokens::{UnitTokens, normalize};

/// How far all centroids together may still move when a fit ends: the Frobenius norm of their change.
const TOLERANCE: f64 = 1e-4;

/// The fit of the budget's K, or of the K that its rule prefers, and the curve it chose by: a fit for every K.
///
/// # Errors
/// Never on tokens of at least one channel.
pub(crate) fn fit_as_published(
    tokens: &UnitTokens,
    config: &QuantizerConfig,
) -> Result<(LloydFit, Vec<CurvePoint>), CodebookError> {
    // Every fit draws from the same stream.
    let fit = |codes| published_fit(tokens, codes, config.max_iterations, &mut Random::new(config.seed));
    let Budget::Adaptive { min, max, rule } = config.budget else {
        return Ok((fit(config.budget.max_codes())?, vec![]));
    };
    let (mut fits, mut curve) = (Vec::new(), Vec::new());
    for codes in min..=max.min(tokens.len()) {
        let fit = fit(codes)?;
        let silhouette =
            (rule == Rule::Silhouette).then(|| silhouette(tokens.data(), tokens.dim(), &fit.labels, codes));
        let LloydFit { distortion, inertia, .. } = fit;
        curve.push(CurvePoint { codes, distortion, inertia, silhouette, iterations: fit.iterations.len() });
        fits.push(fit);
    }
    let variance = fits.first().map_or(0.0, |fit| fit.variance);
    Ok((fits.swap_remove(rule.choose(&curve, variance)), curve))
}

/// A fit of `codes` codes as published. It computes every cosine and every sum anew in every iteration, so that it can be
/// read beside the paper.
///
/// # Errors
/// Never on tokens of at least one channel.
fn published_fit(
    tokens: &UnitTokens,
    codes: usize,
    max_iterations: usize,
    random: &mut Random,
) -> Result<LloydFit, CodebookError> {
    let dim = tokens.dim();
    let seeds = seed_plainly(tokens, codes, random);
    let mut centroids: Vec<f32> = seeds.iter().flat_map(|&seed| tokens.token(seed)).copied().collect();
    let mut labels = Vec::new();
    let (mut iterations, mut converged) = (Vec::new(), false);
    while iterations.len() < max_iterations && !converged {
        let assigned = assign(tokens, &Codebook::new(codes, dim, centroids.clone())?)?;
        let sums = ClusterSums::of_labels(tokens, &assigned, codes);
        iterations.push(Iteration {
            distortion: sums.distortion(&normalize(&centroids, dim)),
            inertia: sums.inertia(tokens),
            moved: assigned.iter().zip(&labels).filter(|(now, before)| now != before).count()
                + assigned.len().saturating_sub(labels.len()),
            splits: 0,
        });
        labels = assigned;
        let means = sums.means(&centroids);
        let change =
            means.iter().zip(&centroids).map(|(&to, &from)| f64::from(to - from).powi(2)).sum::<f64>();
        converged = change.sqrt() <= TOLERANCE;
        centroids = means;
    }
    let centroids = Codebook::new(codes, dim, centroids)?;
    let labels = assign(tokens, &centroids)?;
    let sums = ClusterSums::of_labels(tokens, &labels, codes);
    Ok(LloydFit {
        codebook: Codebook::new(codes, dim, sums.means(centroids.data()))?,
        distortion: sums.distortion(&normalize(centroids.data(), dim)),
        inertia: sums.inertia(tokens),
        variance: sums.variance(tokens),
        centroids,
        labels,
        iterations,
        converged,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{GridShape, TokenGrid};

    #[test]
    fn a_fit_worked_by_hand() {
        // Three tokens near one axis, one on the other: whatever the seeds, two codes end at (1, 0.1) and (0, 1).
        let data = vec![1.0, 0.0, 1.0, 0.1, 1.0, 0.2, 0.0, 1.0];
        let shape = GridShape { frames: 4, height: 1, width: 1 };
        let tokens = UnitTokens::new(&TokenGrid::new(shape, 2, data).unwrap());
        for start in 0..10 {
            let fit = published_fit(&tokens, 2, 50, &mut Random::new(start)).unwrap();
            let lone = fit.labels[3];
            assert_eq!(fit.labels[..3], [1 - lone; 3]);
            assert_eq!(fit.codebook.code(lone as usize), [0.0, 1.0]);
            assert!(fit.converged && fit.iterations.len() <= 4);
        }
    }

    #[test]
    fn equal_tokens_leave_a_code_empty() {
        let shape = GridShape { frames: 3, height: 1, width: 1 };
        let tokens = UnitTokens::new(&TokenGrid::new(shape, 2, [1.0, 2.0].repeat(3)).unwrap());
        let fit = published_fit(&tokens, 2, 50, &mut Random::new(1)).unwrap();
        assert_eq!((fit.labels, fit.converged), (vec![0; 3], true));
    }
}
