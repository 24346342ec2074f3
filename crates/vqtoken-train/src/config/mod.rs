//! The configuration of a training run: one TOML file.

mod objectives;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vqtoken_model::config::VqAttentionConfig;
use vqtoken_shapes::Settings;

pub use self::objectives::{AnswersConfig, FactsConfig, Mixture, PatchesConfig, Reading, TokensTerm};
use crate::adamw::AdamWSettings;
use crate::error::TrainError;

/// A run: where it starts, what it learns from, and its stages.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed of everything that is drawn.
    #[serde(default)]
    pub seed: u64,
    /// The model at the start.
    pub model: ModelStart,
    /// What it learns from.
    #[serde(default)]
    pub data: DataConfig,
    /// The stages, in order.
    #[serde(rename = "stage")]
    pub stages: Vec<StageConfig>,
}

/// Where the model comes from. Paths are relative to the configuration's folder.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelStart {
    /// A model directory in any public layout to go on from.
    pub start: Option<PathBuf>,
    /// The `config.json` of a new model, or of the model that `start` becomes where parts of it begin anew.
    pub config: Option<PathBuf>,
    /// The `tokenizer.json` of a new model; without one a tokenizer is learnt from the data's texts.
    pub tokenizer: Option<PathBuf>,
    /// The VQ-attention that `start` gets, in place of its own if it has one.
    pub vq_attention: Option<VqAttentionConfig>,
    /// The checkpoint of a stage on patches: in a language model that begins anew, the words for shapes and colours begin as
    /// what the tower was taught them to look like.
    pub prototypes: Option<PathBuf>,
    /// Parts of `start` that begin anew; a VQ-attention that `start` does not have is new in any case.
    #[serde(default)]
    pub fresh: Vec<Part>,
}

/// What is learnt from: the built-in moving shapes, or anybody's conversations about videos.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Moving shapes, rendered as they are needed.
    pub shapes: Option<Settings>,
    /// LLaVA-style JSON.
    pub llava: Option<LlavaConfig>,
}

/// Conversations in LLaVA's JSON and the folder of their videos. Paths are relative to the configuration's folder.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LlavaConfig {
    /// The conversations.
    pub json: PathBuf,
    /// The folder that their `video` entries are relative to.
    pub videos: PathBuf,
    /// The part of the videos that is kept for validation, in `[0, 1)`.
    #[serde(default = "default_validation")]
    pub validation: f64,
}

/// A part of the model that can be trained or frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
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
    /// The beginnings of its parameters' names in a model.
    pub fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::VisionTower => &["vision_tower."],
            Self::Projector => &["multi_modal_projector."],
            Self::VqAttention => &["vq_attention."],
            Self::LanguageModel => &["language_model.", "lm_head.", "image_newline"],
        }
    }
}

/// The peak learning rate of each part; a part without one is frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Of the vision tower.
    pub vision_tower: Option<f64>,
    /// Of the projector.
    pub projector: Option<f64>,
    /// Of the VQ-attention.
    pub vq_attention: Option<f64>,
    /// Of the language model.
    pub language_model: Option<f64>,
}

impl Rates {
    /// The rate of a learner's parameter by its name. Heads learn as the part right before them.
    pub fn of(&self, name: &str) -> Option<f64> {
        let Some(name) = name.strip_prefix("model.") else {
            return self.vq_attention.or(self.projector).or(self.language_model);
        };
        let parts = [
            (Part::VisionTower, self.vision_tower),
            (Part::Projector, self.projector),
            (Part::VqAttention, self.vq_attention),
            (Part::LanguageModel, self.language_model),
        ];
        let of_part = |part: Part| part.prefixes().iter().any(|prefix| name.starts_with(prefix));
        parts.into_iter().find(|(part, _)| of_part(*part)).and_then(|(_, rate)| rate)
    }

    /// Whether the token grid stays what it is, so that it need be computed only once.
    pub fn freeze_grid(&self) -> bool {
        self.vision_tower.is_none() && self.projector.is_none()
    }
}

/// A stage: one objective, some parts trained, the others frozen.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// Its name, a folder's.
    pub name: String,
    /// Shape, colour and place of single frames' patches.
    pub patches: Option<PatchesConfig>,
    /// What the object of each code is and does.
    pub facts: Option<FactsConfig>,
    /// Answers to questions about videos.
    pub answers: Option<AnswersConfig>,
    /// Peak learning rates.
    pub rates: Rates,
    /// Optimizer steps.
    pub steps: usize,
    /// Clips (or frames) of a step, over all its pieces.
    pub batch: usize,
    /// Pieces that a step's batch is computed in, at once where there are threads for them.
    #[serde(default = "one")]
    pub accumulate: usize,
    /// Steps in which the rates rise.
    #[serde(default)]
    pub warm_up: usize,
    /// The share of the peak at which the cosine ends.
    #[serde(default)]
    pub final_factor: f64,
    /// Largest norm of a step's gradient.
    #[serde(default = "default_clip")]
    pub clip: f64,
    /// Share of the matrices taken off per step and unit of rate.
    #[serde(default = "default_decay")]
    pub weight_decay: f64,
    /// Decay of the optimizer's mean of squares.
    #[serde(default = "default_beta2")]
    pub beta2: f64,
    /// Steps between validations.
    #[serde(default = "default_validate")]
    pub validate_every: usize,
    /// Validations without a better loss after which the stage ends; without it the stage runs to its end.
    pub patience: Option<usize>,
    /// Steps between checkpoints.
    #[serde(default = "default_checkpoint")]
    pub checkpoint_every: usize,
}

const fn one() -> usize {
    1
}

fn default_clip() -> f64 {
    1.0
}

fn default_decay() -> f64 {
    0.01
}

fn default_beta2() -> f64 {
    0.98
}

const fn default_validate() -> usize {
    250
}

const fn default_checkpoint() -> usize {
    500
}

fn default_validation() -> f64 {
    0.02
}

impl TrainConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// If it cannot be read, has an unknown key (which is named), or makes no sense.
    pub fn read(file: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| TrainError::Unreadable { path: file.to_owned(), source })?;
        Self::parse(file, &text)
    }

    /// Reads the text of a configuration; `file` names it in messages and is what its paths are relative to.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn parse(file: &Path, text: &str) -> Result<Self, TrainError> {
        let bad = |problem: String| TrainError::Config { file: file.to_owned(), problem };
        let mut config: Self = toml::from_str(text).map_err(|error| bad(one_line(text, &error)))?;
        config.check().map_err(bad)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let model = &mut config.model;
        let llava = config.data.llava.iter_mut().flat_map(|llava| [&mut llava.json, &mut llava.videos]);
        let paths = [&mut model.start, &mut model.config, &mut model.tokenizer, &mut model.prototypes];
        let paths = paths.into_iter().flatten();
        for path in paths.chain(llava) {
            *path = folder.join(&*path);
        }
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if self.stages.is_empty() {
            return Err("there is no [[stage]]: a run needs at least one".to_owned());
        }
        if self.model.start.is_none() && self.model.config.is_none() {
            return Err("[model] has neither start (a model directory) nor config (a config.json)".to_owned());
        }
        if self.data.shapes.is_some() && self.data.llava.is_some() {
            return Err("[data] has both shapes and llava: give one of them".to_owned());
        }
        if let Some(settings) = &self.data.shapes {
            settings.check().map_err(|error| format!("[data.shapes]: {error}"))?;
        }
        for stage in &self.stages {
            stage.check(self).map_err(|problem| format!("stage {:?}: {problem}", stage.name))?;
        }
        Ok(())
    }
}

impl StageConfig {
    /// What the optimizer is made with.
    pub fn optimizer(&self) -> AdamWSettings {
        AdamWSettings {
            beta1: 0.9,
            beta2: self.beta2,
            epsilon: 1e-8,
            weight_decay: self.weight_decay,
            clip: self.clip,
        }
    }

    fn check(&self, config: &TrainConfig) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err("name becomes a folder: use letters, digits, - and _".to_owned());
        }
        if config.stages.iter().filter(|stage| stage.name == self.name).count() > 1 {
            return Err("another stage has this name".to_owned());
        }
        if self.rates == Rates::default() {
            return Err("rates has no part, so nothing would be trained".to_owned());
        }
        for (name, value, from) in [
            ("steps", self.steps, 1),
            ("batch", self.batch, 1),
            ("accumulate", self.accumulate, 1),
            ("validate_every", self.validate_every, 1),
            ("checkpoint_every", self.checkpoint_every, 1),
        ] {
            if value < from {
                return Err(format!("{name} is {value}; it has to be at least {from}"));
            }
        }
        let Rates { vision_tower, projector, vq_attention, language_model } = self.rates;
        let rates = [vision_tower, projector, vq_attention, language_model];
        for rate in rates.into_iter().flatten().chain([self.clip]) {
            if !(rate.is_finite() && rate > 0.0) {
                return Err(format!("a rate or clip is {rate}; it has to be above 0"));
            }
        }
        if !self.batch.is_multiple_of(self.accumulate) {
            return Err(format!("batch {} cannot be cut into {} equal pieces", self.batch, self.accumulate));
        }
        match (&self.patches, &self.facts, &self.answers) {
            (Some(_), None, None) => Ok(()),
            (None, Some(facts), None) => facts.check(config, &self.rates),
            (None, None, Some(answers)) => answers.check(config),
            _ => Err("it needs one of patches, facts and answers as its objective".to_owned()),
        }
    }
}

/// What TOML found wrong, with the line, in one line.
fn one_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().lines().collect::<Vec<_>>().join(" ");
    match error.span() {
        Some(span) => {
            let line = 1 + text.get(..span.start).unwrap_or_default().matches('\n').count();
            format!("line {line}: {message}")
        }
        None => message,
    }
}
