//! The quantizer: a token grid and a budget in, a codebook and an index map out.

pub(crate) mod adaptive;
pub(crate) mod assign;
pub(crate) mod bounds;
mod choice;
mod config;
pub(crate) mod elbow;
mod error;
pub(crate) mod kmeans;
pub(crate) mod means;
pub(crate) mod merge_tree;
pub(crate) mod numbering;
mod pair_products;
pub(crate) mod published;
mod result;
pub(crate) mod rule;
pub(crate) mod seeding;
pub(crate) mod silhouette;
pub(crate) mod start;

pub use config::{Procedure, QuantizerConfig};
pub use error::QuantizeError;
pub use numbering::CodeOrder;
pub use result::{CurvePoint, Quantization, QuantizerStats};

use rayon::prelude::*;

use self::adaptive::fit_from_trees;
use self::kmeans::LloydFit;
use self::means::ClusterSums;
use self::numbering::number;
use self::published::fit_as_published;
use crate::budget::Budget;
use crate::codebook::Codebook;
use crate::grid::{GridShape, Position, TokenGrid};
use crate::index_map::IndexMap;
use crate::unit_tokens::UnitTokens;

/// Quantizes the tokens of one clip into a codebook and an index map.
///
/// Tokens are scaled to length 1. Greedy k-means++ draws twice as many seeds as codes from a sample of the tokens, a few
/// iterations make micro-clusters of them, and these are merged two by two. Where as many as codes are left, [`crate::lloyd`] starts,
/// with empty codes splitting others. For an adaptive budget all tokens go to their nearest micro-cluster first; then
/// the tree of merges tells what every K costs, the rule chooses, and only the chosen K is fitted. The result depends on the
/// tokens, the configuration and the kind of processor (its vectors' width) alone, not on the number of threads.
///
/// - A clip with fewer distinct directions than codes were asked for (constant clips) gets one code for each,
///   where directions within about 0.001 radians count as one. `min..=max` is cut to what exists, too.
/// - Tokens without direction (zero, or shorter than about 1e-12) belong to code 0 and pull it towards zero. If there
///   are no others, the codebook is that one zero code.
///
/// # Errors
/// If the budget allows no code or asks for more codes than there are tokens, or a token is not finite.
pub fn quantize(grid: &TokenGrid, config: &QuantizerConfig) -> Result<Quantization, QuantizeError> {
    check_budget(&config.budget, grid.shape().len())?;
    check_tokens(grid, 0)?;
    quantize_unit_tokens(&UnitTokens::new(grid), grid.shape(), config)
}

/// [`quantize`] for tokens that have been checked and normalised.
pub(crate) fn quantize_unit_tokens(
    tokens: &UnitTokens,
    shape: GridShape,
    config: &QuantizerConfig,
) -> Result<Quantization, QuantizeError> {
    let (fit, curve) = match config.procedure {
        Procedure::Shared => fit_from_trees(tokens, config)?,
        Procedure::Published => fit_as_published(tokens, config)?,
    };
    finish(shape, tokens, fit, curve, config.order)
}

/// Whether a budget can be given to so many tokens.
pub(crate) fn check_budget(budget: &Budget, tokens: usize) -> Result<(), QuantizeError> {
    budget.check()?;
    match budget.min_codes() {
        codes if codes > tokens => Err(QuantizeError::TooFewTokens { codes, tokens }),
        _ => Ok(()),
    }
}

/// Whether all tokens are finite. `before` frames went before those of the grid.
pub(crate) fn check_tokens(grid: &TokenGrid, before: usize) -> Result<(), QuantizeError> {
    let finite = |token: &[f32]| token.iter().fold(true, |finite, value| finite & value.is_finite());
    if grid.data().par_chunks(grid.dim()).with_min_len(64).all(finite) {
        return Ok(());
    }
    let place = grid.data().iter().position(|value| !value.is_finite()).unwrap_or_default();
    let Position { frame, row, column } = grid.shape().position(place / grid.dim()).unwrap_or_default();
    let (channel, value) = (place % grid.dim(), grid.data()[place]);
    Err(QuantizeError::NotFinite { frame: before + frame, row, column, channel, value })
}

/// Numbers the codes, drops unused ones, and takes the means once more.
fn finish(
    shape: GridShape,
    tokens: &UnitTokens,
    fit: LloydFit,
    curve: Vec<CurvePoint>,
    order: CodeOrder,
) -> Result<Quantization, QuantizeError> {
    let directed = |token: usize| tokens.has_direction(token);
    let (labels, codes) = number(&fit.labels, fit.codebook.codes(), order, directed);
    let (means, inertia, variance) = match (0..tokens.len()).all(directed) {
        // The codes of the fit under their new numbers.
        true => {
            let mut before = vec![0; codes];
            labels.iter().zip(&fit.labels).for_each(|(&label, &fitted)| before[label as usize] = fitted);
            let rows = before.iter().flat_map(|&code| fit.codebook.code(code as usize)).copied().collect();
            (rows, fit.inertia, fit.variance)
        }
        // Tokens without direction went to code 0, whichever that is now.
        false => {
            let clusters = ClusterSums::of_labels(tokens, &labels, codes);
            let means = clusters.means(&vec![0.0; codes * tokens.dim()]);
            (means, clusters.inertia(tokens), clusters.variance(tokens))
        }
    };
    Ok(Quantization {
        codebook: Codebook::new(codes, tokens.dim(), means)?,
        index_map: IndexMap::new(shape, codes, labels)?,
        stats: QuantizerStats {
            codes,
            distortion: fit.distortion,
            inertia,
            converged: fit.converged,
            iterations: fit.iterations,
            curve,
            variance,
        },
    })
}
