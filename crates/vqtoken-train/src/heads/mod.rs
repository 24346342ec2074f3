//! Heads over tokens. They exist while a stage needs them; the trained model has none.

mod labels;
mod patches;
mod trajectories;

pub(crate) use labels::{LabelHeads, LabelHeadsConfig};
pub(crate) use patches::{PatchHeads, PatchHeadsConfig, PatchPredictions};
pub(crate) use trajectories::{TrajectoryHeads, TrajectoryHeadsConfig};
