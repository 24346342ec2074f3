//! The model inside the program, which answers when no other is named: trained on moving shapes, `configs/mini`.

use std::path::PathBuf;

use vqtoken_model::checkpoint::{Checkpoint, ModelFiles, Weights};
use vqtoken_model::mini::{CONFIG, TOKENIZER, WEIGHTS};
use vqtoken_model::{ChatTemplate, ModelError, Precision, VideoLlm};

/// Its name.
pub const NAME: &str = "mini";

/// What is said to whoever asks it.
pub(crate) const NOTE: &str = "note: the built-in model is a demonstration: it knows clips of moving shapes alone. Name another model with \
     --model.";

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
