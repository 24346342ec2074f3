//! What one run asks.

use super::models::LoadedModel;
use super::reading::Reading;

/// What one run asks: a model and how it reads videos.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    /// The index of its model.
    pub(super) model: usize,
    pub(super) reading: Reading,
}

impl Trial {
    /// Everything that decides its answers.
    pub(super) fn settings(&self, models: &[LoadedModel]) -> String {
        format!("{} {}", models[self.model].id, self.reading)
    }
}
