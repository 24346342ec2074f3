//! The configuration of a training run: one TOML file.
//!
//! [`file`] has the keys as they are written. Here they are as training uses them: alternatives that exclude each other are
//! enums, and whatever does not fit together was refused.

mod error;
mod file;
mod objectives;
mod reranking;
mod retrieval;
mod stage;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vqtoken_files::Limits;
use vqtoken_model::config::VqAttentionConfig;
use vqtoken_shapes::Settings;

pub use self::error::{ConfigError, StageError};
pub use self::objectives::{
    AnswersConfig, AuxiliaryLoss, Budgets, CodesConfig, KeepFirst, KeptTokens, Mixture, ObjectLabelsConfig,
    PatchLabelsConfig, PooledConfig, VisualInput,
};
pub use self::reranking::RerankingConfig;
pub use self::retrieval::RetrievalConfig;
pub use self::stage::{LearningRates, ObjectiveConfig, StageConfig};
use crate::error::TrainError;
use crate::input_file::read_text;

/// A run: the model it begins with, the data, and its stages.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TrainConfig {
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// The model at the start.
    pub model: InitialModel,
    /// The data. A stage of patch labels needs none: without settings it renders scenes by the default ones.
    pub data: Option<DataConfig>,
    /// The stages, in order.
    pub stages: Vec<StageConfig>,
    /// How large the files that the configuration names may be, and what their videos may ask for. Not written in it.
    pub limits: Limits,
}

/// Where the model comes from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum InitialModel {
    /// A new one.
    New(NewModel),
    /// One that was trained before.
    Loaded(LoadedModel),
}

impl InitialModel {
    /// What the model is called: as its directory, if it has one.
    pub(crate) fn name(&self) -> String {
        let name = match self {
            Self::Loaded(loaded) => loaded.directory.file_name(),
            Self::New(_) => None,
        };
        name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// The directory that training goes on from, if there is one.
    pub(crate) fn start(&self) -> Option<&Path> {
        match self {
            Self::Loaded(loaded) => Some(&loaded.directory),
            Self::New(_) => None,
        }
    }
}

/// A model with new parameters.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NewModel {
    /// Its `config.json`.
    pub config: PathBuf,
    /// Its `tokenizer.json`; without one a tokenizer is trained on the data's texts.
    pub tokenizer: Option<PathBuf>,
}

/// A model that training goes on from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LoadedModel {
    /// A model directory in any public layout.
    pub directory: PathBuf,
    /// The `config.json` that it gets, where parts of another shape are initialised anew.
    pub config: Option<PathBuf>,
    /// The VQ-attention that it gets, in place of its own if it has one.
    pub vq_attention: Option<VqAttentionConfig>,
    /// Parts that are initialised anew. A VQ-attention that the model does not have is new in any case.
    pub reinitialize: Vec<Part>,
    /// The `tokenizer.json` of a language model that is initialised anew; without one a tokenizer is trained on the data's
    /// texts.
    pub tokenizer: Option<PathBuf>,
    /// The checkpoint of a stage of patch labels. In a language model that is initialised anew, embeddings of the words for
    /// shapes and colours become the prototypes that the tower was trained with.
    pub prototypes: Option<PathBuf>,
}

/// The data of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DataConfig {
    /// Moving shapes, rendered when they are needed.
    Shapes(Settings),
    /// Conversations about videos in LLaVA's JSON.
    Llava(LlavaConfig),
}

/// Conversations in LLaVA's JSON and the folder of their videos.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LlavaConfig {
    /// The conversations.
    pub json: PathBuf,
    /// The folder that their `video` entries are relative to.
    pub videos: PathBuf,
    /// The share of the videos that is kept for validation, in `[0, 1)`.
    pub validation: f64,
}

/// A part of the model that can be trained or frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// The vision tower.
    VisionTower,
    /// The projector.
    Projector,
    /// The VQ-attention.
    VqAttention,
    /// The language model, its output layer and `image_newline`.
    LanguageModel,
}

impl Part {
    /// What the names of its parameters begin with.
    pub(crate) fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::VisionTower => &["vision_tower."],
            Self::Projector => &["multi_modal_projector."],
            Self::VqAttention => &["vq_attention."],
            Self::LanguageModel => &["language_model.", "lm_head.", "image_newline"],
        }
    }
}

impl TrainConfig {
    /// Reads a configuration. Its paths are relative to its folder.
    ///
    /// # Errors
    ///
    /// If it cannot be read, has an unknown key (which is named), or contradicts itself.
    pub fn read(file: &Path) -> Result<Self, TrainError> {
        Self::read_within(file, Limits::default())
    }

    /// [`Self::read`] where the file, and what it names, has other limits.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], and if the file is above [`Limits::bytes`].
    pub fn read_within(file: &Path, limits: Limits) -> Result<Self, TrainError> {
        Ok(Self { limits, ..Self::parse(file, &read_text(file, &limits)?)? })
    }

    /// Parses the text of a configuration. `file` names it in messages, and its paths are relative to that file's folder.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn parse(file: &Path, text: &str) -> Result<Self, TrainError> {
        let folder = file.parent().unwrap_or(Path::new(""));
        file::parse(text)
            .and_then(|run| run.resolve(folder))
            .map_err(|source| TrainError::Config { file: file.to_owned(), source: Box::new(source) })
    }

    /// The settings of moving shapes, if these are the data.
    pub(crate) fn shapes(&self) -> Option<&Settings> {
        match &self.data {
            Some(DataConfig::Shapes(settings)) => Some(settings),
            Some(DataConfig::Llava(_)) | None => None,
        }
    }
}
