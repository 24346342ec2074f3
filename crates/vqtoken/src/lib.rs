//! Ask a video a question: a video language model that reads a whole video as a few dozen discrete tokens.
//!
//! The facade over the crates of the workspace, and what the binary `vqtoken` adds to them: the built-in model, pictures of
//! video tokens, and a demonstration clip. [`prelude`] has what most programs need.
//!
//! ```no_run
//! use vqtoken::prelude::*;
//!
//! let model = VideoLlm::load("models/mini")?;
//! let clip = Video::open("demo.mp4")?.sample(Sampling::Uniform(32))?;
//! let tokens = model.encode(&clip, Budget::Adaptive { min: 2, max: 32, rule: Rule::Elbow })?;
//! for piece in model.ask(&tokens, "Which way does the red circle move?")? {
//!     print!("{}", piece?);
//! }
//! # Ok::<(), vqtoken::Error>(())
//! ```
//!
//! | from | to | with |
//! | --- | --- | --- |
//! | a file | sampled frames | [`Video`] |
//! | frames | video tokens | [`VisionSide`], [`Encoder`] |
//! | video tokens | a `.vqt` file and back | [`VideoTokens`] |
//! | video tokens and a question | text | [`LanguageSide`] |
//! | all of it | | [`VideoLlm`] |
//! | frames, codes and texts | vectors that can be compared | [`Retriever`] |

pub mod builtin;
mod cli;
pub mod demo_clip;
mod error;
#[doc(hidden)]
pub mod figures;
pub mod picture;

#[doc(hidden)]
pub use cli::command_line;
pub use error::Error;

pub use vqtoken_core::{
    Amount, Budget, BudgetError, CodeMerge, CodeOrder, CodeTree, CodeTreeError, Codebook, CodebookError,
    CurvePoint, GridError, GridShape, IndexMap, IndexMapError, Iteration, MapCodingError, PathPoint,
    Position, Procedure, Quality, QualityError, Quantization, QuantizeError, QuantizerConfig, QuantizerStats,
    QuantizerStream, REDUCERS, ReduceError, Reducer, ReducerInfo, Reduction, Rule, RuleError, SharedValues,
    Source, TokenGrid, TokenHash, VideoTokens, VqtError, VqtFormatError, WindowedQuantizer, Windows,
    pool_bilinear, quantize, reducer, tok_dense,
};
pub use vqtoken_files::{Limit, LimitError, Limits};
pub use vqtoken_model::{
    Answer, Chat, CodeKind, CodeReader, Encoded, Encoder, EncoderOptions, EncodingEvent, EncodingProgress,
    GenerationOptions, LanguageSide, ModelError, Precision, PrecisionError, PrefilledVideo, Ranking,
    SamplingOptions, Tokens, TrainedInput, VideoInput, VideoLlm, VisionSeconds, VisionSide, VisualTokens,
};
pub use vqtoken_model::{
    EmbeddedTexts, Moment, MomentCutter, MomentOptions, RetrievalError, Retriever, Scoring, TextIds,
    TokenRetriever, cosine, normalize_rows,
};
pub use vqtoken_model::{checkpoint, config};
pub use vqtoken_video::{
    Cancellation, Clip, Damage, Decoder, Frame, Mp4Options, Mp4Writer, OpenOptions, PixelSpec, Pixels,
    Programs, Sampling, Span, Video, VideoError, VideoInfo, Warning,
};

/// What most programs need.
pub mod prelude {
    pub use crate::{
        Answer, Budget, Chat, Clip, Encoder, EncoderOptions, Error, Frame, GenerationOptions, LanguageSide,
        Rule, Sampling, Video, VideoLlm, VideoTokens, VisionSide,
    };
}
