//! An opened checkpoint, from which either side of a model is built.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use vqtoken_kernels::Kernels;
use vqtoken_nn::{PackLayers, Precision};

use super::directory::ModelFiles;
use super::fill::{Filler, is_unused_by_design};
use super::identity::vision_checksum;
use super::parameters::for_each_parameter;
use super::weights::Weights;
use crate::config::{OneVisionConfig, VqAttentionConfig};
use crate::error::ModelError;
use crate::hub;
use crate::one_vision::OneVision;

/// The files of a model whose names and shapes fit together; values are read when a side is built.
#[derive(Debug)]
pub struct Checkpoint {
    id: String,
    config: OneVisionConfig,
    files: ModelFiles,
    weights: Weights,
}

impl Checkpoint {
    /// Opens a model directory in any of the public layouts; with the feature `hub` also a model of the Hugging Face hub by
    /// its id, such as `llava-hf/llava-onevision-qwen2-0.5b-ov-hf`.
    ///
    /// # Errors
    ///
    /// If a file is missing or damaged, or configuration and tensors do not belong together.
    pub fn open(model: impl AsRef<Path>) -> Result<Self, ModelError> {
        let model = model.as_ref();
        if !model.exists()
            && let Some(id) = hub::repository_id(model)
        {
            return Self::open_directory(id, &hub::fetch(id)?);
        }
        let name = model.file_name().unwrap_or(model.as_os_str()).to_string_lossy();
        Self::open_directory(&name, model)
    }

    fn open_directory(name: &str, directory: &Path) -> Result<Self, ModelError> {
        Self::from_parts(name, ModelFiles::open(directory)?, Weights::open(directory)?)
    }

    /// A checkpoint from files that were read elsewhere; `name` becomes part of its [id](Self::id).
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn from_parts(name: &str, files: ModelFiles, weights: Weights) -> Result<Self, ModelError> {
        Kernels::from_env()?;
        let config_file = files.place.join("config.json").display().to_string();
        let mut config = OneVisionConfig::parse(&config_file, &files.config)?;
        refuse_more_layers_than_tensors(&config_file, &config, &weights)?;
        if config.vq_attention.is_none() {
            config.vq_attention = released_attention(&weights);
        }
        let model = OneVision::new(&config, &Device::flex());
        let mut filler = Filler::new(&weights);
        filler.check(&model);
        filler.finish(|name| is_unused_by_design(name, &config))?;
        let mut names = Vec::new();
        for_each_parameter(&model.vision, |parameter| names.push(parameter.name.to_owned()));
        let id = format!("{name}@{:08x}", vision_checksum(&weights, &names)?);
        Ok(Self { id, config, files, weights })
    }

    /// Names the model in video tokens: its name and a checksum of its vision tower and projector.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The model's shape.
    pub fn config(&self) -> &OneVisionConfig {
        &self.config
    }

    /// Its text files.
    pub fn files(&self) -> &ModelFiles {
        &self.files
    }

    /// The precision that weights get where `wanted` leaves it open; never [`Precision::Auto`].
    pub(crate) fn precision(&self, wanted: Precision) -> Precision {
        wanted.resolve(self.weights.stored_precision())
    }

    /// Packs and fills the modules of one side; tensors of the other are not read.
    pub(crate) fn build<M: Module + PackLayers>(
        &self,
        mut modules: M,
        precision: Precision,
    ) -> Result<M, ModelError> {
        let mut filler = Filler::new(&self.weights);
        filler.pack(&mut modules, precision);
        let modules = filler.fill(modules);
        // Tensors of neither side were refused when the checkpoint was opened.
        filler.finish(|_| true)?;
        Ok(modules)
    }
}

/// The published VQ-attention, if the weights hold it.
fn released_attention(weights: &Weights) -> Option<VqAttentionConfig> {
    /// Of torch's `TransformerDecoderLayer` as published; the tensors do not tell.
    const HEADS: usize = 8;
    let &[_, patches] = weights.shape("vq_attention.to_q_proj.weight")? else { return None };
    let &[feed_forward, _] = weights.shape("vq_attention.feed_forward.fc1.weight")? else { return None };
    Some(VqAttentionConfig::Released { heads: HEADS, patches, feed_forward })
}

/// Refuses a configuration with more layers than there are tensors: every layer has several, and a damaged configuration
/// must not allocate a billion of them.
fn refuse_more_layers_than_tensors(
    file: &str,
    config: &OneVisionConfig,
    weights: &Weights,
) -> Result<(), ModelError> {
    let layers = config.vision.layers + config.text.layers;
    match layers <= weights.len() {
        true => Ok(()),
        false => Err(ModelError::Config {
            file: file.to_owned(),
            problem: format!(
                "it declares {layers} layers but the checkpoint has only {} tensors",
                weights.len()
            ),
        }),
    }
}
