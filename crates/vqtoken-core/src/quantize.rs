//! The quantizer: a token grid and a budget in, a codebook and an index map out.

use rayon::prelude::*;

use crate::budget::{Budget, BudgetError, Rule};
use crate::codebook::{Codebook, CodebookError};
use crate::elbow::elbow;
use crate::grid::{Position, TokenGrid};
use crate::index_map::{IndexMap, IndexMapError};
use crate::kmeans::{EmptyCode, Iteration, LloydFit, lloyd};
use crate::means::ClusterSums;
use crate::merging::Merging;
use crate::random::Random;
use crate::silhouette::silhouette;
use crate::start::start;
use crate::unit_tokens::UnitTokens;

/// How codes are numbered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CodeOrder {
    /// By their first appearance in (f, h, w) order: the numbers do not depend on how seeds were drawn.
    #[default]
    FirstAppearance,
    /// In the order their seeds were drawn (of merged ones, the first), for released attention weights, which were trained on such ids.
    Raw,
}

/// Everything that decides what [`quantize`] gives for a token grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QuantizerConfig {
    /// How many codes.
    pub budget: Budget,
    /// Seed of the sample and the k-means++ draws.
    pub seed: u64,
    /// How many fits from other samples and draws are made for a K, of which the one of least distortion is kept, the first among
    /// equals; 0 means 1.
    pub restarts: usize,
    /// The most iterations of one fit; a fit ends sooner when no label changes.
    pub max_iterations: usize,
    /// How codes are numbered.
    pub order: CodeOrder,
}

/// 32 codes, seed 0, one fit, at most 100 iterations, numbered by first appearance.
impl Default for QuantizerConfig {
    fn default() -> Self {
        Self {
            budget: Budget::PAPER_FIXED,
            seed: 0,
            restarts: 1,
            max_iterations: 100,
            order: CodeOrder::default(),
        }
    }
}

/// A quantized clip. Every code has at least one token.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantization {
    /// The means of the unit tokens of each code, `[K, D]`.
    pub codebook: Codebook,
    /// Which code each token was assigned to, `[T, H, W]`. If `stats.converged`, that is the code of the largest cosine
    /// for every token (equally near codes may be in any order); otherwise it is so for the centroids of the last
    /// iteration, of which the codes are one more update.
    pub index_map: IndexMap,
    /// How the fit went.
    pub stats: QuantizerStats,
}

/// How a fit went.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizerStats {
    /// K, the codes of the result: at most what was asked, at most the distinct directions of the tokens.
    pub codes: usize,
    /// The sum over tokens of 1 - cosine to the nearest centroid, which k-means minimises.
    pub distortion: f64,
    /// The sum of squared distances from each unit token to its code.
    pub inertia: f64,
    /// Whether the fit ended because no label changed.
    pub converged: bool,
    /// What each iteration of the fit did.
    pub iterations: Vec<Iteration>,
    /// One point for each K tried; empty for a fixed budget.
    pub curve: Vec<CurvePoint>,
}

/// The fit of one K of an adaptive budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// K, as many as the fit started with.
    pub codes: usize,
    /// The sum over tokens of 1 - cosine to the nearest centroid.
    pub distortion: f64,
    /// The mean cosine silhouette, if the rule asks for it.
    pub silhouette: Option<f64>,
    /// Iterations until no label changed, or the most allowed.
    pub iterations: usize,
}

/// Why a token grid could not be quantized.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QuantizeError {
    /// The budget allows no code.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// A token holds NaN or an infinity.
    #[error(
        "the token at frame {frame}, row {row}, column {column} holds {value} in channel {channel}: look for overflow in the vision tower or the projector"
    )]
    NotFinite {
        /// f of the first such token.
        frame: usize,
        /// h.
        row: usize,
        /// w.
        column: usize,
        /// Its first channel that is not finite.
        channel: usize,
        /// NaN, inf or -inf.
        value: f32,
    },
    /// The fit does not form a codebook.
    #[error(transparent)]
    Codebook(#[from] CodebookError),
    /// The labels do not form an index map.
    #[error(transparent)]
    IndexMap(#[from] IndexMapError),
}

/// Quantizes the tokens of one clip into a codebook and an index map.
///
/// Tokens are scaled to length 1. Greedy k-means++ draws twice as many seeds as codes from a sample of the tokens, a few
/// iterations make clusters of them, and the nearest are merged until as many as codes are left. From there [`lloyd`] runs
/// with empty codes splitting others. An adaptive budget does so for every K, from the same clusters, and keeps the K its
/// rule prefers. The result depends on the tokens, the configuration and the kind of processor (its vectors' width)
/// alone, not on the number of threads.
///
/// - A clip with fewer distinct directions than codes were asked for (constant clips, `K > N`) gets one code for each,
///   where directions within about 0.001 radians count as one. `min..=max` is cut to what exists, too.
/// - Tokens without direction (zero, or shorter than about 1e-12) belong to code 0 and pull it towards zero. If there
///   are no others, the codebook is that one zero code.
///
/// # Errors
/// If the budget allows no code or a token is not finite.
pub fn quantize(grid: &TokenGrid, config: &QuantizerConfig) -> Result<Quantization, QuantizeError> {
    config.budget.check()?;
    check_tokens(grid)?;
    let tokens = UnitTokens::new(grid);
    let start = |restart| start(&tokens, config.budget.max_codes(), Random::of_restart(config.seed, restart));
    let starts = (0..config.restarts.max(1)).map(start).collect::<Result<Vec<Merging>, _>>()?;
    let found = starts.iter().map(Merging::clusters).max().unwrap_or_default();
    let most = found.min(config.budget.max_codes());
    let fit = |codes: usize| best_fit(&tokens, &starts, codes, config.max_iterations);
    let mut curve = Vec::new();
    let fit = match config.budget {
        Budget::Fixed(_) => fit(most)?,
        Budget::Adaptive { min, rule, .. } => {
            let mut fits = Vec::new();
            for codes in min.min(most)..=most {
                let fit = fit(codes)?;
                let silhouette = match rule {
                    Rule::Silhouette => Some(silhouette(tokens.data(), tokens.dim(), &fit.labels, codes)),
                    Rule::Elbow => None,
                };
                let (distortion, iterations) = (fit.distortion, fit.iterations.len());
                curve.push(CurvePoint { codes, distortion, silhouette, iterations });
                fits.push(fit);
            }
            fits.swap_remove(choose(&curve, rule))
        }
    };
    finish(grid, &tokens, fit, curve, config.order)
}

/// The fit of least distortion from any of the starts, the first among equals.
fn best_fit(
    tokens: &UnitTokens,
    starts: &[Merging],
    codes: usize,
    max_iterations: usize,
) -> Result<LloydFit, CodebookError> {
    let fit = |start: &Merging| lloyd(tokens, &start.centroids(codes)?, max_iterations, EmptyCode::Reseed);
    let (first, others) = starts.split_at(1);
    let mut best = fit(&first[0])?;
    for start in others {
        let other = fit(start)?;
        if other.distortion < best.distortion {
            best = other;
        }
    }
    Ok(best)
}

fn check_tokens(grid: &TokenGrid) -> Result<(), QuantizeError> {
    let finite = |token: &[f32]| token.iter().fold(true, |finite, value| finite & value.is_finite());
    if grid.data().par_chunks(grid.dim()).with_min_len(64).all(finite) {
        return Ok(());
    }
    let place = grid.data().iter().position(|value| !value.is_finite()).unwrap_or_default();
    let Position { frame, row, column } = grid.shape().position(place / grid.dim()).unwrap_or_default();
    let (channel, value) = (place % grid.dim(), grid.data()[place]);
    Err(QuantizeError::NotFinite { frame, row, column, channel, value })
}

/// The place on the curve that the rule prefers; the fewest codes among equals.
fn choose(curve: &[CurvePoint], rule: Rule) -> usize {
    match rule {
        Rule::Elbow => {
            let codes: Vec<usize> = curve.iter().map(|point| point.codes).collect();
            let distortions: Vec<f64> = curve.iter().map(|point| point.distortion).collect();
            let chosen = elbow(&codes, &distortions);
            codes.iter().position(|&codes| Some(codes) == chosen).unwrap_or_default()
        }
        Rule::Silhouette => {
            let mut best = 0;
            for (place, point) in curve.iter().enumerate() {
                if point.silhouette > curve[best].silhouette {
                    best = place;
                }
            }
            best
        }
    }
}

/// Numbers the codes, drops unused ones, and takes the means once more.
fn finish(
    grid: &TokenGrid,
    tokens: &UnitTokens,
    fit: LloydFit,
    curve: Vec<CurvePoint>,
    order: CodeOrder,
) -> Result<Quantization, QuantizeError> {
    let (labels, codes) = number(tokens, &fit.labels, fit.codebook.codes(), order);
    let clusters = ClusterSums::of_labels(tokens, &labels, codes);
    Ok(Quantization {
        codebook: Codebook::new(codes, tokens.dim(), clusters.means(&vec![0.0; codes * tokens.dim()]))?,
        index_map: IndexMap::new(grid.shape(), codes, labels)?,
        stats: QuantizerStats {
            codes,
            distortion: fit.distortion,
            inertia: clusters.inertia(tokens),
            converged: fit.converged,
            iterations: fit.iterations,
            curve,
        },
    })
}

/// New labels and how many codes they use: codes that tokens with a direction use, in order, and 0 for the others.
fn number(tokens: &UnitTokens, labels: &[u32], codes: usize, order: CodeOrder) -> (Vec<u32>, usize) {
    let directed =
        || (0..labels.len()).filter(|&token| tokens.has_direction(token)).map(|token| labels[token]);
    let mut used = vec![false; codes];
    let mut in_order = Vec::new();
    for code in directed() {
        if !std::mem::replace(&mut used[code as usize], true) {
            in_order.push(code);
        }
    }
    if order == CodeOrder::Raw {
        in_order.sort_unstable();
    }
    let mut renumbered = vec![0; codes];
    for (fresh, &code) in in_order.iter().enumerate() {
        renumbered[code as usize] = fresh as u32;
    }
    let of_token = |(token, &label): (usize, &u32)| {
        if tokens.has_direction(token) { renumbered[label as usize] } else { 0 }
    };
    (labels.iter().enumerate().map(of_token).collect(), in_order.len().max(1))
}
