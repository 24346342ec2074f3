//! The result of the quantizer and its statistics.

use super::kmeans::Iteration;
use crate::codebook::Codebook;
use crate::index_map::IndexMap;

/// A quantized clip. Every code has at least one token.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
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
