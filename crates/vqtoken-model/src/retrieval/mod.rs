//! Texts and pictures in one space: a whole SigLIP, and the moments of a video that texts are compared with.

mod bilinear;
mod error;
mod modules;
mod moments;
mod picture_tower;
mod pooling_head;
mod preprocessor;
mod retriever;
mod text_ids;
mod text_tower;
mod vectors;

pub use error::RetrievalError;
pub(crate) use modules::SiglipModules;
pub use moments::{Moment, MomentCutter, MomentOptions};
pub use retriever::{EmbeddedTexts, Retriever};
pub use text_ids::TextIds;
pub use vectors::{cosine, normalize_rows};
