//! An opened checkpoint of a whole SigLIP, from which a [`Retriever`](crate::Retriever) is built.

use std::path::Path;

use burn::tensor::Device;
use vqtoken_files::{Limits, quoted};
use vqtoken_kernels::Kernels;
use vqtoken_nn::Precision;

use super::directory::ModelFiles;
use super::fill::Filler;
use super::identity::{checksum_of, remembered_checksum};
use super::layout::{siglip_names, stored_siglip_name};
use super::opened::{Checkpoint, directory_of, name_of, refuse_more_layers_than_tensors};
use super::parameters::for_each_parameter;
use super::text_files::TextFiles;
use super::tokenizer_rules::TokenizerRules;
use super::weights::Weights;
use crate::config::{SiglipConfig, VisionConfig};
use crate::error::ModelError;
use crate::retrieval::{RetrievalError, SiglipModules};

/// The files of a whole SigLIP whose names and shapes fit together; values are read when a retriever is built.
#[derive(Debug)]
pub struct SiglipCheckpoint {
    id: String,
    config: SiglipConfig,
    files: ModelFiles,
    rules: TokenizerRules,
    weights: Weights,
}

impl SiglipCheckpoint {
    /// Opens a directory in the layout of `google/siglip-*`; with the feature `hub` also such a model by its id. A directory of that
    /// name wins.
    ///
    /// # Errors
    ///
    /// If a file is missing or damaged, a tower or the pooling head is missing, or configuration and tensors do not belong together.
    pub fn open(model: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::open_within(model, &Limits::default())
    }

    /// [`Self::open`] where each text file, and the header of each weight file, may have [`Limits::bytes`].
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_within(model: impl AsRef<Path>, limits: &Limits) -> Result<Self, ModelError> {
        let model = model.as_ref();
        let directory = directory_of(model)?;
        Kernels::from_env()?;
        let files = ModelFiles::open_within(&directory, limits)?;
        let config_file = quoted(&files.place.join("config.json")).to_string();
        let config = SiglipConfig::parse(&config_file, &files.config)?;
        let rules = TokenizerRules::read(&TextFiles { directory: &directory, limits })?;
        let weights = Weights::open_as(&directory, limits, siglip_names)?;
        refuse_missing_parts(&config, &weights)?;
        refuse_more_layers_than_tensors(&config_file, config.vision.layers + config.text.layers, &weights)?;
        let modules = SiglipModules::new(&config, &Device::flex());
        let mut filler = Filler::new(&weights);
        filler.check(&modules);
        filler.finish(|name| name.ends_with(".position_ids")).map_err(with_stored_names)?;
        let mut names = Vec::new();
        for_each_parameter(&modules, |parameter| names.push(parameter.name.to_owned()));
        let id = format!("{}@{:08x}", name_of(model), remembered_checksum(&weights, &names)?);
        Ok(Self { id, config, files, rules, weights })
    }

    /// Names the space that its vectors are in: the model's name and a checksum of all its weights.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The model's shape.
    pub fn config(&self) -> &SiglipConfig {
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

    pub(crate) fn tokenizer_rules(&self) -> &TokenizerRules {
        &self.rules
    }

    /// The precision that weights get where `wanted` leaves it open; never [`Precision::Auto`].
    pub(crate) fn precision(&self, wanted: Precision) -> Precision {
        wanted.resolve(self.weights.stored_precision())
    }

    /// Packed and filled modules.
    pub(crate) fn build(&self, precision: Precision) -> Result<SiglipModules, ModelError> {
        let mut modules = SiglipModules::new(&self.config, &Device::flex());
        let mut filler = Filler::new(&self.weights);
        filler.pack(&mut modules, precision);
        let modules = filler.fill(modules);
        // What was not asked for was refused when the checkpoint was opened.
        filler.finish(|_| true)?;
        Ok(modules)
    }

    /// How many of this tower's first layers are the whole tower of `model`, with the same weights to the last bit and the same pixel
    /// values; `None` if they differ. Then [`Retriever::hidden_states_after`](crate::Retriever::hidden_states_after) makes a picture's
    /// vector of the hidden states that the language model's vision side computed.
    ///
    /// All shared weights are read, which takes about a second for a large tower. Rounded copies, such as f16 of f32, are other weights.
    ///
    /// # Errors
    ///
    /// If a tensor cannot be read.
    pub fn layers_shared_with(&self, model: &Checkpoint) -> Result<Option<usize>, ModelError> {
        let (theirs, ours) = (&model.config().vision, &self.config.vision);
        let layers = theirs.layers;
        if layers > ours.layers || *theirs != (VisionConfig { layers, ..ours.clone() }) {
            return Ok(None);
        }
        if model.files().pixel_spec(ours.image_size)? != self.files.pixel_spec(ours.image_size)? {
            return Ok(None);
        }
        let mut names = Vec::new();
        for_each_parameter(&theirs.init(&Device::flex()), |parameter| names.push(parameter.name.to_owned()));
        let below = |part: &str| names.iter().map(|name| format!("{part}.{name}")).collect::<Vec<_>>();
        let ours = checksum_of(&self.weights, &below("vision_model"))?;
        let theirs = checksum_of(model.weights(), &below("vision_tower"))?;
        Ok((ours == theirs).then_some(layers))
    }
}

/// Names a tower or a head that is missing as a whole, before its tensors are named one by one.
fn refuse_missing_parts(config: &SiglipConfig, weights: &Weights) -> Result<(), RetrievalError> {
    let has = |part: &str| weights.names().any(|name| name.starts_with(part));
    let checkpoint = weights.checkpoint().to_owned();
    if !has("text_model.") {
        return Err(RetrievalError::NoTextTower { checkpoint });
    }
    if !has("vision_model.") {
        return Err(RetrievalError::NoVisionTower { checkpoint });
    }
    match config.has_head && has("vision_model.head.") {
        true => Ok(()),
        false => Err(RetrievalError::NoHead { checkpoint }),
    }
}

/// Missing tensors by the names that they have in the file.
fn with_stored_names(error: ModelError) -> ModelError {
    match error {
        ModelError::MissingTensors { checkpoint, names } => {
            let mut names: Vec<String> = names.iter().map(|name| stored_siglip_name(name)).collect();
            names.dedup();
            ModelError::MissingTensors { checkpoint, names }
        }
        other => other,
    }
}
