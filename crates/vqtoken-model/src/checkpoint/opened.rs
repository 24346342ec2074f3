//! An opened checkpoint, from which either side of a model is built.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use vqtoken_files::{Limits, quoted};
use vqtoken_kernels::Kernels;
use vqtoken_nn::{PackLayers, Precision};

use super::adapter::{Adapter, is_adapter};
use super::directory::ModelFiles;
use super::fill::{Filler, is_unused_by_design};
use super::identity::remembered_checksum;
use super::parameters::for_each_parameter;
use super::text_files::TextFiles;
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
    /// its id, such as `llava-hf/llava-onevision-qwen2-0.5b-ov-hf`. A directory of that name wins.
    ///
    /// A directory with a LoRA adapter is read onto the base model that it names.
    ///
    /// # Errors
    ///
    /// If a file is missing or damaged, or configuration and tensors do not belong together.
    pub fn open(model: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::open_with(model, None, &Limits::default())
    }

    /// [`Self::open`] where each text file, and the header of each weight file, may have [`Limits::bytes`]. With `base`, a directory or
    /// an id, `model` is a LoRA adapter that is read onto that model, whatever base it names.
    ///
    /// # Errors
    ///
    /// As [`Self::open`], and if there is a `base` but `model` is no adapter or does not fit it.
    pub fn open_with(
        model: impl AsRef<Path>,
        base: Option<&Path>,
        limits: &Limits,
    ) -> Result<Self, ModelError> {
        let model = model.as_ref();
        let directory = directory_of(model)?;
        let name = name_of(model);
        if !is_adapter(&directory) {
            if base.is_some() && directory.exists() {
                return Err(ModelError::NoAdapter { model: directory });
            }
            let files = ModelFiles::open_within(&directory, limits)?;
            return Self::from_parts(&name, files, Weights::open_within(&directory, limits)?);
        }
        let adapter = Adapter::open(&directory, limits)?;
        let base = match base {
            Some(base) => directory_of(base)?,
            None => named_base(&directory, &adapter)?,
        };
        let text = TextFiles { directory: &directory, limits };
        let files = ModelFiles::open_within(&base, limits)?.with_text_of(&text)?;
        let mut weights = Weights::open_within(&base, limits)?;
        adapter.apply(&mut weights, limits)?;
        Self::from_parts(&name, files, weights)
    }

    /// A checkpoint from files that were read elsewhere; `name` becomes part of its [id](Self::id).
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn from_parts(name: &str, files: ModelFiles, weights: Weights) -> Result<Self, ModelError> {
        Kernels::from_env()?;
        let config_file = quoted(&files.place.join("config.json")).to_string();
        let mut config = OneVisionConfig::parse(&config_file, &files.config)?;
        refuse_more_layers_than_tensors(&config_file, config.vision.layers + config.text.layers, &weights)?;
        fit_to(&mut config, &weights);
        let model = OneVision::new(&config, &Device::flex());
        let mut filler = Filler::new(&weights);
        filler.check(&model);
        filler.finish(|name| is_unused_by_design(name, &config))?;
        let mut names = Vec::new();
        for_each_parameter(&model.vision, |parameter| names.push(parameter.name.to_owned()));
        let id = format!("{name}@{:08x}", remembered_checksum(&weights, &names)?);
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

    /// Its tensors.
    pub fn weights(&self) -> &Weights {
        &self.weights
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

/// More rows than any vocabulary has.
const MOST_WORDS: usize = 1_000_000;

/// Corrects what `config.json` says about tensors by the tensors that are there: public checkpoints contradict themselves on tying
/// and on the rows of the vocabulary.
pub fn fit_to(config: &mut OneVisionConfig, weights: &Weights) {
    config.text.tied = weights.shape("lm_head.weight").is_none();
    if let Some(&[rows @ 1..=MOST_WORDS, _]) = weights.shape("language_model.embed_tokens.weight") {
        config.text.vocabulary = rows;
    }
    if config.vq_attention.is_none() {
        config.vq_attention = released_attention(weights);
    }
}

/// The directory of a model, fetched if it is an id of the hub and there is no such directory.
///
/// # Errors
///
/// If it is an id and cannot be fetched; whether a directory is there, or holds a model, is not looked at.
pub fn directory_of(model: &Path) -> Result<PathBuf, ModelError> {
    match hub::repository_id(model).filter(|_| !model.exists()) {
        Some(id) => hub::fetch(id),
        None => Ok(model.to_owned()),
    }
}

/// The directory of the base model that an adapter names.
fn named_base(directory: &Path, adapter: &Adapter) -> Result<PathBuf, ModelError> {
    let without_base = |problem: String| ModelError::AdapterBase {
        adapter: directory.to_owned(),
        base: adapter.base().map(str::to_owned),
        problem,
    };
    if let Some(folder) = adapter.base_folder() {
        return Ok(folder);
    }
    let id = adapter
        .base()
        .ok_or_else(|| without_base("its adapter_config.json has no base_model_name_or_path".to_owned()))?;
    let base = directory_of(Path::new(id)).map_err(|error| without_base(error.to_string()))?;
    match base.exists() {
        true => Ok(base),
        false => Err(without_base("there is no such directory".to_owned())),
    }
}

/// What a model is called in video tokens: its id, or the name of its directory.
pub(super) fn name_of(model: &Path) -> String {
    match hub::repository_id(model).filter(|_| !model.exists()) {
        Some(id) => id.to_owned(),
        None => model.file_name().unwrap_or(model.as_os_str()).to_string_lossy().into_owned(),
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
pub(super) fn refuse_more_layers_than_tensors(
    file: &str,
    layers: usize,
    weights: &Weights,
) -> Result<(), ModelError> {
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
