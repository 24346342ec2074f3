//! The quantizer: a token grid and a budget in, a codebook and an index map out.

pub(crate) mod adaptive;
pub(crate) mod assign;
pub(crate) mod bounds;
pub(crate) mod elbow;
pub(crate) mod kmeans;
pub(crate) mod means;
pub(crate) mod merge_tree;
pub(crate) mod numbering;
pub(crate) mod published;
pub(crate) mod rule;
pub(crate) mod seeding;
pub(crate) mod silhouette;
pub(crate) mod start;

use rayon::prelude::*;

use crate::budget::{Budget, BudgetError};
use crate::codebook::{Codebook, CodebookError};
use crate::grid::{GridError, GridShape, Position, TokenGrid};
use crate::index_map::{IndexMap, IndexMapError};
use crate::quantize::adaptive::fit_from_trees;
use crate::quantize::kmeans::{Iteration, LloydFit};
use crate::quantize::means::ClusterSums;
use crate::quantize::numbering::number;
use crate::quantize::published::fit_as_published;
use crate::unit_tokens::UnitTokens;

pub use crate::quantize::numbering::CodeOrder;

/// How K and the codes are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Procedure {
    /// Ours: one start from merged micro-clusters serves every K, and only the chosen K is fitted.
    #[default]
    Shared,
    /// The published one, as a reference to compare with: plain k-means++ and a fit for every K. `restarts` have no effect on it. It stopped fits of a
    /// fixed budget after 50 iterations, those of an adaptive one after 100.
    Published,
}

/// Everything that decides what [`quantize`] gives for a token grid.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// How K and the codes are found.
    pub procedure: Procedure,
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
            procedure: Procedure::default(),
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
    /// Whether the fit ended because no label changed; never for a stream, whose tokens go where their groups go.
    pub converged: bool,
    /// What each iteration of the fit did; empty for a stream, whose fit is made on groups of tokens.
    pub iterations: Vec<Iteration>,
    /// One point for each K of an adaptive budget, by which its rule chose; empty for a fixed budget.
    pub curve: Vec<CurvePoint>,
    /// The sum of squared distances from each unit token to the mean of all: the inertia of a single code.
    pub variance: f64,
}

/// What one K of an adaptive budget costs: before a fit if it was read from the merge tree (the fit of the chosen K costs less), after it if
/// there was one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// K.
    pub codes: usize,
    /// The sum over tokens of 1 - cosine to their centroid.
    pub distortion: f64,
    /// The sum of squared distances from each unit token to the mean of its cluster.
    pub inertia: f64,
    /// The mean cosine silhouette, if the rule asks for it.
    pub silhouette: Option<f64>,
    /// Iterations of the fit; 0 if the point was read from the merge tree.
    pub iterations: usize,
}

/// Why a token grid could not be quantized.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QuantizeError {
    /// The budget allows no code.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The budget asks for more codes than there are tokens.
    #[error("a budget of {codes} codes is larger than the {tokens} tokens: ask for at most {tokens}")]
    TooFewTokens {
        /// The fewest codes that the budget allows.
        codes: usize,
        /// N.
        tokens: usize,
    },
    /// A chunk of a stream has tokens of other channels than those before.
    #[error(
        "the chunk behind frame {frames} has tokens of {found} channels, those before have {expected}: take all from the same model"
    )]
    ChunkDimension {
        /// Frames before the chunk.
        frames: usize,
        /// D of those.
        expected: usize,
        /// D of the chunk.
        found: usize,
    },
    /// A chunk of a stream has frames of another size than those before.
    #[error(
        "the chunk behind frame {frames} has frames of {} x {} tokens, those before have {} x {}: take all from the same model", found.0, found.1, expected.0, expected.1
    )]
    ChunkSize {
        /// Frames before the chunk.
        frames: usize,
        /// H and W of those.
        expected: (usize, usize),
        /// H and W of the chunk.
        found: (usize, usize),
    },
    /// A stream ended before the first frame.
    #[error("the stream of tokens ended before the first frame: give at least one chunk")]
    EmptyStream,
    /// A stream cannot be quantized as published, which needs all tokens at once.
    #[error(
        "the published procedure needs all tokens at once: quantize the whole grid, or stream with the shared procedure"
    )]
    PublishedStream,
    /// A chunk comes with more or fewer times than frames.
    #[error("a chunk of {frames} frames came with {times} timestamps: give one for each frame")]
    Timestamps {
        /// Frames of the chunk.
        frames: usize,
        /// Timestamps given.
        times: usize,
    },
    /// The budget of the whole video asks for more codes than its windows have.
    #[error(
        "a total of {total} codes is larger than the {of_windows} codes of all windows: ask for at most {of_windows}, or for more codes a window"
    )]
    TotalTooLarge {
        /// The fewest codes that the total budget allows.
        total: usize,
        /// The codes of all windows.
        of_windows: usize,
    },
    /// Windows of no length.
    #[error("windows of {seconds} s hold no frames: give a number of seconds above 0")]
    Window {
        /// What was asked.
        seconds: f64,
    },
    /// The stream is longer than an index map can be.
    #[error(transparent)]
    Grid(#[from] GridError),
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

impl QuantizeError {
    /// The same error in a stream that began behind so many frames.
    pub(crate) fn behind(mut self, before: usize) -> Self {
        match &mut self {
            Self::NotFinite { frame: frames, .. }
            | Self::ChunkDimension { frames, .. }
            | Self::ChunkSize { frames, .. } => *frames += before,
            _ => {}
        }
        self
    }
}

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
