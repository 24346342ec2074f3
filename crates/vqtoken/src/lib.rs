//! Ask a video a question: a video language model that reads a whole video as a few dozen discrete tokens.
//!
//! The facade over the crates of the workspace, and what the binary `vqtoken` adds to them: the built-in model, the
//! picture of video tokens, and a demonstration clip.
//!
//! ```no_run
//! use vqtoken::{Budget, Rule, Sampling, Video, VideoLlm};
//!
//! let model = VideoLlm::load("models/mini")?;
//! let clip = Video::open("demo.mp4")?.sample(Sampling::Uniform(32))?;
//! let tokens = model.encode(&clip, Budget::Adaptive { min: 2, max: 32, rule: Rule::Elbow })?;
//! for piece in model.ask(&tokens, "Which way does the red circle move?")? {
//!     print!("{}", piece?);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod builtin;
pub mod demo_clip;
pub mod figures;
pub mod picture;

pub use vqtoken_core::{
    Budget, Codebook, GridShape, IndexMap, Quality, QuantizerConfig, QuantizerStream, Reducer, Rule,
    TokenGrid, TokenHash, VideoTokens, WindowedQuantizer, Windows, quantize, reducer,
};
pub use vqtoken_model::{
    Answer, Chat, GenerationOptions, ModelError, Precision, TokenSampling, VideoLlm, VisualTokens,
};
pub use vqtoken_video::{Clip, Frame, Sampling, Video, VideoError};
