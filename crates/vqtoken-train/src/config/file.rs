//! The configuration as it is written: every key, its default, and the names it had in earlier versions.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vqtoken_files::Limits;
use vqtoken_model::config::VqAttentionConfig;
use vqtoken_shapes::Settings;

use super::objectives::{default_budgets, default_validation_clips};
use super::{
    AnswersConfig, AuxiliaryLoss, Budgets, CodesConfig, ConfigError, DataConfig, InitialModel, KeepFirst,
    KeptTokens, LearningRates, LlavaConfig, LoadedModel, Mixture, NewModel, ObjectLabelsConfig,
    ObjectiveConfig, Part, PatchLabelsConfig, PooledConfig, RerankingConfig, RetrievalConfig, StageConfig,
    StageError, TrainConfig, VisualInput,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunFile {
    #[serde(default)]
    seed: u64,
    model: ModelFile,
    #[serde(default)]
    data: DataFile,
    #[serde(default, rename = "stage")]
    stages: Vec<StageFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    start: Option<PathBuf>,
    config: Option<PathBuf>,
    tokenizer: Option<PathBuf>,
    vq_attention: Option<VqAttentionConfig>,
    prototypes: Option<PathBuf>,
    #[serde(default, alias = "fresh")]
    reinitialize: Vec<Part>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DataFile {
    shapes: Option<Settings>,
    llava: Option<LlavaFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LlavaFile {
    json: PathBuf,
    videos: PathBuf,
    #[serde(default = "default_validation")]
    validation: f64,
}

/// A stage with one of four tables for its objective. Checkpoints keep it as JSON.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StageFile {
    name: String,
    #[serde(alias = "patches")]
    patch_labels: Option<PatchLabelsConfig>,
    #[serde(alias = "facts")]
    object_labels: Option<ObjectLabelsConfig>,
    // Left out where it is not given, so that configurations in older checkpoints are the same texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retrieval: Option<RetrievalConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reranking: Option<RerankingConfig>,
    answers: Option<AnswersFile>,
    #[serde(alias = "rates")]
    learning_rates: LearningRates,
    steps: usize,
    batch: usize,
    #[serde(default = "default_micro_batches", alias = "accumulate")]
    micro_batches: usize,
    #[serde(default)]
    warm_up: usize,
    #[serde(default)]
    final_factor: f64,
    #[serde(default = "default_max_gradient_norm", alias = "clip")]
    max_gradient_norm: f64,
    #[serde(default = "default_weight_decay")]
    weight_decay: f64,
    #[serde(default = "default_beta2")]
    beta2: f64,
    #[serde(default = "default_validate_every")]
    validate_every: usize,
    patience: Option<usize>,
    #[serde(default = "default_checkpoint_every")]
    checkpoint_every: usize,
}

/// Answers with the keys of all kinds of visual input beside each other.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct AnswersFile {
    #[serde(alias = "reading")]
    visual_input: VisualInputName,
    frames: usize,
    #[serde(default = "default_budgets")]
    budgets: Vec<usize>,
    #[serde(default = "keep_all")]
    keep: f64,
    #[serde(default)]
    objects_first: bool,
    #[serde(default = "default_questions")]
    questions: usize,
    #[serde(default)]
    mixture: Mixture,
    #[serde(default)]
    commitment: f64,
    #[serde(default)]
    price: f64,
    #[serde(alias = "facts")]
    object_labels: Option<AuxiliaryLoss>,
    #[serde(alias = "paths")]
    trajectories: Option<AuxiliaryLoss>,
    #[serde(default = "default_validation_clips")]
    validation_clips: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum VisualInputName {
    Vqtoken,
    Codebook,
    Pooled,
    Blind,
}

const fn default_micro_batches() -> usize {
    1
}

const fn default_max_gradient_norm() -> f64 {
    1.0
}

const fn default_weight_decay() -> f64 {
    0.01
}

const fn default_beta2() -> f64 {
    0.98
}

const fn default_validate_every() -> usize {
    250
}

const fn default_checkpoint_every() -> usize {
    500
}

const fn default_validation() -> f64 {
    0.02
}

const fn keep_all() -> f64 {
    1.0
}

const fn default_questions() -> usize {
    6
}

/// Parses the text of a configuration.
pub(super) fn parse(text: &str) -> Result<RunFile, ConfigError> {
    toml::from_str(text).map_err(|error: toml::de::Error| ConfigError::Toml {
        line: error
            .span()
            .map(|span| 1 + text.bytes().take(span.start).filter(|&byte| byte == b'\n').count()),
        message: error.message().lines().collect::<Vec<_>>().join(" "),
    })
}

impl RunFile {
    /// The configuration, with its paths below `folder`.
    pub(super) fn resolve(self, folder: &Path) -> Result<TrainConfig, ConfigError> {
        let stages = self.stages.into_iter().map(|stage| {
            let name = stage.name.clone();
            StageConfig::try_from(stage).map_err(|source| ConfigError::Stage { stage: name, source })
        });
        let run = TrainConfig {
            seed: self.seed,
            model: self.model.resolve(folder)?,
            data: self.data.resolve(folder)?,
            stages: stages.collect::<Result<_, _>>()?,
            limits: Limits::default(),
        };
        if run.stages.is_empty() {
            return Err(ConfigError::NoStage);
        }
        for stage in &run.stages {
            stage.check(&run).map_err(|source| ConfigError::Stage { stage: stage.name.clone(), source })?;
        }
        Ok(run)
    }
}

impl ModelFile {
    fn resolve(self, folder: &Path) -> Result<InitialModel, ConfigError> {
        let Self { start, config, tokenizer, vq_attention, prototypes, reinitialize } = self;
        let below = |path: Option<PathBuf>| path.map(|path| folder.join(path));
        let (config, tokenizer, prototypes) = (below(config), below(tokenizer), below(prototypes));
        let with = |given: bool, key: &'static str, needs: &'static str| match given {
            true => Err(ConfigError::ModelKey { key, needs }),
            false => Ok(()),
        };
        let Some(directory) = below(start) else {
            let config = config.ok_or(ConfigError::NoModel)?;
            with(vq_attention.is_some(), "vq_attention", "start")?;
            with(prototypes.is_some(), "prototypes", "start")?;
            with(!reinitialize.is_empty(), "reinitialize", "start")?;
            return Ok(InitialModel::New(NewModel { config, tokenizer }));
        };
        if !reinitialize.contains(&Part::LanguageModel) {
            const NEEDS: &str = "\"language_model\" in reinitialize";
            with(tokenizer.is_some(), "tokenizer", NEEDS)?;
            with(prototypes.is_some(), "prototypes", NEEDS)?;
        }
        let loaded = LoadedModel { directory, config, vq_attention, reinitialize, tokenizer, prototypes };
        Ok(InitialModel::Loaded(loaded))
    }
}

impl DataFile {
    fn resolve(self, folder: &Path) -> Result<Option<DataConfig>, ConfigError> {
        match (self.shapes, self.llava) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(ConfigError::TwoDataSets),
            (Some(settings), None) => {
                settings.check().map_err(ConfigError::Shapes)?;
                Ok(Some(DataConfig::Shapes(settings)))
            }
            (None, Some(LlavaFile { json, videos, validation })) => {
                if !(0.0..1.0).contains(&validation) {
                    return Err(ConfigError::Validation(validation));
                }
                let (json, videos) = (folder.join(json), folder.join(videos));
                Ok(Some(DataConfig::Llava(LlavaConfig { json, videos, validation })))
            }
        }
    }
}

impl TryFrom<StageFile> for StageConfig {
    type Error = StageError;

    fn try_from(file: StageFile) -> Result<Self, StageError> {
        let answers = file.answers.map(AnswersConfig::try_from).transpose()?;
        let mut objectives = [
            file.patch_labels.map(ObjectiveConfig::PatchLabels),
            file.object_labels.map(ObjectiveConfig::ObjectLabels),
            file.retrieval.map(ObjectiveConfig::Retrieval),
            file.reranking.map(ObjectiveConfig::Reranking),
            answers.map(ObjectiveConfig::Answers),
        ]
        .into_iter()
        .flatten();
        let objective = objectives.next().ok_or(StageError::Objectives(0))?;
        let others = objectives.count();
        if others > 0 {
            return Err(StageError::Objectives(1 + others));
        }
        Ok(Self {
            name: file.name,
            objective,
            learning_rates: file.learning_rates,
            steps: file.steps,
            batch: file.batch,
            micro_batches: file.micro_batches,
            warm_up: file.warm_up,
            final_factor: file.final_factor,
            max_gradient_norm: file.max_gradient_norm,
            weight_decay: file.weight_decay,
            beta2: file.beta2,
            validate_every: file.validate_every,
            patience: file.patience,
            checkpoint_every: file.checkpoint_every,
        })
    }
}

impl From<StageConfig> for StageFile {
    fn from(stage: StageConfig) -> Self {
        let (mut patch_labels, mut object_labels, mut answers) = (None, None, None);
        let (mut retrieval, mut reranking) = (None, None);
        match stage.objective {
            ObjectiveConfig::PatchLabels(config) => patch_labels = Some(config),
            ObjectiveConfig::ObjectLabels(config) => object_labels = Some(config),
            ObjectiveConfig::Retrieval(config) => retrieval = Some(config),
            ObjectiveConfig::Reranking(config) => reranking = Some(config),
            ObjectiveConfig::Answers(config) => answers = Some(config.into()),
        }
        Self {
            name: stage.name,
            patch_labels,
            object_labels,
            retrieval,
            reranking,
            answers,
            learning_rates: stage.learning_rates,
            steps: stage.steps,
            batch: stage.batch,
            micro_batches: stage.micro_batches,
            warm_up: stage.warm_up,
            final_factor: stage.final_factor,
            max_gradient_norm: stage.max_gradient_norm,
            weight_decay: stage.weight_decay,
            beta2: stage.beta2,
            validate_every: stage.validate_every,
            patience: stage.patience,
            checkpoint_every: stage.checkpoint_every,
        }
    }
}

impl TryFrom<AnswersFile> for AnswersConfig {
    type Error = StageError;

    fn try_from(file: AnswersFile) -> Result<Self, StageError> {
        let is = |name: VisualInputName| file.visual_input == name;
        let codes = is(VisualInputName::Vqtoken) || is(VisualInputName::Codebook);
        for (key, given, allowed, visual_input) in [
            ("keep", file.keep != keep_all(), is(VisualInputName::Pooled), "\"pooled\""),
            ("objects_first", file.objects_first, is(VisualInputName::Pooled), "\"pooled\""),
            ("trajectories", file.trajectories.is_some(), is(VisualInputName::Pooled), "\"pooled\""),
            ("commitment", file.commitment != 0.0, codes, "\"vqtoken\" or \"codebook\""),
            ("price", file.price != 0.0, codes, "\"vqtoken\" or \"codebook\""),
        ] {
            if given && !allowed {
                return Err(StageError::VisualInputKey { key, visual_input });
            }
        }
        let codes = CodesConfig {
            budgets: Budgets { sizes: file.budgets.clone(), price: file.price },
            commitment: file.commitment,
        };
        let visual_input = match file.visual_input {
            VisualInputName::Vqtoken => VisualInput::VqToken(codes),
            VisualInputName::Codebook => VisualInput::Codebook(codes),
            VisualInputName::Pooled => VisualInput::Pooled(PooledConfig {
                keep: match (file.keep == keep_all(), file.objects_first) {
                    (true, false) => None,
                    (true, true) => return Err(StageError::NothingLeftOut),
                    (false, false) => Some(KeptTokens { share: file.keep, first: KeepFirst::Any }),
                    (false, true) => Some(KeptTokens { share: file.keep, first: KeepFirst::Objects }),
                },
                trajectories: file.trajectories,
                cached_budgets: file.budgets,
            }),
            VisualInputName::Blind => VisualInput::Blind,
        };
        Ok(Self {
            visual_input,
            frames: file.frames,
            questions: file.questions,
            mixture: file.mixture,
            object_labels: file.object_labels,
            validation_clips: file.validation_clips,
        })
    }
}

impl From<AnswersConfig> for AnswersFile {
    fn from(answers: AnswersConfig) -> Self {
        let AnswersConfig { visual_input, frames, questions, mixture, object_labels, validation_clips } =
            answers;
        let codes = visual_input.codes().cloned();
        let pooled = visual_input.pooled().cloned();
        let kept = pooled.as_ref().and_then(|pooled| pooled.keep);
        Self {
            visual_input: match visual_input {
                VisualInput::VqToken(_) => VisualInputName::Vqtoken,
                VisualInput::Codebook(_) => VisualInputName::Codebook,
                VisualInput::Pooled(_) => VisualInputName::Pooled,
                VisualInput::Blind => VisualInputName::Blind,
            },
            frames,
            budgets: visual_input.cached_budgets().to_vec(),
            keep: kept.map_or(keep_all(), |kept| kept.share),
            objects_first: kept.is_some_and(|kept| kept.first == KeepFirst::Objects),
            questions,
            mixture,
            commitment: codes.as_ref().map_or(0.0, |codes| codes.commitment),
            price: codes.as_ref().map_or(0.0, |codes| codes.budgets.price),
            object_labels,
            trajectories: pooled.and_then(|pooled| pooled.trajectories),
            validation_clips,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stages with every key, as earlier versions wrote them into checkpoints.
    const OLD_STAGES: [&str; 3] = [
        r#"{"name":"coarse","patches":{"picture":14,"window":null,"cover":0.3,"place":0.1},"facts":null,"answers":null,
            "rates":{"vision_tower":0.002,"projector":0.002,"vq_attention":null,"language_model":null},"steps":5000,"batch":16,
            "accumulate":2,"warm_up":200,"final_factor":0.3,"clip":5.0,"weight_decay":0.01,"beta2":0.98,"validate_every":500,
            "patience":null,"checkpoint_every":500}"#,
        r#"{"name":"facts","patches":null,"facts":{"frames":8,"budgets":[8,12],"validation_clips":200},"answers":null,
            "rates":{"vision_tower":null,"projector":null,"vq_attention":0.002,"language_model":null},"steps":3000,"batch":32,
            "accumulate":2,"warm_up":100,"final_factor":0.05,"clip":1.0,"weight_decay":0.01,"beta2":0.98,"validate_every":250,
            "patience":3,"checkpoint_every":250}"#,
        r#"{"name":"objects","patches":null,"facts":null,"answers":{"reading":"pooled","frames":8,"budgets":[8,12],"keep":0.25,
            "objects_first":true,"questions":8,"mixture":{"caption":0.1,"open":0.9,"choice":0.0,"balanced":0.5},
            "commitment":0.0,"price":0.0,"facts":{"weight":1.0,"layer":3},"paths":{"weight":1.0,"layer":2},
            "validation_clips":100},
            "rates":{"vision_tower":null,"projector":null,"vq_attention":null,"language_model":0.0015},"steps":7500,"batch":8,
            "accumulate":2,"warm_up":100,"final_factor":0.03,"clip":0.5,"weight_decay":0.01,"beta2":0.98,
            "validate_every":500,"patience":null,"checkpoint_every":250}"#,
    ];

    #[test]
    fn stages_of_old_checkpoints_are_read_and_written_under_current_names() {
        for old in OLD_STAGES {
            let stage: StageConfig = serde_json::from_str(old).unwrap();
            let written = serde_json::to_string(&stage).unwrap();
            assert!(
                !["accumulate", "facts\":", "reading", "paths", "place\"", "\"clip"]
                    .iter()
                    .any(|key| written.contains(key)),
                "{written}"
            );
            assert_eq!(serde_json::from_str::<StageConfig>(&written).unwrap(), stage);
        }
        let stage: StageConfig = serde_json::from_str(OLD_STAGES[2]).unwrap();
        let ObjectiveConfig::Answers(answers) = stage.objective else { panic!("{stage:?}") };
        let pooled = answers.visual_input.pooled().unwrap();
        assert_eq!(pooled.keep, Some(KeptTokens { share: 0.25, first: KeepFirst::Objects }));
        assert_eq!(pooled.trajectories.map(|term| term.layer), Some(2));
        assert_eq!(answers.object_labels.map(|term| term.layer), Some(3));
    }

    #[test]
    fn a_key_under_both_of_its_names_is_refused() {
        let text = "[model]\nconfig = \"c\"\n[[stage]]\nname = \"a\"\nsteps = 1\nbatch = 1\nclip = 1.0\nmax_gradient_norm = 1.0\nrates = {}\n";
        let error = parse(text).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("duplicate field") && error.contains("max_gradient_norm"), "{error}");
    }
}
