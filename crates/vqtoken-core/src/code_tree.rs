//! The codes of video tokens joined two by two: tokens of any smaller number of codes, without the video.

use crate::budget::Budget;
use crate::codebook::{Codebook, CodebookError};
use crate::index_map::{IndexMap, IndexMapError};
use crate::quantize::CurvePoint;
use crate::quantize::merge_tree::{Cluster, MergeTree};
use crate::quantize::rule::Rule;
use crate::video_tokens::{VideoTokens, Windows};

/// The codes of video tokens (the leaves, M of them) and the order in which they join until one is left. Each counts as often as it occurs in
/// the index map, and the two join that cost least, the first among equals. So many codes made once give every smaller number at once.
///
/// Codes of no cell cost nothing and join first.
///
/// ```
/// use vqtoken_core::{Budget, CodeTree, Codebook, GridShape, IndexMap, Quality, VideoTokens};
///
/// let shape = GridShape { frames: 1, height: 1, width: 4 };
/// let tokens = VideoTokens {
///     codebook: Codebook::new(3, 2, vec![1.0, 0.0, 0.0, 1.0, 0.96, 0.28])?,
///     index_map: IndexMap::new(shape, 3, vec![0, 1, 2, 2])?,
///     timestamps: vec![0.0],
///     model: "mini".into(),
///     source: None,
///     budget: Budget::Fixed(3),
///     windows: None,
///     quality: Quality::Exact,
/// };
/// let tree = CodeTree::new(&tokens);
/// let (codebook, index_map) = tree.at(2)?;
/// assert_eq!(index_map.labels(), [0, 1, 0, 0]);
/// assert_eq!(codebook.code(1), [0.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CodeTree {
    tokens: VideoTokens,
    tree: MergeTree,
    /// Distortion and inertia at every K from 1 to M.
    costs: Vec<(f64, f64)>,
}

/// Two codes become one.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CodeMerge {
    /// The leaf that stands for both from here on: the first of all in them.
    pub into: usize,
    /// The leaf that stood for the second.
    pub from: usize,
    /// How many codes are left.
    pub codes: usize,
    /// The distortion with these, as in [`CurvePoint`].
    pub distortion: f64,
    /// The inertia with these, as in [`CurvePoint`].
    pub inertia: f64,
}

impl CodeTree {
    /// Joins the codes. Takes some milliseconds for 256 codes.
    pub fn new(tokens: &VideoTokens) -> Self {
        let codebook = &tokens.codebook;
        let mut cells = vec![0_u64; codebook.codes()];
        for &label in tokens.index_map.labels() {
            // Fields are public: a label that has no code counts nowhere here, and is refused by `at`.
            if let Some(cells) = cells.get_mut(label as usize) {
                *cells += 1;
            }
        }
        let leaf = |(code, &cells): (&[f32], &u64)| Cluster {
            sum: code.iter().map(|&value| f64::from(value) * cells as f64).collect(),
            tokens: cells,
        };
        let leaves = codebook.data().chunks_exact(codebook.dim()).zip(&cells).map(leaf).collect();
        let tree = MergeTree::new(leaves, codebook.dim(), 1);
        let costs = tree.costs(tokens.index_map.labels().len() as f64);
        Self { tokens: tokens.clone(), tree, costs }
    }

    /// M, the codes there were at first.
    pub fn leaves(&self) -> usize {
        self.tree.leaves()
    }

    /// The tokens that the tree was made from.
    pub fn tokens(&self) -> &VideoTokens {
        &self.tokens
    }

    /// The codes that join, in order; M - 1 of them.
    pub fn merges(&self) -> Vec<CodeMerge> {
        let codes = (1..self.leaves()).rev();
        let merge = |((into, from), codes): ((usize, usize), usize)| {
            let (distortion, inertia) = self.costs[codes - 1];
            CodeMerge { into, from, codes, distortion, inertia }
        };
        self.tree.pairs().zip(codes).map(merge).collect()
    }

    /// What each K from 1 to M costs, in that order; it never rises. As codes are means of tokens of length 1, this is the cost over all tokens of the
    /// video, not only over the codes.
    pub fn curve(&self) -> Vec<CurvePoint> {
        let point = |(index, &(distortion, inertia)): (usize, &(f64, f64))| CurvePoint {
            codes: index + 1,
            distortion,
            inertia,
            silhouette: None,
            iterations: 0,
        };
        self.costs.iter().enumerate().map(point).collect()
    }

    /// The K of `min..=max`, cut to 1 to M, at the elbow of the curve.
    pub fn elbow(&self, min: usize, max: usize) -> usize {
        let max = max.clamp(1, self.leaves());
        let min = min.clamp(1, max);
        let curve = &self.curve()[min - 1..max];
        curve[Rule::Elbow.choose(curve, self.costs[0].1)].codes
    }

    /// For each leaf the code it belongs to when K = `codes` are left, `[M]`; codes are numbered by their first leaf.
    pub fn labels(&self, codes: usize) -> Vec<u32> {
        self.tree.labels(codes.clamp(1, self.leaves()))
    }

    /// Codebook and index map of K = `codes`, cut to 1 to M. A code is the mean of the tokens of all codes in it; with M codes it is what there was.
    ///
    /// # Errors
    /// If codebook and index map of the tokens did not belong together.
    pub fn at(&self, codes: usize) -> Result<(Codebook, IndexMap), CodeTreeError> {
        let labels = self.labels(codes);
        let before = &self.tokens.codebook;
        let clusters = self.tree.clusters(codes.clamp(1, self.leaves()));
        let mut values = Vec::with_capacity(clusters.len() * before.dim());
        for (code, cluster) in clusters.iter().enumerate() {
            match cluster.tokens {
                // Of no cell: there is no mean, so it stays what its first leaf was.
                0 => {
                    let first = labels.iter().position(|&label| label as usize == code).unwrap_or_default();
                    values.extend(before.code(first));
                }
                tokens => values.extend(cluster.sum.iter().map(|sum| (sum / tokens as f64) as f32)),
            }
        }
        // A label without a code stays one, so that the index map refuses it.
        let joined = |&label: &u32| labels.get(label as usize).copied().unwrap_or(u32::MAX);
        let joined = self.tokens.index_map.labels().iter().map(joined).collect();
        let codebook = Codebook::new(clusters.len(), before.dim(), values)?;
        let index_map = IndexMap::new(self.tokens.index_map.shape(), clusters.len(), joined)?;
        Ok((codebook, index_map))
    }

    /// Video tokens of K = `codes` codes, and otherwise as those that the tree was made from; with M codes or more, those themselves. Their budget says K; of a video
    /// in windows, the budget of all windows together does.
    ///
    /// # Errors
    /// As [`CodeTree::at`].
    pub fn tokens_at(&self, codes: usize) -> Result<VideoTokens, CodeTreeError> {
        if codes >= self.leaves() {
            return Ok(self.tokens.clone());
        }
        let (codebook, index_map) = self.at(codes)?;
        let joined = Budget::Fixed(codebook.codes());
        let (budget, windows) = match self.tokens.windows {
            None => (joined, None),
            Some(windows) => (self.tokens.budget, Some(Windows { total: Some(joined), ..windows })),
        };
        Ok(VideoTokens { codebook, index_map, budget, windows, ..self.tokens.clone() })
    }
}

/// Why codes could not be joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeTreeError {
    /// The index map names a code that the codebook does not have.
    #[error("the codes cannot be joined: {0}: take codebook and index map from one quantization")]
    IndexMap(#[from] IndexMapError),
    /// The joined codes are no codebook.
    #[error("the codes cannot be joined: {0}")]
    Codebook(#[from] CodebookError),
}
