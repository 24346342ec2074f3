//! Checkpoints: all parameters, the optimizer's moments and how far the stage is, in one safetensors file. What is drawn
//! depends on the step alone, so the step is the state of the random numbers, too.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::adamw::{AdamW, Moments};
use crate::config::StageConfig;
use crate::error::{CheckpointError, TrainError};
use crate::learner::Learner;

/// How far a stage is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Steps taken; the index of the next one.
    pub(crate) step: usize,
    /// Steps that the optimizer counts.
    optimizer_steps: u64,
    /// The lowest validation loss so far.
    pub(crate) best: Option<f64>,
    /// Validations since then.
    pub(crate) validations_without_better: usize,
    /// The stage's configuration as JSON: a checkpoint is resumed only under its own.
    stage: String,
}

/// What the names of parameters begin with.
pub(crate) const PARAMETERS: &str = "parameter/";
const FIRST_MOMENTS: &str = "first moment/";
const SECOND_MOMENTS: &str = "second moment/";
const PROGRESS: &str = "progress";

/// What parameters were called in checkpoints of earlier versions, and are called now.
const RENAMED: [(&str, &str); 3] = [
    ("fact_heads.", "label_heads."),
    ("path_heads.", "trajectory_heads."),
    ("patch_heads.place.", "patch_heads.position."),
];

impl Progress {
    /// A stage that has taken no step.
    pub(crate) fn start(stage: &StageConfig) -> Self {
        Self { stage: as_json(stage), ..Self::default() }
    }

    /// Whether this was recorded under the same configuration. Both are compared as configurations, not as texts, so a
    /// checkpoint of a version with fewer or other keys is resumed, too.
    pub(crate) fn is_of(&self, stage: &StageConfig) -> bool {
        // The same parser reads both, so that decimals are rounded alike.
        let parse = |json: &str| serde_json::from_str::<StageConfig>(json).ok();
        parse(&self.stage).is_some_and(|own| parse(&as_json(stage)).is_some_and(|other| own == other))
    }
}

#[expect(clippy::expect_used, reason = "a stage is strings, numbers and lists of these")]
fn as_json(stage: &StageConfig) -> String {
    serde_json::to_string(stage).expect("a stage can be written as JSON")
}

/// Writes a checkpoint; an older one is replaced atomically.
///
/// # Errors
///
/// If the file cannot be written; the older one is then still there.
pub(crate) fn save(
    file: &Path,
    learner: &Learner,
    optimizer: &AdamW,
    progress: &Progress,
) -> Result<(), TrainError> {
    let bytes = to_bytes(learner, optimizer, progress)
        .map_err(|source| TrainError::Checkpoint { file: file.to_owned(), source })?;
    Ok(vqtoken_files::write(file, bytes)?)
}

fn to_bytes(learner: &Learner, optimizer: &AdamW, progress: &Progress) -> Result<Vec<u8>, CheckpointError> {
    let progress = Progress { optimizer_steps: optimizer.steps, ..progress.clone() };
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    for (name, (shape, values)) in learner.parameters() {
        tensors.push((format!("{PARAMETERS}{name}"), shape, values));
    }
    for (name, moments) in &optimizer.moments {
        for (kind, values) in [(FIRST_MOMENTS, &moments.first), (SECOND_MOMENTS, &moments.second)] {
            tensors.push((format!("{kind}{name}"), vec![values.len()], values.clone()));
        }
    }
    let views = tensors
        .iter()
        .map(|(name, shape, values)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values))?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<Vec<_>, CheckpointError>>()?;
    let metadata = [(PROGRESS.to_owned(), serde_json::to_string(&progress)?)].into();
    Ok(safetensors::serialize(views, Some(metadata))?)
}

/// Reads a checkpoint into a learner and an optimizer of the same shape.
///
/// # Errors
///
/// If the file is damaged or belongs to another model.
pub(crate) fn load(
    file: &Path,
    learner: Learner,
    optimizer: AdamW,
) -> Result<(Learner, AdamW, Progress), TrainError> {
    let bytes = fs::read(file).map_err(|source| TrainError::Unreadable { path: file.to_owned(), source })?;
    from_bytes(&bytes, learner, optimizer)
        .map_err(|source| TrainError::Checkpoint { file: file.to_owned(), source })
}

fn from_bytes(
    bytes: &[u8],
    learner: Learner,
    mut optimizer: AdamW,
) -> Result<(Learner, AdamW, Progress), CheckpointError> {
    let (_, metadata) = SafeTensors::read_metadata(bytes)?;
    let progress = metadata.metadata().as_ref().and_then(|entries| entries.get(PROGRESS));
    let progress: Progress = serde_json::from_str(progress.ok_or(CheckpointError::NoProgress)?)?;
    let mut parameters = BTreeMap::new();
    for (name, view) in SafeTensors::deserialize(bytes)?.tensors() {
        let values: Vec<f32> =
            view.data().as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        if let Some(name) = name.strip_prefix(PARAMETERS) {
            parameters.insert(current_name(name), (view.shape().to_vec(), values));
        } else if let Some(name) = name.strip_prefix(FIRST_MOMENTS) {
            moments(&mut optimizer, name).first = values;
        } else if let Some(name) = name.strip_prefix(SECOND_MOMENTS) {
            moments(&mut optimizer, name).second = values;
        }
    }
    optimizer.steps = progress.optimizer_steps;
    Ok((learner.with_parameters(parameters)?, optimizer, progress))
}

fn moments<'a>(optimizer: &'a mut AdamW, name: &str) -> &'a mut Moments {
    optimizer.moments.entry(current_name(name)).or_default()
}

fn current_name(name: &str) -> String {
    let renamed = RENAMED.iter().find_map(|(old, new)| Some((new, name.strip_prefix(old)?)));
    renamed.map_or_else(|| name.to_owned(), |(new, rest)| format!("{new}{rest}"))
}
