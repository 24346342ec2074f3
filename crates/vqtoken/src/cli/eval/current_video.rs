//! The video that is asked about: its frames, and what reducers leave of them, each computed once for all readings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::OpenOptions;
use vqtoken_files::quoted;

use super::frames::Frames;
use super::models::LoadedModel;
use super::reading::Reading;
use super::reduced_grid::ReducedGrid;
use super::trial::Trial;
use super::visual::Visual;

/// A video and what has been computed of it so far.
pub(super) struct CurrentVideo {
    path: PathBuf,
    /// Its id in the benchmark, which seeds what is random about it.
    name: String,
    frames: Result<Frames, Failure>,
    reduced: BTreeMap<String, ReducedGrid>,
    /// What a run reads of it, the latest only.
    visual: Option<(usize, Result<Visual, Failure>)>,
}

/// Why a video has no visual tokens. Kept, since every question about the video fails for this reason.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Failure(Arc<anyhow::Error>);

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl CurrentVideo {
    /// Decodes `frames` frames, evenly over the video, which up to `towers` vision towers will see.
    pub(super) fn open(path: &Path, name: &str, frames: usize, towers: usize, options: &OpenOptions) -> Self {
        let frames = Frames::decode(path, frames, towers, options).map_err(Failure::from);
        Self { path: path.into(), name: name.into(), frames, reduced: BTreeMap::new(), visual: None }
    }

    /// What the user has to be told of the video, with its name before each line.
    pub(super) fn messages(&self) -> Vec<String> {
        let messages = self.frames.as_ref().map(Frames::messages).unwrap_or_default();
        messages.into_iter().map(|message| format!("{}: {message}", quoted(&self.path))).collect()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the trial of a run reads of the video.
    pub(super) fn visual(
        &mut self,
        models: &[LoadedModel],
        trials: &[Trial],
        run: usize,
    ) -> Result<&Visual, Failure> {
        let visual = match self.visual.take() {
            Some((other, visual)) if other == run => visual,
            _ => self.read(models, trials, run),
        };
        let (_, visual) = self.visual.insert((run, visual));
        visual.as_ref().map_err(|failure| failure.clone())
    }

    fn read(&mut self, models: &[LoadedModel], trials: &[Trial], run: usize) -> Result<Visual, Failure> {
        let Trial { model, reading } = &trials[run];
        let model = &models[*model];
        let frames = self.frames.as_mut().map_err(|failure| failure.clone())?;
        let key = ReducedGrid::key(model, reading);
        if !self.reduced.contains_key(&key) {
            let grid = frames.token_grid(model, reading, &self.name)?;
            let reads_the_same = |trial: &&Trial| {
                let other = &trial.reading;
                models[trial.model].tower == model.tower
                    && (other.frames, other.condition) == (reading.frames, reading.condition)
            };
            let planned: Vec<&Reading> =
                trials[run..].iter().filter(reads_the_same).map(|trial| &trial.reading).collect();
            self.reduced.extend(ReducedGrid::of(model, reading, &planned, &grid)?);
        }
        Ok(Visual::new(model, &reading.source, &self.reduced[&key], &self.name)?)
    }
}
