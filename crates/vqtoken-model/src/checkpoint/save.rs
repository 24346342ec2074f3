//! Writing a checkpoint in the `transformers` layout.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use super::layout::stored_name;
use super::pack::packed_bytes;
use super::parameters::for_each_parameter;
use crate::config::OneVisionConfig;
use crate::error::ModelError;
use crate::one_vision::OneVision;

/// A tensor as it goes into the file.
#[derive(Debug)]
struct Stored {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// The bytes of a safetensors file with all parameters of a model, under the names that `transformers` writes.
fn to_safetensors(model: &OneVision) -> Result<Vec<u8>, ModelError> {
    let mut tensors = Vec::new();
    for_each_parameter(model, |parameter| {
        tensors.push(Stored {
            name: stored_name(parameter.name),
            shape: parameter.shape.to_vec(),
            bytes: parameter.values().iter().flat_map(|value| value.to_le_bytes()).collect(),
        });
    });
    let failed = |error: safetensors::SafeTensorError| ModelError::Weights {
        file: "model.safetensors".to_owned(),
        problem: error.to_string(),
    };
    let views = tensors.iter().map(|tensor| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), &tensor.bytes).map_err(failed)?;
        Ok((tensor.name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, ModelError>>()?;
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize(views, Some(metadata)).map_err(failed)
}

/// Writes a whole model directory in the `transformers` layout.
///
/// # Errors
///
/// If `directory` exists already or cannot be written, or the model was packed; then nothing of it is there.
pub fn save(
    directory: &Path,
    config: &OneVisionConfig,
    model: &OneVision,
    tokenizer: &[u8],
) -> Result<(), ModelError> {
    if packed_bytes(model) > 0 {
        return Err(ModelError::Packed);
    }
    let config = config.to_json().into_bytes();
    let weights = to_safetensors(model)?;
    vqtoken_files::write_folder(
        directory,
        &[("config.json", &config), ("model.safetensors", &weights), ("tokenizer.json", tokenizer)],
    )?;
    Ok(())
}
