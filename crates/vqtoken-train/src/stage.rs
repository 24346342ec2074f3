//! The loop of a stage: losses, gradients, optimizer steps, validations, checkpoints.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use rayon::prelude::*;

use crate::adamw::{AdamW, GradientSum};
use crate::checkpoint::{self, Progress};
use crate::config::StageConfig;
use crate::error::{CheckpointError, TrainError};
use crate::learner::Learner;
use crate::measures::Measures;
use crate::metrics::Log;
use crate::micro_batch::MicroBatch;
use crate::objectives::Objective;
use crate::schedule;
use crate::tensors::{scalar, training_device};

/// What a run reports while it goes on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A stage starts or is resumed.
    Stage {
        /// Its name.
        name: &'a str,
        /// Steps taken already.
        step: usize,
        /// Steps in all.
        steps: usize,
    },
    /// Work before the first step.
    Preparing {
        /// What is computed.
        what: &'a str,
        /// How much of it is done.
        done: usize,
        /// How much there is.
        total: usize,
    },
    /// Rows of the data that are not about a video, and are left out.
    LeftOut {
        /// Rows about pictures.
        pictures: usize,
        /// Rows of text alone.
        texts: usize,
    },
    /// A step was taken.
    Step {
        /// Steps taken.
        step: usize,
        /// The loss and other measures.
        measures: &'a Measures,
        /// The factor on all learning rates.
        rate: f64,
    },
    /// A validation.
    Validation {
        /// Steps taken.
        step: usize,
        /// Its measures.
        measures: &'a Measures,
    },
}

/// Is told what happens; with `Break` the run writes a checkpoint and stops.
pub(crate) type Observer<'a> = dyn FnMut(Event<'_>) -> ControlFlow<()> + 'a;

/// How a stage ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All steps were taken, or the validation loss stopped falling.
    Done(Box<Learner>),
    /// The observer stopped it.
    Stopped,
}

/// The name of a stage's log, in the stage's folder; [`crate::read_metrics`] reads it.
pub const METRICS: &str = "metrics.jsonl";
const CHECKPOINT: &str = "checkpoint.safetensors";
const BEST: &str = "best.safetensors";

/// Runs a stage in its folder, from its checkpoint if there is one.
///
/// # Errors
///
/// If the objective fails, the loss is not finite, or a file cannot be written; the last checkpoint is kept.
pub(crate) fn run(
    stage: &StageConfig,
    folder: &Path,
    learner: Learner,
    objective: &dyn Objective,
    observe: &mut Observer<'_>,
) -> Result<Outcome, TrainError> {
    fs::create_dir_all(folder)
        .map_err(|source| TrainError::Unwritable { path: folder.to_owned(), source })?;
    let file = folder.join(CHECKPOINT);
    let (mut learner, mut optimizer, mut progress) = match file.exists() {
        true => checkpoint::load(&file, learner, stage.optimizer().init())?,
        false => (learner, stage.optimizer().init(), Progress::start(stage)),
    };
    if !progress.is_of(stage) {
        return Err(TrainError::Checkpoint { file, source: CheckpointError::OtherStage });
    }
    learner = learner.with_trainable(&stage.learning_rates);
    let mut log = Log::open(&folder.join(METRICS), progress.step)?;
    let mut flow = observe(Event::Stage { name: &stage.name, step: progress.step, steps: stage.steps });
    let is_done = |progress: &Progress| {
        let bad = progress.validations_without_better;
        progress.step >= stage.steps || stage.patience.is_some_and(|patience| bad >= patience)
    };
    while !is_done(&progress) && flow.is_continue() {
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
        flow = observe(Event::Step { step: progress.step, measures: &measures, rate });

        if progress.step.is_multiple_of(stage.validate_every) || progress.step == stage.steps {
            let measures = objective.validate(&learner)?;
            let mut line = measures.to_json();
            line.insert("step".to_owned(), progress.step.into());
            line.insert("validation".to_owned(), true.into());
            log.add(line)?;
            if flow.is_continue() {
                flow = observe(Event::Validation { step: progress.step, measures: &measures });
            }
            match measures.get("loss") {
                // Without validation data there is nothing to compare.
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
        let last = is_done(&progress) || flow.is_break();
        if progress.step.is_multiple_of(stage.checkpoint_every) || last {
            checkpoint::save(&file, &learner, &optimizer, &progress)?;
        }
    }
    if flow.is_break() && !is_done(&progress) {
        return Ok(Outcome::Stopped);
    }
    let best = folder.join(BEST);
    if best.exists() {
        (learner, ..) = checkpoint::load(&best, learner, optimizer)?;
    }
    Ok(Outcome::Done(Box::new(learner)))
}

/// One optimizer step: losses and gradients of all micro-batches in parallel, each on a replica of the learner, then one update
/// with the sum of their gradients, added in order.
fn step(
    stage: &StageConfig,
    learner: Learner,
    objective: &dyn Objective,
    optimizer: &mut AdamW,
    step: usize,
    rate: f64,
) -> Result<(Learner, Measures), TrainError> {
    let device = training_device();
    let per_step = stage.micro_batches;
    // Graphs that share parameters would wait for each other.
    let replicas: Vec<(usize, Learner)> =
        (0..per_step).map(|within_step| (within_step, learner.clone().fork(&device))).collect();
    let results = replicas
        .into_par_iter()
        .map(|(within_step, replica)| {
            let loss = objective.loss(&replica, MicroBatch { step, within_step, per_step })?;
            let value = scalar(&loss.value);
            if !value.is_finite() {
                let stage = stage.name.clone();
                return Err(TrainError::NotFinite { stage, step: step + 1, loss: value });
            }
            let share = loss.value / per_step as f32;
            let gradients = GradientSum::of(&replica, &share.backward());
            Ok((gradients, Measures::default().with("loss", value).with_all(&loss.measures)))
        })
        .collect::<Result<Vec<_>, TrainError>>()?;
    let (gradients, measures): (Vec<GradientSum>, Vec<Measures>) = results.into_iter().unzip();
    let sum = gradients.into_iter().reduce(GradientSum::plus).unwrap_or_default();
    let measures = Measures::mean(&measures).with("gradient_norm", sum.norm());
    let learner = optimizer.step(learner, &sum, &|name| rate * stage.learning_rates.of(name).unwrap_or(0.0));
    Ok((learner, measures))
}
