//! Writing a checkpoint in the `transformers` layout.

use std::fs;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use safetensors::tensor::{Dtype, TensorView};
use vqtoken_nn::PackLayers;

use super::layout::{enter, exit, stored_name};
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

/// Collects the parameters of modules under the names that `transformers` writes.
#[derive(Debug, Default)]
struct Collector {
    path: Vec<String>,
    tensors: Vec<Stored>,
}

impl Collector {
    /// The bytes of a safetensors file.
    fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        let failed = |error: safetensors::SafeTensorError| ModelError::Weights {
            file: "model.safetensors".to_owned(),
            problem: error.to_string(),
        };
        let views = self
            .tensors
            .iter()
            .map(|t| {
                Ok((t.name.as_str(), TensorView::new(Dtype::F32, t.shape.clone(), &t.bytes).map_err(failed)?))
            })
            .collect::<Result<Vec<_>, ModelError>>()?;
        let metadata = [("format".to_owned(), "pt".to_owned())].into();
        safetensors::serialize(views, Some(metadata)).map_err(failed)
    }
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container: &str) {
        enter(&mut self.path, name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        exit(&mut self.path, container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().into_data();
        let values: &[f32] = data.as_slice().unwrap_or_default();
        self.tensors.push(Stored {
            name: stored_name(&self.path.join(".")),
            shape: data.shape().as_slice().to_vec(),
            bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        });
    }
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
    let mut packed_bytes = 0;
    // Clones share their numbers.
    model.clone().for_each_packable("", &mut |_, layer| packed_bytes += layer.packed_bytes());
    if packed_bytes > 0 {
        return Err(ModelError::Packed);
    }
    let mut collector = Collector::default();
    model.visit(&mut collector);
    write_directory(
        directory,
        &[
            ("config.json", config.to_json().into_bytes()),
            ("model.safetensors", collector.to_safetensors()?),
            ("tokenizer.json", tokenizer.to_vec()),
        ],
    )
}

/// Writes files into a new directory beside `directory`, then gives it that name: a model is there whole or not.
fn write_directory(directory: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), ModelError> {
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |source| ModelError::Unwritable { path, source }
    };
    if directory.exists() {
        let source =
            std::io::Error::new(std::io::ErrorKind::AlreadyExists, "it exists already; name a new directory");
        return Err(unwritable(directory)(source));
    }
    let mut name = directory.file_name().unwrap_or_default().to_owned();
    name.push(format!(".partial-{}", std::process::id()));
    let partial = directory.with_file_name(name);
    let written = fs::create_dir(&partial)
        .map_err(unwritable(&partial))
        .and_then(|()| {
            files.iter().try_for_each(|(file, bytes)| {
                let path = partial.join(file);
                fs::write(&path, bytes).map_err(unwritable(&path))
            })
        })
        .and_then(|()| fs::rename(&partial, directory).map_err(unwritable(directory)));
    if written.is_err() {
        // Nothing useful can be done if the clean-up fails too; the first error is the one to report.
        let _ = fs::remove_dir_all(&partial);
    }
    written
}
