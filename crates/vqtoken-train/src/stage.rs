//! The loop: losses, gradients, steps, validations, checkpoints.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use rayon::prelude::*;

use crate::adamw::{AdamW, GradientSum};
use crate::checkpoint::{self, Progress};
use crate::config::StageConfig;
use crate::error::TrainError;
use crate::learner::Learner;
use crate::metrics::Log;
use crate::objective::{Measures, Objective, Place};
use crate::schedule;

/// What training tells whoever watches it.
#[derive(Debug)]
pub enum Event<'a> {
    /// A stage begins, or goes on behind `step`.
    Stage {
        /// Its name.
        name: &'a str,
        /// Steps taken already.
        step: usize,
        /// Steps in all.
        steps: usize,
    },
    /// Something that takes a while before the first step.
    Preparing {
        /// What.
        what: &'a str,
        /// How much of it is done.
        done: usize,
        /// How much there is.
        total: usize,
    },
    /// A step was taken.
    Step {
        /// How many now.
        step: usize,
        /// The loss and what belongs to it.
        measures: &'a Measures,
        /// The factor on all rates.
        rate: f64,
    },
    /// A validation.
    Validation {
        /// Behind this step.
        step: usize,
        /// Its numbers.
        measures: &'a Measures,
    },
}

/// Who watches a run; a `Break` ends it behind a checkpoint.
pub(crate) type Watcher<'a> = dyn FnMut(Event<'_>) -> ControlFlow<()> + 'a;

/// How a stage ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All steps were taken, or validation stopped getting better.
    Done(Box<Learner>),
    /// The watcher broke it off.
    Stopped,
}

/// The name of the file that a stage goes on from.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// The name of a stage's log.
pub const METRICS: &str = "metrics.jsonl";
const BEST: &str = "best.safetensors";

/// Runs a stage in its folder, from its checkpoint if there is one.
///
/// # Errors
///
/// If the objective fails, the loss is no number, or a file cannot be written; the last checkpoint is kept.
pub(crate) fn run(
    stage: &StageConfig,
    folder: &Path,
    learner: Learner,
    objective: &dyn Objective,
    watch: &mut Watcher<'_>,
) -> Result<Outcome, TrainError> {
    fs::create_dir_all(folder)
        .map_err(|source| TrainError::Unwritable { path: folder.to_owned(), source })?;
    let file = folder.join(CHECKPOINT);
    let description = serde_json::to_string(stage).unwrap_or_default();
    let mut optimizer = AdamW::new(stage.optimizer());
    let mut learner = learner;
    let mut progress = Progress { stage: description.clone(), ..Progress::default() };
    if file.exists() {
        (learner, optimizer, progress) = checkpoint::load(&file, learner, optimizer)?;
        if progress.stage != description {
            return Err(TrainError::Checkpoint {
                file,
                problem:
                    "it was made with another configuration of this stage: undo the change, or begin anew \
                          in another folder"
                        .to_owned(),
            });
        }
    }
    learner = learner.with_trainable(&stage.rates);
    let mut log = Log::open(&folder.join(METRICS), progress.step)?;
    let mut go_on = watch(Event::Stage { name: &stage.name, step: progress.step, steps: stage.steps });
    let patient = |progress: &Progress| {
        stage.patience.is_none_or(|patience| progress.validations_without_better < patience)
    };
    while progress.step < stage.steps && patient(&progress) && go_on.is_continue() {
        let started = Instant::now();
        let rate = schedule::factor(progress.step, stage.steps, stage.warm_up, stage.final_factor);
        let measures;
        (learner, measures) = step(stage, learner, objective, &mut optimizer, progress.step, rate)?;
        progress.step += 1;
        let mut line = measures.to_json();
        line.insert("step".to_owned(), progress.step.into());
        line.insert("rate".to_owned(), rate.into());
        line.insert("seconds".to_owned(), started.elapsed().as_secs_f64().into());
        log.add(line)?;
        go_on = watch(Event::Step { step: progress.step, measures: &measures, rate });

        if progress.step.is_multiple_of(stage.validate_every) || progress.step == stage.steps {
            let measures = objective.validate(&learner)?;
            let mut line = measures.to_json();
            line.insert("step".to_owned(), progress.step.into());
            line.insert("validation".to_owned(), true.into());
            log.add(line)?;
            if go_on.is_continue() {
                go_on = watch(Event::Validation { step: progress.step, measures: &measures });
            }
            match measures.get("loss") {
                // Nothing was validated, so nothing can be said to have stopped getting better.
                None => {}
                Some(loss) if progress.best.is_none_or(|best| loss < best) => {
                    progress.best = Some(loss);
                    progress.validations_without_better = 0;
                    if stage.patience.is_some() {
                        checkpoint::save(&folder.join(BEST), &learner, &optimizer, &progress)?;
                    }
                }
                Some(_) => progress.validations_without_better += 1,
            }
        }
        let last = progress.step == stage.steps || go_on.is_break() || !patient(&progress);
        if progress.step.is_multiple_of(stage.checkpoint_every) || last {
            checkpoint::save(&file, &learner, &optimizer, &progress)?;
        }
    }
    if go_on.is_break() && progress.step < stage.steps && patient(&progress) {
        return Ok(Outcome::Stopped);
    }
    let best = folder.join(BEST);
    if best.exists() {
        (learner, ..) = checkpoint::load(&best, learner, optimizer)?;
    }
    Ok(Outcome::Done(Box::new(learner)))
}

/// One step of the optimizer: losses and gradients of all pieces at once, each on a replica of the learner, then one update
/// by their sum in the order of the pieces.
fn step(
    stage: &StageConfig,
    learner: Learner,
    objective: &dyn Objective,
    optimizer: &mut AdamW,
    step: usize,
    rate: f64,
) -> Result<(Learner, Measures), TrainError> {
    let device = Device::flex().autodiff();
    // Graphs that share parameters would wait for each other.
    let replicas: Vec<(usize, Learner)> =
        (0..stage.accumulate).map(|piece| (piece, learner.clone().fork(&device))).collect();
    let gradients = replicas
        .into_par_iter()
        .map(|(piece, replica)| {
            let place = Place { step, piece, pieces: stage.accumulate };
            let loss = objective.loss(&replica, place)?;
            let value = f64::from(loss.value.clone().into_scalar::<f32>());
            if !value.is_finite() {
                return Err(TrainError::NotANumber {
                    stage: stage.name.clone(),
                    step: step + 1,
                    loss: value,
                });
            }
            let mut gradients = GradientSum::default();
            let share = loss.value / stage.accumulate as f32;
            gradients.take(&replica, &share.backward());
            Ok((gradients, Measures::default().with("loss", value).with_all(&loss.measures)))
        })
        .collect::<Result<Vec<_>, TrainError>>()?;
    let (pieces, measures): (Vec<GradientSum>, Vec<Measures>) = gradients.into_iter().unzip();
    let sum = pieces.into_iter().reduce(GradientSum::plus).unwrap_or_default();
    let measures = Measures::mean(&measures).with("gradient_norm", sum.norm());
    let learner = optimizer.step(learner, &sum, &|name| rate * stage.rates.of(name).unwrap_or(0.0));
    Ok((learner, measures))
}
