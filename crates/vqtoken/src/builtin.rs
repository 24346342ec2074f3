//! The model inside the program, which answers when no other is named: trained on moving shapes, `configs/mini`.

use std::path::PathBuf;

use vqtoken_model::checkpoint::{Checkpoint, ModelFiles, Weights};
use vqtoken_model::{ChatTemplate, ModelError, Precision, TokenRetriever, TokenRetrieverFiles, VideoLlm};

/// Its name.
pub const NAME: &str = "mini";

/// What is said to whoever asks it.
pub(crate) const NOTE: &str = "note: the built-in model is a demonstration: it knows clips of moving shapes alone. Name another model with \
     --model.";

const CONFIG: &str = include_str!("../../../models/mini/config.json");
const TOKENIZER: &[u8] = include_bytes!("../../../models/mini/tokenizer.json");
const WEIGHTS: &[u8] = include_bytes!("../../../models/mini/model.safetensors");

const RETRIEVAL_CONFIG: &str = include_str!("../../../models/mini/retrieval/config.json");
const RETRIEVAL_WEIGHTS: &[u8] = include_bytes!("../../../models/mini/retrieval/model.safetensors");

/// Its text files.
pub fn files() -> ModelFiles {
    ModelFiles {
        place: PathBuf::from("the built-in model"),
        config: CONFIG.to_owned(),
        tokenizer: TOKENIZER.to_vec(),
        generation: None,
        preprocessor: None,
        end_of_message: None,
        template: ChatTemplate::ChatMl,
    }
}

/// Its tensors.
///
/// # Errors
///
/// None if the program was built from a sound checkout.
pub fn weights() -> Result<Weights, ModelError> {
    Weights::from_bytes("the built-in model", WEIGHTS)
}

/// Its checkpoint, from which either side can be built alone.
///
/// # Errors
///
/// None if the program was built from a sound checkout.
pub fn checkpoint() -> Result<Checkpoint, ModelError> {
    Checkpoint::from_parts(NAME, files(), weights()?)
}

/// The model itself.
///
/// # Errors
///
/// None if the program was built from a sound checkout.
pub fn load(precision: Precision) -> Result<VideoLlm, ModelError> {
    VideoLlm::from_checkpoint(checkpoint()?, precision)
}

/// The part of it that compares texts with codes.
///
/// # Errors
///
/// None if the program was built from a sound checkout.
pub fn token_retriever() -> Result<TokenRetriever, ModelError> {
    let place = "the built-in retriever";
    let files = TokenRetrieverFiles {
        place: place.to_owned(),
        config: RETRIEVAL_CONFIG.to_owned(),
        weights: Weights::from_bytes(place, RETRIEVAL_WEIGHTS)?,
    };
    TokenRetriever::from_files(&checkpoint()?, &files)
}
