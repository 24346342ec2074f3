//! Checkpoints that a run can go on from: all parameters, the optimizer's moments and the place, in one safetensors file that
//! is written beside and then renamed. What is drawn depends on the place alone, so the place is the random state too.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::adamw::{AdamW, Moments};
use crate::error::TrainError;
use crate::learner::Learner;

/// Where a stage is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps taken; the next one has this number.
    pub step: usize,
    /// Steps that the optimizer counts.
    pub optimizer_steps: u64,
    /// The lowest validation loss so far.
    pub best: Option<f64>,
    /// Validations since then.
    pub validations_without_better: usize,
    /// The stage's configuration, as JSON: a checkpoint goes on only under its own.
    pub stage: String,
}

pub(crate) const PARAMETERS: &str = "parameter/";
const FIRST: &str = "first moment/";
const SECOND: &str = "second moment/";
const PROGRESS: &str = "progress";

/// Writes a checkpoint; an older one is replaced in a single step.
///
/// # Errors
///
/// If the file cannot be written; the older one is then still there.
pub fn save(
    file: &Path,
    learner: &Learner,
    optimizer: &AdamW,
    progress: &Progress,
) -> Result<(), TrainError> {
    let progress = Progress { optimizer_steps: optimizer.steps, ..progress.clone() };
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    for (name, (shape, values)) in learner.values() {
        tensors.push((format!("{PARAMETERS}{name}"), shape, values));
    }
    for (name, moments) in &optimizer.moments {
        for (kind, values) in [(FIRST, &moments.first), (SECOND, &moments.second)] {
            tensors.push((format!("{kind}{name}"), vec![values.len()], values.clone()));
        }
    }
    let bad = |problem: String| TrainError::Checkpoint { file: file.to_owned(), problem };
    let views = tensors
        .iter()
        .map(|(name, shape, values)| {
            let bytes = bytemuck::cast_slice(values);
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|e| bad(e.to_string()))?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<Vec<_>, TrainError>>()?;
    let place = serde_json::to_string(&progress).map_err(|error| bad(error.to_string()))?;
    let metadata = [(PROGRESS.to_owned(), place)].into();
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| bad(error.to_string()))?;
    write_whole(file, &bytes)
}

/// Reads a checkpoint into a learner and an optimizer of the same shape.
///
/// # Errors
///
/// If the file is damaged or belongs to another model.
pub fn load(
    file: &Path,
    learner: Learner,
    mut optimizer: AdamW,
) -> Result<(Learner, AdamW, Progress), TrainError> {
    let bad = |problem: String| TrainError::Checkpoint {
        file: file.to_owned(),
        problem: format!("{problem}: remove the file to begin the stage anew"),
    };
    let bytes = fs::read(file).map_err(|source| TrainError::Unreadable { path: file.to_owned(), source })?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| bad(error.to_string()))?;
    let place = metadata.metadata().as_ref().and_then(|entries| entries.get(PROGRESS));
    let progress: Progress = place
        .ok_or_else(|| bad("it does not say where the stage was".to_owned()))
        .and_then(|place| serde_json::from_str(place).map_err(|error| bad(error.to_string())))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| bad(error.to_string()))?;
    let mut values = BTreeMap::new();
    for (name, view) in tensors.tensors() {
        let numbers: Vec<f32> = view
            .data()
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        if let Some(name) = name.strip_prefix(PARAMETERS) {
            values.insert(name.to_owned(), (view.shape().to_vec(), numbers));
        } else if let Some(name) = name.strip_prefix(FIRST) {
            moments(&mut optimizer, name).first = numbers;
        } else if let Some(name) = name.strip_prefix(SECOND) {
            moments(&mut optimizer, name).second = numbers;
        }
    }
    optimizer.steps = progress.optimizer_steps;
    Ok((learner.with_values(values, file)?, optimizer, progress))
}

fn moments<'a>(optimizer: &'a mut AdamW, name: &str) -> &'a mut Moments {
    optimizer.moments.entry(name.to_owned()).or_default()
}

/// Writes a file in one step: it is there whole, or not at all.
pub(crate) fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let unwritable = |source| TrainError::Unwritable { path: file.to_owned(), source };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut partial = tempfile::NamedTempFile::new_in(folder).map_err(unwritable)?;
    partial.write_all(bytes).map_err(unwritable)?;
    partial.persist(file).map_err(|error| unwritable(error.error))?;
    Ok(())
}
