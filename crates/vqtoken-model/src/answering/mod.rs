//! The language side: video tokens and questions in, text out. It knows no frames.

mod generation;
mod language_side;
mod perplexity;
mod prefill;
mod prompt;
mod ranking;
mod sampler;
mod sequence;
mod visual_tokens;

pub use generation::{Answer, GenerationOptions, Tokens};
pub use language_side::LanguageSide;
pub use prefill::PrefilledVideo;
pub use ranking::Ranking;
pub use sampler::{Sampler, SamplingOptions};
pub use sequence::{ChatIds, Purpose, Sequence, TextPart, TextToRead, Unread};
pub use visual_tokens::VisualTokens;
