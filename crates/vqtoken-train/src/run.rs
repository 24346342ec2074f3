//! A whole run: the start, its stages one after the other, and the model that comes out.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use rayon::prelude::*;
use vqtoken_model::{Precision, VisionSide, checkpoint};
use vqtoken_nn::kernel_ops::in_pool;

use crate::answers::Answers;
use crate::beginnings;
use crate::config::{AnswersConfig, FactsConfig, Mixture, Reading, StageConfig, TrainConfig};
use crate::data::{Clips, Use};
use crate::error::TrainError;
use crate::fact_heads::FactHeads;
use crate::facts::Facts;
use crate::features::Features;
use crate::learner::Learner;
use crate::llava_clips::LlavaClips;
use crate::objective::Objective;
use crate::patch_heads::PatchHeads;
use crate::patches::Patches;
use crate::paths::PathHeads;
use crate::reading::Reader;
use crate::shapes_clips::ShapesClips;
use crate::stage::{self, Event, Outcome, Watcher};
use crate::start::Start;
use crate::text::Teacher;

/// The folder of a stage's model, within that of the stage.
pub const MODEL: &str = "model";

/// Clips whose features are computed between two looks at the watcher.
const FEATURES_AT_ONCE: usize = 16;

/// Where a run keeps things.
#[derive(Clone, Debug)]
pub struct Folders {
    /// What comes out: one folder for each stage.
    pub out: PathBuf,
    /// Features of clips, which several runs may share.
    pub features: PathBuf,
}

/// Runs all stages of a configuration, each in a folder of its own, and returns the folder of the last stage's model; none if
/// the watcher broke the run off. Stages that are done are not repeated.
///
/// # Errors
///
/// If there is an earlier run in the folder and `resume` is not given, or anything fails; what was computed is kept.
pub fn run(
    config: &TrainConfig,
    folders: &Folders,
    resume: bool,
    watch: &mut (dyn FnMut(Event<'_>) -> ControlFlow<()> + Send),
) -> Result<Option<PathBuf>, TrainError> {
    if !resume && config.stages.iter().any(|stage| folders.out.join(&stage.name).exists()) {
        return Err(TrainError::Exists { path: folders.out.clone() });
    }
    // Kernels called from outside the pool would put this thread to sleep and wake it for each of them.
    in_pool(|| run_stages(config, folders, watch))
}

fn run_stages(
    config: &TrainConfig,
    folders: &Folders,
    watch: &mut Watcher<'_>,
) -> Result<Option<PathBuf>, TrainError> {
    let mut start = Start::of(config)?;
    let mut last = None;
    for stage in &config.stages {
        let folder = folders.out.join(&stage.name);
        let directory = folder.join(MODEL);
        if directory.exists() {
            start = start.replaced_by(&directory)?;
        } else {
            fs::create_dir_all(&folder)
                .map_err(|source| TrainError::Unwritable { path: folder.clone(), source })?;
            let cache = &folders.features;
            let learner = match (&stage.patches, &stage.facts, &stage.answers) {
                (Some(_), ..) => run_patches(config, stage, &start, &folder, watch)?,
                (_, Some(facts), _) => run_facts(config, stage, facts, &start, &folder, cache, watch)?,
                (.., Some(answers)) => run_answers(config, stage, answers, &start, &folder, cache, watch)?,
                (None, None, None) => None,
            };
            let Some(learner) = learner else { return Ok(None) };
            start.model = learner.model;
            checkpoint::save(&directory, &start.config, &start.model, &start.tokenizer_json)?;
        }
        last = Some(directory);
    }
    Ok(last)
}

fn run_patches(
    config: &TrainConfig,
    stage: &StageConfig,
    start: &Start,
    folder: &Path,
    watch: &mut Watcher<'_>,
) -> Result<Option<Learner>, TrainError> {
    let device = Device::flex().autodiff();
    let heads =
        beginnings::drawn(config.seed, &device, || PatchHeads::new(start.config.text.hidden_size, &device));
    let learner =
        Learner { model: start.model.clone(), patch_heads: Some(heads), fact_heads: None, path_heads: None };
    let vision = &start.config.vision;
    let objective = Patches::new(
        stage.patches.clone().unwrap_or_default(),
        config.data.shapes.clone().unwrap_or_default(),
        config.seed,
        [vision.grid_side(), vision.patch_size],
        start.pixel_spec.clone(),
        stage.batch / stage.accumulate,
        &device,
    );
    let learner = finish(stage, folder, learner, &objective, watch)?;
    // Only directions were taught, and lengths grew meanwhile. A language model wants tokens about as long as words.
    learner
        .map(|learner| {
            let scale = 1.0 / objective.mean_length(&learner)? as f32;
            let Learner { model, .. } = learner;
            Ok(Learner { model: beginnings::with_token_scale(model, scale), ..learner })
        })
        .transpose()
}

fn run_facts(
    config: &TrainConfig,
    stage: &StageConfig,
    facts: &FactsConfig,
    start: &Start,
    folder: &Path,
    cache: &Path,
    watch: &mut Watcher<'_>,
) -> Result<Option<Learner>, TrainError> {
    has_vq_attention(stage, start)?;
    let device = Device::flex().autodiff();
    // Facts ask nothing.
    let clips = ShapesClips::new(&config.data.shapes.clone().unwrap_or_default(), Mixture::default())?;
    let wanted =
        Kept { frames: facts.frames, budgets: &facts.budgets, validation_clips: facts.validation_clips };
    let Some(features) = make_features(&wanted, start, folder, cache, &clips, watch)? else {
        return Ok(None);
    };
    let reader = Reader {
        reading: Reading::Vqtoken,
        frames: facts.frames,
        budgets: facts.budgets.clone(),
        features: Some(features),
        pixel_spec: start.pixel_spec.clone(),
        device: device.clone(),
    };
    let heads = new_fact_heads(config, start);
    let learner =
        Learner { model: start.model.clone(), patch_heads: None, fact_heads: Some(heads), path_heads: None };
    let objective = Facts::new(facts.clone(), &clips, reader, config.seed, stage.batch / stage.accumulate);
    finish(stage, folder, learner, &objective, watch)
}

fn new_fact_heads(config: &TrainConfig, start: &Start) -> FactHeads {
    let device = Device::flex().autodiff();
    beginnings::drawn(config.seed, &device, || FactHeads::new(start.config.text.hidden_size, &device))
}

fn has_vq_attention(stage: &StageConfig, start: &Start) -> Result<(), TrainError> {
    match start.config.vq_attention {
        Some(_) => Ok(()),
        None => Err(TrainError::Config {
            file: "[model]".into(),
            problem: format!(
                "the model has no VQ-attention, which stage {:?} reads through: give one as vq_attention",
                stage.name
            ),
        }),
    }
}

fn run_answers(
    config: &TrainConfig,
    stage: &StageConfig,
    answers: &AnswersConfig,
    start: &Start,
    folder: &Path,
    cache: &Path,
    watch: &mut Watcher<'_>,
) -> Result<Option<Learner>, TrainError> {
    if answers.reading == Reading::Vqtoken {
        has_vq_attention(stage, start)?;
    }
    let layers = start.config.text.layers;
    for (name, term) in [("facts", answers.facts), ("paths", answers.paths)] {
        if let Some(term) = term.filter(|term| term.layer > layers) {
            return Err(TrainError::Config {
                file: "[stage.answers]".into(),
                problem: format!("{name}.layer is {}; the language model has {layers} layers", term.layer),
            });
        }
    }
    let clips: Box<dyn Clips> = match (&config.data.llava, &config.data.shapes) {
        (Some(llava), _) => Box::new(LlavaClips::read(llava)?),
        (None, settings) => {
            Box::new(ShapesClips::new(&settings.clone().unwrap_or_default(), answers.mixture)?)
        }
    };
    let features = match stage.rates.freeze_grid() && answers.reading != Reading::Blind {
        true => {
            let AnswersConfig { frames, budgets, validation_clips, .. } = answers;
            let wanted = Kept { frames: *frames, budgets, validation_clips: *validation_clips };
            let Some(features) = make_features(&wanted, start, folder, cache, clips.as_ref(), watch)? else {
                return Ok(None);
            };
            Some(features)
        }
        false => None,
    };
    let reader = Reader {
        reading: answers.reading,
        frames: answers.frames,
        budgets: answers.budgets.clone(),
        features,
        pixel_spec: start.pixel_spec.clone(),
        device: Device::flex().autodiff(),
    };
    let teacher = Teacher::new(start.tokenizer.clone(), start.template.clone());
    let piece = stage.batch / stage.accumulate;
    let objective = Answers::new(answers.clone(), clips.as_ref(), reader, teacher, config.seed, piece);
    let fact_heads = answers.facts.map(|_| new_fact_heads(config, start));
    let path_heads = answers.paths.map(|_| {
        let (d, device) = (start.config.text.hidden_size, Device::flex().autodiff());
        beginnings::drawn(config.seed, &device, || PathHeads::new(d, answers.frames, &device))
    });
    let learner = Learner { model: start.model.clone(), patch_heads: None, fact_heads, path_heads };
    finish(stage, folder, learner, &objective, watch)
}

fn finish(
    stage: &StageConfig,
    folder: &Path,
    learner: Learner,
    objective: &dyn Objective,
    watch: &mut Watcher<'_>,
) -> Result<Option<Learner>, TrainError> {
    match stage::run(stage, folder, learner, objective, watch)? {
        Outcome::Done(learner) => Ok(Some(*learner)),
        Outcome::Stopped => Ok(None),
    }
}

/// What is kept of clips.
struct Kept<'a> {
    frames: usize,
    budgets: &'a [usize],
    validation_clips: usize,
}

/// Computes the features of all clips that a stage reads and that are not there yet; none if the watcher broke off.
fn make_features(
    wanted: &Kept<'_>,
    start: &Start,
    folder: &Path,
    cache: &Path,
    clips: &dyn Clips,
    watch: &mut Watcher<'_>,
) -> Result<Option<Features>, TrainError> {
    // Inference runs on packed weights, which are read from a directory.
    let frozen = tempfile::TempDir::new_in(folder)
        .map_err(|source| TrainError::Unwritable { path: folder.to_owned(), source })?;
    let directory = frozen.path().join(MODEL);
    checkpoint::save(&directory, &start.config, &start.model, &start.tokenizer_json)?;
    let vision = VisionSide::load_as(&directory, Precision::F32)?;
    let features = Features::new(cache, &vision, clips, wanted.frames, wanted.budgets);
    let validated = wanted.validation_clips.min(clips.count(Use::Validation));
    let validated = (0..validated).map(|index| clips.number(Use::Validation, index));
    let learnt = (0..clips.count(Use::Training)).map(|index| clips.number(Use::Training, index));
    let missing: Vec<usize> = validated.chain(learnt).filter(|&number| !features.has(number)).collect();
    for (index, numbers) in missing.chunks(FEATURES_AT_ONCE).enumerate() {
        let done = index * FEATURES_AT_ONCE;
        if watch(Event::Preparing { what: "features", done, total: missing.len() }).is_break() {
            return Ok(None);
        }
        numbers.par_iter().try_for_each(|&number| features.make(number, clips, &vision))?;
    }
    Ok(Some(features))
}
