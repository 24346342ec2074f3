//! The files of a [`TokenRetriever`](crate::TokenRetriever) and of a [`TokenReranker`](crate::TokenReranker): `retrieval/` and `reranking/` of a
//! model directory, beside the model that they belong to.

use std::path::Path;

use burn::module::Module;
use safetensors::tensor::{Dtype, TensorView};
use serde::Serialize;
use vqtoken_files::{Limit, Limits, quoted};
use vqtoken_nn::PackLayers;

use super::text_ids::{TextIds, TextTokenizer};
use crate::checkpoint::{Filler, TokenizerRules, Weights, for_each_parameter, packed_bytes};
use crate::config::SiglipTextConfig;
use crate::error::ModelError;

/// The folder of a retriever in a model directory.
pub(super) const RETRIEVAL: &str = "retrieval";

/// The folder of a reranker in a model directory.
pub(super) const RERANKING: &str = "reranking";

/// Shape and weights, from a directory or from inside the program.
#[derive(Debug)]
pub struct RetrievalFiles {
    /// Where they are, for messages.
    pub place: String,
    /// `config.json`
    pub config: String,
    /// `model.safetensors`
    pub weights: Weights,
}

impl RetrievalFiles {
    /// Reads the files of a folder `retrieval` or `reranking`.
    ///
    /// # Errors
    ///
    /// If there is no such folder, or a file is missing or damaged.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        Self::open_within(folder, &Limits::default())
    }

    /// [`Self::open`] where the configuration, and the header of the weights, may have [`Limits::bytes`].
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_within(folder: &Path, limits: &Limits) -> Result<Self, ModelError> {
        /// More than any shape takes.
        const MOST_BYTES: u64 = 1 << 20;
        if !folder.is_dir() {
            return Err(ModelError::NotFound { path: folder.to_owned() });
        }
        let path = folder.join("config.json");
        let unreadable = |source| ModelError::Unreadable { path: path.clone(), source };
        let length = std::fs::metadata(&path).map_err(unreadable)?.len();
        if length > MOST_BYTES {
            let problem = format!("it has {length} bytes, more than a configuration of a few numbers takes");
            return Err(ModelError::Config { file: quoted(&path).to_string(), problem });
        }
        limits
            .check(Limit::Bytes, length)
            .map_err(|source| ModelError::Limit { path: path.clone(), source })?;
        let config = std::fs::read_to_string(&path).map_err(unreadable)?;
        Ok(Self { place: quoted(folder).to_string(), config, weights: Weights::open_within(folder, limits)? })
    }

    /// The name of the configuration in messages.
    pub(super) fn config_file(&self) -> String {
        format!("config.json of {}", self.place)
    }

    /// Writes such a folder with a configuration and the modules' parameters.
    ///
    /// # Errors
    ///
    /// If `folder` exists already or cannot be written, or the modules were packed; then nothing of it is there.
    pub fn save(
        folder: &Path,
        config: &impl Serialize,
        modules: &(impl Module + PackLayers),
    ) -> Result<(), ModelError> {
        if packed_bytes(modules) > 0 {
            return Err(ModelError::Packed);
        }
        let failed = |problem: String| ModelError::Weights { file: "model.safetensors".to_owned(), problem };
        let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        for_each_parameter(modules, |parameter| {
            let bytes = parameter.values().iter().flat_map(|value| value.to_le_bytes()).collect();
            tensors.push((parameter.name.to_owned(), parameter.shape.to_vec(), bytes));
        });
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view =
                TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|e| failed(e.to_string()))?;
            Ok((name.as_str(), view))
        });
        let views = views.collect::<Result<Vec<_>, ModelError>>()?;
        let weights = safetensors::serialize(views, None).map_err(|error| failed(error.to_string()))?;
        let config = serde_json::to_string_pretty(config).map_err(|error| ModelError::Config {
            file: "config.json".to_owned(),
            problem: error.to_string(),
        })?;
        let files = [("config.json", config.as_bytes()), ("model.safetensors", &weights)];
        Ok(vqtoken_files::write_folder(folder, &files)?)
    }

    /// Modules of `layers` layers with the parameters that are stored, not packed.
    pub(super) fn fill<M: Module>(&self, layers: usize, new: impl FnOnce() -> M) -> Result<M, ModelError> {
        if layers > self.weights.len() {
            let problem =
                format!("it declares {layers} layers but there are only {} tensors", self.weights.len());
            return Err(ModelError::Config { file: self.config_file(), problem });
        }
        let mut filler = Filler::new(&self.weights);
        let modules = filler.fill(new());
        filler.finish(|_| false)?;
        Ok(modules)
    }

    /// Modules whose parameters are those that are stored under their names; others stay as they are.
    ///
    /// # Errors
    ///
    /// If a parameter cannot be read, has another shape, or holds values that are not finite; parameters whose names start with one of
    /// `new` are not looked for.
    pub(super) fn begin<M: Module>(&self, modules: M, new: &[&str]) -> Result<M, ModelError> {
        let mut filler = Filler::new(&self.weights);
        filler.skip(new);
        let modules = filler.fill(modules);
        filler.finish(|_| true)?;
        Ok(modules)
    }
}

/// Reads texts with the tokenizer of the model, in lower case. Clones share it.
#[derive(Clone, Debug)]
pub struct RetrievalTokenizer(TextTokenizer);

impl RetrievalTokenizer {
    /// From the bytes of the model's `tokenizer.json`; `file` names it in messages.
    ///
    /// # Errors
    ///
    /// If they are no `tokenizer.json`, or what it does to texts does not fit the text tower.
    pub fn new(file: &Path, bytes: &[u8], config: &SiglipTextConfig) -> Result<Self, ModelError> {
        let rules = TokenizerRules { lower_case: Some(true), ..TokenizerRules::default() };
        Ok(Self(TextTokenizer::new(file, bytes, &rules, config)?))
    }

    /// Tokens of every text.
    pub fn length(&self) -> usize {
        self.0.length()
    }

    /// The ids of a text, cut and padded.
    ///
    /// # Errors
    ///
    /// If an id is outside the vocabulary.
    pub fn encode(&self, text: &str) -> Result<TextIds, ModelError> {
        self.0.encode(text.trim())
    }
}
