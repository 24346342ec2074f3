//! Edits of the small checkpoint, and its answers.

#![allow(dead_code, reason = "every test file uses its own part of this module")]

use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use vqtoken_model::VideoLlm;

/// A tensor of a file: name, element type, shape, bytes.
pub(crate) type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

/// Changes a JSON file, which need not be there.
pub(crate) fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut json = fs::read(path).map_or(json!({}), |bytes| serde_json::from_slice(&bytes).unwrap());
    change(&mut json);
    fs::write(path, json.to_string()).unwrap();
}

pub(crate) fn tensors(path: &Path) -> Vec<Stored> {
    let bytes = fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, view)| (name.to_owned(), view.dtype(), view.shape().to_vec(), view.data().to_vec()))
        .collect()
}

pub(crate) fn write_tensors(path: &Path, tensors: &[Stored]) {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// A tensor of f32 values.
pub(crate) fn stored(name: &str, shape: &[usize], values: &[f32]) -> Stored {
    (name.to_owned(), Dtype::F32, shape.to_vec(), values.iter().flat_map(|x| x.to_le_bytes()).collect())
}

pub(crate) fn values(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// The logits after some text, which depend on every weight of the language model.
pub(crate) fn logits(model: &VideoLlm) -> Vec<f32> {
    model.language().logits(&[3, 1, 4, 1, 5], None, &[]).unwrap()
}

/// The message of a refusal, which is one line.
pub(crate) fn refusal(directory: &Path) -> String {
    let message = VideoLlm::load(directory).unwrap_err().to_string();
    assert_eq!(message.lines().count(), 1, "{message:?}");
    message
}
