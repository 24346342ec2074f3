//! A whole run: the start, its stages one after the other, and the model that comes out.

use std::fs;
use std::path::{Path, PathBuf};

use vqtoken_model::checkpoint;
use vqtoken_nn::kernel_ops::in_pool;

use crate::config::{StageConfig, TrainConfig};
use crate::error::TrainError;
use crate::learner::Learner;
use crate::objective::Objective;
use crate::patch_heads::PatchHeads;
use crate::patches::Patches;
use crate::stage::{self, Outcome, Watcher};
use crate::start::Start;

/// The folder of a stage's model, within that of the stage.
pub const MODEL: &str = "model";

/// Runs all stages of a configuration below `out`, each in a folder of its own, and returns the folder of the last stage's
/// model; none if the watcher broke the run off. Stages that are done are not repeated.
///
/// # Errors
///
/// If there is an earlier run in `out` and `resume` is not given, or anything fails; what was computed is kept.
pub fn run(
    config: &TrainConfig,
    out: &Path,
    resume: bool,
    watch: &mut (dyn FnMut(stage::Event<'_>) -> std::ops::ControlFlow<()> + Send),
) -> Result<Option<PathBuf>, TrainError> {
    if !resume && config.stages.iter().any(|stage| out.join(&stage.name).exists()) {
        return Err(TrainError::Exists { path: out.to_owned() });
    }
    in_pool(|| run_stages(config, out, watch))
}

fn run_stages(config: &TrainConfig, out: &Path, watch: &mut Watcher<'_>) -> Result<Option<PathBuf>, TrainError> {
    let mut start = Start::of(config)?;
    let mut last = None;
    for stage in &config.stages {
        let folder = out.join(&stage.name);
        let directory = folder.join(MODEL);
        if directory.exists() {
            start = start.replaced_by(&directory)?;
        } else {
            let Some(learner) = run_stage(config, stage, &start, &folder, watch)? else {
                return Ok(None);
            };
            start.model = learner.model;
            checkpoint::save(&directory, &start.config, &start.model, &start.tokenizer_json)?;
        }
        last = Some(directory);
    }
    Ok(last)
}

fn run_stage(
    config: &TrainConfig,
    stage: &StageConfig,
    start: &Start,
    folder: &Path,
    watch: &mut Watcher<'_>,
) -> Result<Option<Learner>, TrainError> {
    fs::create_dir_all(folder)
        .map_err(|source| TrainError::Unwritable { path: folder.to_owned(), source })?;
    let device = burn::tensor::Device::flex().autodiff();
    device.seed(config.seed);
    let piece = stage.batch / stage.accumulate;
    let mut learner = Learner { model: start.model.clone(), patch_heads: None };
    let objective: Box<dyn Objective> = match (&stage.patches, &stage.answers) {
        (Some(patches), _) => {
            learner.patch_heads = Some(PatchHeads::new(start.config.text.hidden_size, &device));
            let vision = &start.config.vision;
            Box::new(Patches::new(
                patches.clone(),
                config.data.shapes.clone().unwrap_or_default(),
                config.seed,
                [vision.grid_side(), vision.patch_size],
                start.pixel_spec.clone(),
                piece,
                &device,
            ))
        }
        _ => {
            return Err(TrainError::Config { file: folder.to_owned(), problem: "no objective".to_owned() });
        }
    };
    match stage::run(stage, folder, learner, objective.as_ref(), watch)? {
        Outcome::Done(learner) => Ok(Some(*learner)),
        Outcome::Stopped => Ok(None),
    }
}
