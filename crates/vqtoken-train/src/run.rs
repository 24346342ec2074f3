//! A whole run: the initial model, its stages one after the other, and the trained model.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use vqtoken_model::{Precision, TokenRerankerModules, TokenRetrieverModules, VisionSide, config};
use vqtoken_nn::in_thread_pool;

use crate::clips::llava::LlavaClips;
use crate::clips::shapes::ShapesClips;
use crate::clips::{Clips, Use};
use crate::config::{
    AnswersConfig, DataConfig, Mixture, ObjectLabelsConfig, ObjectiveConfig, PatchLabelsConfig,
    RerankingConfig, RetrievalConfig, StageConfig, StageError, TrainConfig, VisualInput,
};
use crate::error::TrainError;
use crate::feature_cache::FeatureCache;
use crate::heads::{LabelHeads, LabelHeadsConfig, PatchHeadsConfig, TrajectoryHeadsConfig};
use crate::init;
use crate::learner::Learner;
use crate::objectives::Objective;
use crate::objectives::answers::Answers;
use crate::objectives::object_labels::ObjectLabels;
use crate::objectives::patch_labels::PatchLabels;
use crate::objectives::reranking::Reranking;
use crate::objectives::retrieval::Retrieval;
use crate::objectives::search_clips::SearchClips;
use crate::stage::{self, Event, Observer, Outcome};
use crate::tensors::training_device;
use crate::trained_model::TrainedModel;
use crate::visual_tokens::{GridSource, VisualTokenSource};

/// The folder of a stage's model, within that of the stage.
const MODEL: &str = "model";

/// The folder of what a stage of retrieval trains, within that of the stage.
const RETRIEVAL: &str = "retrieval";

/// The folder of what a stage of reranking trains, within that of the stage.
const RERANKING: &str = "reranking";

/// Clips whose features are computed between two events.
const FEATURES_AT_ONCE: usize = 16;

/// Where a run writes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunFolders {
    /// Results: one folder per stage.
    pub out: PathBuf,
    /// Cached features of clips, which several runs may share.
    pub features: PathBuf,
}

impl RunFolders {
    /// Results go to `out`, cached features to `features`.
    pub fn new(out: impl Into<PathBuf>, features: impl Into<PathBuf>) -> Self {
        Self { out: out.into(), features: features.into() }
    }
}

/// What to do where there are results of an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlierRun {
    /// Continue it.
    Resume,
    /// Refuse to run.
    Refuse,
}

/// Runs all stages of a configuration, each in a folder of its own, and returns the folder of the last stage's model; `None` if
/// the observer stopped the run. Stages that are done are not repeated.
///
/// `observe` is told what happens; with `Break` the run writes a checkpoint and stops.
///
/// # Errors
///
/// If there is an earlier run that is not to be resumed, or anything fails; what was computed is kept.
pub fn run(
    config: &TrainConfig,
    folders: &RunFolders,
    earlier: EarlierRun,
    observe: &mut (dyn FnMut(Event<'_>) -> ControlFlow<()> + Send),
) -> Result<Option<PathBuf>, TrainError> {
    let exists = config.stages.iter().any(|stage| folders.out.join(&stage.name).exists());
    if exists && earlier == EarlierRun::Refuse {
        return Err(TrainError::Exists { path: folders.out.clone() });
    }
    // Kernels called from outside the pool would put this thread to sleep and wake it for each of them.
    in_thread_pool(|| run_stages(config, folders, observe))
}

fn run_stages(
    config: &TrainConfig,
    folders: &RunFolders,
    observe: &mut Observer<'_>,
) -> Result<Option<PathBuf>, TrainError> {
    let mut model = TrainedModel::initial(config)?;
    let mut last = None;
    for stage in &config.stages {
        let folder = folders.out.join(&stage.name);
        let directory = folder.join(MODEL);
        if directory.exists() {
            model = model.replaced_by(&directory)?;
        } else {
            fs::create_dir_all(&folder)
                .map_err(|source| TrainError::Unwritable { path: folder.clone(), source })?;
            let mut run = StageRun {
                config,
                stage,
                model: &model,
                folder: &folder,
                cache: &folders.features,
                observe: &mut *observe,
            };
            let learner = match &stage.objective {
                ObjectiveConfig::PatchLabels(patches) => run.patch_labels(patches)?,
                ObjectiveConfig::ObjectLabels(objects) => run.object_labels(objects)?,
                ObjectiveConfig::Retrieval(retrieval) => run.retrieval(retrieval)?,
                ObjectiveConfig::Reranking(reranking) => run.reranking(reranking)?,
                ObjectiveConfig::Answers(answers) => run.answers(answers)?,
            };
            let Some(learner) = learner else { return Ok(None) };
            if let (ObjectiveConfig::Retrieval(retrieval), Some(modules)) =
                (&stage.objective, &learner.retrieval)
            {
                let shape = model.retrieval_shape(retrieval, &config.model.name())?;
                TrainedModel::save_beside(&folder.join(RETRIEVAL), &shape, modules)?;
            }
            if let (ObjectiveConfig::Reranking(reranking), Some(modules)) =
                (&stage.objective, &learner.reranking)
            {
                let shape = model.reranking_shape(reranking, &config.model.name())?;
                TrainedModel::save_beside(&folder.join(RERANKING), &shape, modules)?;
            }
            model.model = learner.model;
            if let ObjectiveConfig::Answers(answers) = &stage.objective {
                model.config.visual_input = stated_input(&answers.visual_input).or(model.config.visual_input);
            }
            model.save(&directory)?;
        }
        last = Some(directory);
    }
    Ok(last)
}

/// What a model that was trained on `input` states in its configuration.
fn stated_input(input: &VisualInput) -> Option<config::VisualInput> {
    match input {
        VisualInput::VqToken(_) | VisualInput::Codebook(_) => Some(config::VisualInput::Codes),
        VisualInput::Pooled(_) => Some(config::VisualInput::Pooled),
        VisualInput::Blind => None,
    }
}

/// A stage with all that it needs. Its methods return the trained learner, or `None` if the observer stopped the run.
struct StageRun<'a, 'b> {
    config: &'a TrainConfig,
    stage: &'a StageConfig,
    model: &'a TrainedModel,
    /// The stage's folder.
    folder: &'a Path,
    /// The folder of cached features.
    cache: &'a Path,
    observe: &'a mut Observer<'b>,
}

impl StageRun<'_, '_> {
    fn patch_labels(&mut self, config: &PatchLabelsConfig) -> Result<Option<Learner>, TrainError> {
        let device = training_device();
        let heads = PatchHeadsConfig { d_token: self.model.config.text.hidden_size };
        let heads = init::seeded(self.config.seed, &device, || heads.init(&device));
        let learner = Learner { patch_heads: Some(heads), ..Learner::new(self.model.model.clone()) };
        let vision = &self.model.config.vision;
        let objective = PatchLabels {
            config,
            settings: self.config.shapes().cloned().unwrap_or_default(),
            seed: self.config.seed,
            grid_side: vision.grid_side(),
            patch_size: vision.patch_size,
            pixel_spec: self.model.pixel_spec.clone(),
            micro_batch_size: self.stage.micro_batch_size(),
            device,
        };
        let Some(learner) = self.train(learner, &objective)? else { return Ok(None) };
        // Only directions were trained, and lengths grew meanwhile. A language model needs tokens about as long as its embeddings.
        let scale = 1.0 / objective.mean_token_length(&learner)? as f32;
        let Learner { model, .. } = learner;
        Ok(Some(Learner { model: init::with_token_scale(model, scale), ..learner }))
    }

    fn object_labels(&mut self, config: &ObjectLabelsConfig) -> Result<Option<Learner>, TrainError> {
        self.needs_vq_attention()?;
        let settings = self.config.shapes();
        let settings =
            settings.ok_or_else(|| self.invalid(StageError::NeedsShapes { key: "object_labels" }))?;
        // No text is read, so the mixture does not matter.
        let clips = ShapesClips::new(settings, Mixture::default())?;
        let features = Features {
            frames: config.frames,
            budgets: &config.budgets,
            validation_clips: config.validation_clips,
        };
        let Some(cache) = self.cached_features(&features, &clips)? else { return Ok(None) };
        let objective = ObjectLabels {
            config,
            clips: &clips,
            source: VisualTokenSource { grids: GridSource::Cached(cache), device: training_device() },
            seed: self.config.seed,
            micro_batch_size: self.stage.micro_batch_size(),
        };
        let learner =
            Learner { label_heads: Some(self.label_heads()), ..Learner::new(self.model.model.clone()) };
        self.train(learner, &objective)
    }

    fn retrieval(&mut self, config: &RetrievalConfig) -> Result<Option<Learner>, TrainError> {
        let shape = self.model.retrieval_shape(config, &self.config.model.name())?;
        let clips = self.search_clips("retrieval")?;
        let features = Features {
            frames: config.frames,
            budgets: &config.budgets,
            validation_clips: config.validation_clips,
        };
        let Some(data) = self.search_data(&clips, &features, &shape.text())? else { return Ok(None) };
        let new = init::seeded(self.config.seed, &data.device, || {
            TokenRetrieverModules::new(&shape, &training_device())
        });
        let retrieval = Some(init::with_words(new, &self.model.model));
        let learner = Learner { retrieval, ..Learner::new(self.model.model.clone()) };
        self.train(learner, &Retrieval { config, data })
    }

    fn reranking(&mut self, config: &RerankingConfig) -> Result<Option<Learner>, TrainError> {
        let shape = self.model.reranking_shape(config, &self.config.model.name())?;
        let clips = self.search_clips("reranking")?;
        let features = Features {
            frames: config.frames,
            budgets: &config.budgets,
            validation_clips: config.validation_clips,
        };
        let Some(data) = self.search_data(&clips, &features, &shape.text())? else { return Ok(None) };
        let new = init::seeded(self.config.seed, &data.device, || {
            TokenRerankerModules::new(&shape, &training_device())
        });
        let retriever = self.config.model.start().map(|folder| folder.join(RETRIEVAL));
        let reranking = Some(init::with_retriever(new, retriever.as_deref(), &shape)?);
        let learner = Learner { reranking, ..Learner::new(self.model.model.clone()) };
        let facts = (0..clips.len()).map(|_| std::sync::OnceLock::new()).collect();
        self.train(learner, &Reranking { config, data, facts })
    }

    /// The clips of a stage that compares texts with codes; `key` is its objective.
    fn search_clips(&self, key: &'static str) -> Result<ShapesClips, TrainError> {
        self.needs_vq_attention()?;
        let settings = self.config.shapes().ok_or_else(|| self.invalid(StageError::NeedsShapes { key }))?;
        // No conversation is read, so the mixture does not matter.
        ShapesClips::new(settings, Mixture::default())
    }

    /// What such a stage reads of them; `None` if the observer stopped the run.
    fn search_data<'c>(
        &mut self,
        clips: &'c ShapesClips,
        features: &Features<'_>,
        text: &config::SiglipTextConfig,
    ) -> Result<Option<SearchClips<'c>>, TrainError> {
        let Some(cache) = self.cached_features(features, clips)? else { return Ok(None) };
        Ok(Some(SearchClips {
            clips,
            cache,
            tokenizer: self.model.retrieval_tokenizer(text)?,
            seed: self.config.seed,
            micro_batch_size: self.stage.micro_batch_size(),
            device: training_device(),
            scripts: (0..clips.len()).map(|_| std::sync::OnceLock::new()).collect(),
        }))
    }

    fn answers(&mut self, config: &AnswersConfig) -> Result<Option<Learner>, TrainError> {
        if matches!(config.visual_input, VisualInput::VqToken(_)) {
            self.needs_vq_attention()?;
        }
        let trajectories = config.visual_input.pooled().and_then(|pooled| pooled.trajectories);
        let layers = self.model.config.text.layers;
        for (key, term) in [("object_labels", config.object_labels), ("trajectories", trajectories)] {
            if let Some(term) = term.filter(|term| term.layer > layers) {
                let stage = self.stage.name.clone();
                return Err(TrainError::NoLayer { stage, key, layer: term.layer, layers });
            }
        }
        let clips: Box<dyn Clips> = match &self.config.data {
            Some(DataConfig::Llava(llava)) => {
                let clips = LlavaClips::read(llava, &self.config.limits)?;
                let (pictures, texts) = clips.left_out;
                if pictures + texts > 0 && (self.observe)(Event::LeftOut { pictures, texts }).is_break() {
                    return Ok(None);
                }
                Box::new(clips)
            }
            Some(DataConfig::Shapes(settings)) => Box::new(ShapesClips::new(settings, config.mixture)?),
            None => return Err(self.invalid(StageError::NoData)),
        };
        let grids = match (&config.visual_input, self.stage.learning_rates.freeze_grid()) {
            (VisualInput::Blind, _) => None,
            (_, false) => {
                let pixel_spec = self.model.pixel_spec.clone();
                Some(GridSource::Computed { frames: config.frames, pixel_spec })
            }
            (visual_input, true) => {
                let features = Features {
                    frames: config.frames,
                    budgets: visual_input.cached_budgets(),
                    validation_clips: config.validation_clips,
                };
                let Some(cache) = self.cached_features(&features, clips.as_ref())? else { return Ok(None) };
                Some(GridSource::Cached(cache))
            }
        };
        let objective = Answers {
            config,
            clips: clips.as_ref(),
            source: grids.map(|grids| VisualTokenSource { grids, device: training_device() }),
            tokenizer: self.model.conversation_tokenizer(),
            seed: self.config.seed,
            micro_batch_size: self.stage.micro_batch_size(),
        };
        let mut learner = Learner::new(self.model.model.clone());
        learner.label_heads = config.object_labels.map(|_| self.label_heads());
        learner.trajectory_heads = trajectories.map(|_| {
            let (d_token, device) = (self.model.config.text.hidden_size, training_device());
            let heads = TrajectoryHeadsConfig { d_token, frames: config.frames };
            init::seeded(self.config.seed, &device, || heads.init(&device))
        });
        self.train(learner, &objective)
    }

    fn invalid(&self, source: StageError) -> TrainError {
        TrainError::Stage { stage: self.stage.name.clone(), source }
    }

    fn label_heads(&self) -> LabelHeads {
        let device = training_device();
        let heads = LabelHeadsConfig { d_token: self.model.config.text.hidden_size };
        init::seeded(self.config.seed, &device, || heads.init(&device))
    }

    fn needs_vq_attention(&self) -> Result<(), TrainError> {
        match self.model.config.vq_attention {
            Some(_) => Ok(()),
            None => Err(TrainError::NoVqAttention { stage: self.stage.name.clone() }),
        }
    }

    fn train(&mut self, learner: Learner, objective: &dyn Objective) -> Result<Option<Learner>, TrainError> {
        match stage::run(self.stage, self.folder, learner, objective, self.observe)? {
            Outcome::Done(learner) => Ok(Some(*learner)),
            Outcome::Stopped => Ok(None),
        }
    }

    /// Computes the features of all clips that the stage reads and that are not cached; `None` if the observer stopped the run.
    fn cached_features(
        &mut self,
        wanted: &Features<'_>,
        clips: &dyn Clips,
    ) -> Result<Option<FeatureCache>, TrainError> {
        // Inference runs on packed weights, which are read from a directory.
        let frozen = tempfile::TempDir::new_in(self.folder)
            .map_err(|source| TrainError::Unwritable { path: self.folder.to_owned(), source })?;
        let directory = frozen.path().join(MODEL);
        self.model.save(&directory)?;
        let vision = VisionSide::load_as(&directory, Precision::F32)?;
        let cache = FeatureCache::new(self.cache, &vision, clips, wanted.frames, wanted.budgets);
        let training = (0..clips.count(Use::Training)).map(|index| clips.index(Use::Training, index));
        let needed = clips.validation_clips(wanted.validation_clips).into_iter().chain(training);
        let missing: Vec<usize> = needed.filter(|&clip| !cache.has(clip)).collect();
        for (index, some) in missing.chunks(FEATURES_AT_ONCE).enumerate() {
            let done = index * FEATURES_AT_ONCE;
            if (self.observe)(Event::Preparing { what: "features", done, total: missing.len() }).is_break() {
                return Ok(None);
            }
            some.par_iter().try_for_each(|&clip| cache.compute(clip, clips, &vision))?;
        }
        Ok(Some(cache))
    }
}

/// Which features a stage reads.
struct Features<'a> {
    frames: usize,
    budgets: &'a [usize],
    validation_clips: usize,
}
