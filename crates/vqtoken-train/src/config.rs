//! The configuration of a training run: one TOML file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vqtoken_model::config::VqAttentionConfig;
use vqtoken_shapes::Settings;

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

/// Single frames of moving shapes, rendered anew for every step.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PatchesConfig {
    /// Side of the picture in patches: fewer than the tower's grid show the scene smaller, within a window of the grid.
    pub picture: Option<usize>,
    /// Side of the windows that pictures are cut into, in patches; whole pictures without it.
    pub window: Option<usize>,
    /// A patch belongs to an object that covers at least this share of it.
    pub cover: f32,
    /// Weight of the place in the loss.
    pub place: f64,
}

impl Default for PatchesConfig {
    fn default() -> Self {
        Self { picture: None, window: None, cover: 0.3, place: 0.1 }
    }
}

/// What the renderer knows about the object of each code, read off the code's token behind the VQ-attention.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FactsConfig {
    /// Frames of a clip.
    pub frames: usize,
    /// Numbers of codes; every step draws one of them.
    #[serde(default = "default_budgets")]
    pub budgets: Vec<usize>,
    /// Validation clips.
    #[serde(default = "default_validation_clips")]
    pub validation_clips: usize,
}

/// How a video reaches the language model, and what it is asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AnswersConfig {
    /// What stands for the video.
    pub reading: Reading,
    /// Frames of a clip.
    pub frames: usize,
    /// Numbers of codes; every step draws one of them.
    #[serde(default = "default_budgets")]
    pub budgets: Vec<usize>,
    /// Questions of a clip in a step.
    #[serde(default = "default_questions")]
    pub questions: usize,
    /// Relative frequencies of what is asked of moving shapes.
    #[serde(default)]
    pub mixture: Mixture,
    /// Weight of the pull between tokens and their codes, where the projector learns.
    #[serde(default)]
    pub commitment: f64,
    /// Price of a code in the loss: drawn budgets weigh their answers by it.
    #[serde(default)]
    pub price: f64,
    /// Facts that are to be read off the visual tokens on their way through the language model.
    pub facts: Option<FactsTerm>,
    /// Validation clips.
    #[serde(default = "default_validation_clips")]
    pub validation_clips: usize,
}

/// A second term of the loss: what the renderer knows about the object of each visual token.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FactsTerm {
    /// Its weight.
    pub weight: f64,
    /// How many layers of the language model the visual tokens have gone through.
    pub layer: usize,
}

/// What stands for a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Codes through the VQ-attention.
    Vqtoken,
    /// Bare codes.
    Codebook,
    /// Every frame's grid pooled to half its sides, as LLaVA-OneVision does.
    Pooled,
    /// Nothing: the question alone.
    Blind,
}

/// Relative frequencies of the kinds of text about a clip of moving shapes.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mixture {
    /// Descriptions.
    pub caption: f64,
    /// Questions with free answers.
    pub open: f64,
    /// Questions with options.
    pub choice: f64,
}

impl Default for Mixture {
    fn default() -> Self {
        Self { caption: 0.0, open: 1.0, choice: 1.0 }
    }
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

fn default_budgets() -> Vec<usize> {
    vec![32]
}

const fn default_questions() -> usize {
    6
}

fn default_validation() -> f64 {
    0.02
}

const fn default_validation_clips() -> usize {
    64
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

impl FactsConfig {
    fn check(&self, config: &TrainConfig, rates: &Rates) -> Result<(), String> {
        if config.data.shapes.is_none() {
            return Err("facts are known about [data.shapes] alone".to_owned());
        }
        if !rates.freeze_grid() {
            return Err(
                "facts are read off kept codes: the tower and the projector have no rate here".to_owned()
            );
        }
        check_codes(self.frames, &self.budgets)
    }
}

/// Kept index maps have a byte a cell.
fn check_codes(frames: usize, budgets: &[usize]) -> Result<(), String> {
    if frames == 0 {
        return Err("frames has to be at least 1".to_owned());
    }
    if budgets.is_empty() || budgets.iter().any(|codes| !(1..=256).contains(codes)) {
        return Err("budgets lists numbers of codes, at least one number and each from 1 to 256".to_owned());
    }
    Ok(())
}

impl AnswersConfig {
    fn check(&self, config: &TrainConfig) -> Result<(), String> {
        if config.data.shapes.is_none() && config.data.llava.is_none() {
            return Err("answers need [data.shapes] or [data.llava] to learn from".to_owned());
        }
        if self.questions == 0 {
            return Err("questions has to be at least 1".to_owned());
        }
        check_codes(self.frames, &self.budgets)?;
        if self.facts.is_some() && (config.data.shapes.is_none() || self.reading == Reading::Blind) {
            return Err("facts are known about [data.shapes] alone, and only where it is seen".to_owned());
        }
        let of_facts = self.facts.map_or(0.0, |facts| facts.weight);
        let weights = [("commitment", self.commitment), ("price", self.price), ("facts.weight", of_facts)];
        for (name, value) in weights {
            if !(value.is_finite() && value >= 0.0) {
                return Err(format!("{name} is {value}; it has to be at least 0"));
            }
        }
        let Mixture { caption, open, choice } = self.mixture;
        let weights = [caption, open, choice];
        if weights.iter().any(|weight| !(weight.is_finite() && *weight >= 0.0)) || weights == [0.0; 3] {
            return Err("mixture needs weights of at least 0, one of them above".to_owned());
        }
        Ok(())
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
