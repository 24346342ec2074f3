//! A stage: its objective, which parts learn at which rate, and how many steps it takes.

use serde::{Deserialize, Serialize};

use super::file::StageFile;
use super::{
    AnswersConfig, ObjectLabelsConfig, Part, PatchLabelsConfig, RerankingConfig, RetrievalConfig, StageError,
    TrainConfig, VisualInput,
};
use crate::adamw::AdamWConfig;

/// A stage: one objective, some parts trained, the others frozen.
///
/// Serialised as in a configuration file, which is how checkpoints keep it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "StageFile", into = "StageFile")]
#[non_exhaustive]
pub struct StageConfig {
    /// Its name, which becomes a folder.
    pub name: String,
    /// What is minimised.
    pub objective: ObjectiveConfig,
    /// Peak learning rates.
    pub learning_rates: LearningRates,
    /// Optimizer steps.
    pub steps: usize,
    /// Clips (or frames) per step, over all its micro-batches.
    pub batch: usize,
    /// Micro-batches per step; they run in parallel where threads allow.
    pub micro_batches: usize,
    /// Steps in which the rates rise linearly.
    pub warm_up: usize,
    /// The share of the peak rates at which the cosine ends.
    pub final_factor: f64,
    /// The largest norm of a step's gradient; longer ones are scaled down to it.
    pub max_gradient_norm: f64,
    /// Decoupled weight decay of matrices: the share taken off per step and unit of learning rate.
    pub weight_decay: f64,
    /// Decay of the optimizer's mean of squared gradients.
    pub beta2: f64,
    /// Steps between validations.
    pub validate_every: usize,
    /// Validations without a lower loss after which the stage ends; without it the stage takes all its steps.
    pub patience: Option<usize>,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
}

/// What a stage minimises.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ObjectiveConfig {
    /// Shape, colour and position of single frames' patches, for the vision tower.
    PatchLabels(PatchLabelsConfig),
    /// Labels of the object that each code stands for, for the VQ-attention.
    ObjectLabels(ObjectLabelsConfig),
    /// Texts and windows of clips in one space, for search.
    Retrieval(RetrievalConfig),
    /// Whether texts are true of clips, to order anew what a search has found.
    Reranking(RerankingConfig),
    /// Answers to questions about videos.
    Answers(AnswersConfig),
}

/// The peak learning rate of each part; a part without one is frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LearningRates {
    /// Of the vision tower.
    pub vision_tower: Option<f64>,
    /// Of the projector.
    pub projector: Option<f64>,
    /// Of the VQ-attention.
    pub vq_attention: Option<f64>,
    /// Of the language model.
    pub language_model: Option<f64>,
    /// Of what compares texts with codes.
    pub retrieval: Option<f64>,
    /// Of what holds texts against codes by facts. Left out where it is not given, so that configurations in older checkpoints are the same
    /// texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reranking: Option<f64>,
}

impl LearningRates {
    /// The peak rate of a learner's parameter, by its name. Heads learn as the part that feeds them.
    pub(crate) fn of(&self, name: &str) -> Option<f64> {
        let Some(name) = name.strip_prefix("model.") else {
            for (prefix, rate) in [("retrieval.", self.retrieval), ("reranking.", self.reranking)] {
                if name.starts_with(prefix) {
                    return rate;
                }
            }
            return self.vq_attention.or(self.projector).or(self.language_model);
        };
        let parts = [
            (Part::VisionTower, self.vision_tower),
            (Part::Projector, self.projector),
            (Part::VqAttention, self.vq_attention),
            (Part::LanguageModel, self.language_model),
        ];
        let is_of = |part: Part| part.prefixes().iter().any(|prefix| name.starts_with(prefix));
        parts.into_iter().find(|(part, _)| is_of(*part)).and_then(|(_, rate)| rate)
    }

    /// Refuses what trains something else than `key`, one of `retrieval` and `reranking`.
    pub(super) fn check_only(&self, key: &'static str) -> Result<(), StageError> {
        let Self { vision_tower, projector, vq_attention, language_model, retrieval, reranking } = *self;
        let of_model = [vision_tower, projector, vq_attention, language_model];
        let (own, other) = if key == "retrieval" { (retrieval, reranking) } else { (reranking, retrieval) };
        match own.is_none() || other.is_some() || of_model.iter().any(Option::is_some) {
            true => Err(StageError::OnlySearch { key }),
            false => Ok(()),
        }
    }

    /// Whether token grids stay the same through the stage, so that their features can be cached.
    pub(crate) fn freeze_grid(&self) -> bool {
        self.vision_tower.is_none() && self.projector.is_none()
    }
}

impl StageConfig {
    /// Whether the stage reads features of clips, computed once under its frozen tower and projector.
    pub fn caches_features(&self) -> bool {
        match &self.objective {
            ObjectiveConfig::PatchLabels(_) => false,
            ObjectiveConfig::ObjectLabels(_)
            | ObjectiveConfig::Retrieval(_)
            | ObjectiveConfig::Reranking(_) => true,
            ObjectiveConfig::Answers(answers) => {
                answers.visual_input != VisualInput::Blind && self.learning_rates.freeze_grid()
            }
        }
    }

    /// Clips (or frames) per micro-batch.
    pub(crate) fn micro_batch_size(&self) -> usize {
        self.batch / self.micro_batches
    }

    /// The optimizer's configuration.
    pub(crate) fn optimizer(&self) -> AdamWConfig {
        AdamWConfig {
            beta1: 0.9,
            beta2: self.beta2,
            epsilon: 1e-8,
            weight_decay: self.weight_decay,
            max_gradient_norm: self.max_gradient_norm,
        }
    }

    pub(super) fn check(&self, run: &TrainConfig) -> Result<(), StageError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(StageError::Name);
        }
        if run.stages.iter().filter(|stage| stage.name == self.name).count() > 1 {
            return Err(StageError::DuplicateName);
        }
        if self.learning_rates == LearningRates::default() {
            return Err(StageError::NothingTrained);
        }
        for (key, value) in [
            ("steps", self.steps),
            ("batch", self.batch),
            ("micro_batches", self.micro_batches),
            ("validate_every", self.validate_every),
            ("checkpoint_every", self.checkpoint_every),
        ] {
            at_least_one(key, value)?;
        }
        let LearningRates { vision_tower, projector, vq_attention, language_model, retrieval, reranking } =
            self.learning_rates;
        let rates = [vision_tower, projector, vq_attention, language_model, retrieval, reranking];
        let rates = rates.into_iter().flatten().map(|rate| ("a learning rate", rate));
        for (key, value) in rates.chain([("max_gradient_norm", self.max_gradient_norm)]) {
            if !(value.is_finite() && value > 0.0) {
                return Err(StageError::OutOfRange { key, value, range: "above 0" });
            }
        }
        if !self.batch.is_multiple_of(self.micro_batches) {
            let &Self { batch, micro_batches, .. } = self;
            return Err(StageError::UnequalMicroBatches { batch, micro_batches });
        }
        if retrieval.is_some() && !matches!(self.objective, ObjectiveConfig::Retrieval(_)) {
            return Err(StageError::NoSearch { key: "retrieval" });
        }
        if reranking.is_some() && !matches!(self.objective, ObjectiveConfig::Reranking(_)) {
            return Err(StageError::NoSearch { key: "reranking" });
        }
        match &self.objective {
            ObjectiveConfig::PatchLabels(_) => Ok(()),
            ObjectiveConfig::ObjectLabels(labels) => labels.check(run, &self.learning_rates),
            ObjectiveConfig::Retrieval(retrieval) => retrieval.check(run, &self.learning_rates),
            ObjectiveConfig::Reranking(reranking) => reranking.check(run, &self.learning_rates),
            ObjectiveConfig::Answers(answers) => answers.check(run),
        }
    }
}

pub(super) fn at_least_one(key: &'static str, value: usize) -> Result<(), StageError> {
    match value {
        0 => Err(StageError::OutOfRange { key, value: 0.0, range: "at least 1" }),
        _ => Ok(()),
    }
}
