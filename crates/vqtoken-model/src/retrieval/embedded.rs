//! The token retriever and the token reranker of the model in the box, inside the program.

use std::path::PathBuf;

use super::retrieval_files::RetrievalFiles;
use super::token_reranker::TokenReranker;
use super::token_retriever::TokenRetriever;
use crate::checkpoint::{Checkpoint, ModelFiles, Weights};
use crate::error::ModelError;
use crate::text::ChatTemplate;

/// Files of `models/mini`, the model in the box. A program has one copy of each, whoever reads it.
pub mod mini {
    /// `config.json`
    pub const CONFIG: &str = include_str!("../../../../models/mini/config.json");
    /// `tokenizer.json`
    pub static TOKENIZER: &[u8] = include_bytes!("../../../../models/mini/tokenizer.json");
    /// `model.safetensors`
    pub static WEIGHTS: &[u8] = include_bytes!("../../../../models/mini/model.safetensors");
    /// `retrieval/config.json`
    pub const RETRIEVAL_CONFIG: &str = include_str!("../../../../models/mini/retrieval/config.json");
    /// `retrieval/model.safetensors`
    pub static RETRIEVAL_WEIGHTS: &[u8] =
        include_bytes!("../../../../models/mini/retrieval/model.safetensors");
    /// `reranking/config.json`
    pub const RERANKING_CONFIG: &str = include_str!("../../../../models/mini/reranking/config.json");
    /// `reranking/model.safetensors`
    pub static RERANKING_WEIGHTS: &[u8] =
        include_bytes!("../../../../models/mini/reranking/model.safetensors");
}

impl TokenRetriever {
    /// The token retriever of the model in the box (`models/mini`), with its reranker. Both were trained on moving shapes.
    ///
    /// # Errors
    ///
    /// None if the program was built from a sound checkout.
    pub fn embedded() -> Result<Self, ModelError> {
        let files = ModelFiles {
            place: PathBuf::from("the built-in model"),
            config: mini::CONFIG.to_owned(),
            tokenizer: mini::TOKENIZER.to_vec(),
            generation: None,
            preprocessor: None,
            end_of_message: None,
            template: ChatTemplate::ChatMl,
        };
        let weights = Weights::from_bytes("the built-in model", mini::WEIGHTS)?;
        let checkpoint = Checkpoint::from_parts("mini", files, weights)?;
        let retrieval =
            files_in("the built-in token retriever", mini::RETRIEVAL_CONFIG, mini::RETRIEVAL_WEIGHTS)?;
        let reranking =
            files_in("the built-in token reranker", mini::RERANKING_CONFIG, mini::RERANKING_WEIGHTS)?;
        let reranker = TokenReranker::from_files(&checkpoint, &reranking)?;
        Ok(Self::from_files(&checkpoint, &retrieval)?.with_reranker(reranker))
    }
}

fn files_in(place: &str, config: &str, weights: &'static [u8]) -> Result<RetrievalFiles, ModelError> {
    let weights = Weights::from_bytes(place, weights)?;
    Ok(RetrievalFiles { place: place.to_owned(), config: config.to_owned(), weights })
}
