//! The VQToken method on plain `f32` slices: a clip's token grid `[T, H, W, D]` in, a codebook `[K, D]` and an index
//! map `[T, H, W]` out, and the file that keeps them.
//!
//! Follow the data: [`TokenGrid`] -> [`quantize`] (normalise, a merge tree of micro-clusters, for an adaptive [`Budget`] the
//! choice of K by its [`Rule`], [`lloyd`]) -> [`Quantization`] -> [`TokenHash`] for where and when each code occurs, and
//! [`VideoTokens`] for the `.vqt` file. Frames that come one by one go through a [`QuantizerStream`] or a
//! [`WindowedQuantizer`] instead. Other ways to reduce a grid are [`Reducer`]s.
//!
//! Source: VQToken (Zhang and Fu, NeurIPS 2025, arXiv 2503.16980), section 3.
//!
//! ```
//! use vqtoken_core::{Budget, GridShape, QuantizerConfig, TokenGrid, TokenHash, quantize};
//!
//! let shape = GridShape { frames: 2, height: 1, width: 2 };
//! let grid = TokenGrid::new(shape, 2, vec![1.0, 0.0, 0.0, 1.0, 0.0, 2.0, 3.0, 0.0])?;
//! let config = QuantizerConfig::new(Budget::Fixed(2));
//! let quantization = quantize(&grid, &config)?;
//! assert_eq!(quantization.index_map.labels(), [0, 1, 1, 0]);
//! assert_eq!(TokenHash::new(&quantization.index_map).positions(0), [0, 3]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod code_tree;
mod codebook;
mod complexity;
mod grid;
mod index_map;
mod map_coding;
mod path;
mod products;
mod quality;
mod quantize;
mod random;
mod reduce;
mod stream;
mod tok_dense;
mod token_hash;
mod unit_tokens;
mod video_tokens;
mod vqt;

pub use budget::{Budget, BudgetError};
pub use code_tree::{CodeMerge, CodeTree, CodeTreeError};
pub use codebook::{Codebook, CodebookError};
pub use complexity::{QuantizerFlops, quantizer_flops};
pub use grid::{GridError, GridShape, Position, SharedValues, TokenGrid};
pub use index_map::{IndexMap, IndexMapError};
pub use map_coding::MapCodingError;
pub use path::PathPoint;
pub use quality::{Quality, QualityError};
pub use quantize::assign::assign;
pub use quantize::elbow::elbow;
pub use quantize::kmeans::{EmptyCode, Iteration, LloydFit, lloyd};
pub use quantize::rule::{Rule, RuleError};
pub use quantize::silhouette::silhouette;
pub use quantize::{
    CodeOrder, CurvePoint, Procedure, Quantization, QuantizeError, QuantizerConfig, QuantizerStats, quantize,
};
pub use reduce::{
    Amount, Average, Bilinear, DpcKnn, DyCoke, Evs, FastVid, HoliTom, NormPruning, PooledCell, REDUCERS,
    RandomSubset, ReduceError, ReducedTokens, Reducer, ReducerInfo, Reduction, Scissor, Sttm, Target, Tome,
    Uniform, VidCom2, VideoTome, VqToken, pool_bilinear, pooled_cells, reducer,
};
pub use stream::QuantizerStream;
pub use stream::join::{WindowPart, join_windows};
pub use stream::windows::WindowedQuantizer;
pub use tok_dense::tok_dense;
pub use token_hash::TokenHash;
pub use unit_tokens::{UnitTokens, normalize};
pub use video_tokens::{Source, VideoTokens, Windows};
pub use vqt::{VqtError, VqtFormatError};
