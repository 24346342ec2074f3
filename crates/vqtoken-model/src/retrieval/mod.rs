//! Texts and pictures in one space: a whole SigLIP, and the moments of a video that texts are compared with; texts and video tokens in
//! one space, without frames.

mod bilinear;
mod code_attention;
mod embedded;
mod embedded_texts;
mod error;
mod modules;
mod moments;
mod picture_tower;
mod pooling_head;
mod preprocessor;
mod reranker_modules;
mod retrieval_files;
mod retriever;
mod scoring;
mod seen_span;
mod text_ids;
mod text_tower;
mod token_modules;
mod token_reranker;
mod token_retriever;
mod vectors;
mod windows;

pub use embedded::mini;
pub use embedded_texts::EmbeddedTexts;
pub use error::RetrievalError;
pub(crate) use modules::SiglipModules;
pub use moments::{Moment, MomentCutter, MomentOptions};
pub use reranker_modules::{CodeFacts, TokenRerankerConfig, TokenRerankerModules};
pub use retrieval_files::{RetrievalFiles, RetrievalTokenizer};
pub use retriever::Retriever;
pub use scoring::Scoring;
pub use text_ids::TextIds;
pub use token_modules::{CodeVectors, TokenRetrieverConfig, TokenRetrieverModules};
pub use token_reranker::TokenReranker;
pub use token_retriever::{EmbeddedCodes, TokenRetriever};
pub use vectors::{cosine, normalize_rows};
pub use windows::{CodeWindow, window_seconds};
