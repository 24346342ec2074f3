//! Putting all questions of a benchmark to a model, in a way that can be broken off and taken up at any moment.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::answer::Answerer;
use crate::item::Item;
use crate::pass::pass;
use crate::sample::Sample;
use crate::samples_file::SamplesError;
use crate::task::Task;

/// Where the videos of the questions are.
#[derive(Clone, Copy, Debug)]
pub enum Videos<'a> {
    /// Nowhere: the question alone is asked.
    Blind,
    /// One path for each item, as [`crate::VideoFolder::locate`] gives them. Items without one are not asked.
    At(&'a [Option<PathBuf>]),
}

/// A run: what is asked, and where its answers are kept.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// How questions are put.
    pub task: Task,
    /// The questions. A shorter run must be a beginning of a longer one to be resumed by it.
    pub items: &'a [Item],
    /// Their videos.
    pub videos: Videos<'a>,
    /// The samples file, `.jsonl`. What is in it is not asked again.
    pub samples: &'a Path,
    /// Model, reducer, frames and whatever else decides the answers, in words: lines made with others are refused.
    pub settings: &'a str,
    /// The seed of the run, from which each question gets its own.
    pub seed: u64,
    /// Whether to ask again what failed before.
    pub retry_failed: bool,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Questions that have a line.
    pub done: usize,
    /// Of these, how many had it before this run.
    pub resumed: usize,
    /// Questions in all, without those whose video is missing.
    pub total: usize,
    /// Answers that are right so far.
    pub correct: usize,
    /// Answers that can be scored so far, failures among them.
    pub scored: usize,
    /// Failures so far.
    pub failed: usize,
}

/// Asks what is not yet in the samples file, video by video, and gives back all samples in the order of the questions.
///
/// `progress` is called at the start and after every question; a `Break` ends the run, and what there is comes back.
/// What the model could not answer is kept with its reason. The result does not depend on where a run was broken off.
///
/// # Errors
///
/// If the samples file cannot be read or written, or belongs to other questions or settings. Nothing in it is lost.
pub fn run(
    run: &Run<'_>,
    answerer: &mut dyn Answerer,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<Sample>, SamplesError> {
    let mut first = |_, states: &[Progress]| progress(states.first().copied().unwrap_or_default());
    let samples = pass(std::slice::from_ref(run), answerer, &mut first)?;
    Ok(samples.into_iter().flatten().collect())
}

impl Progress {
    pub(crate) fn count(&mut self, sample: &Sample) {
        self.done += 1;
        self.scored += usize::from(sample.exact_match.is_some());
        self.correct += usize::from(sample.exact_match == Some(1.0));
        self.failed += usize::from(sample.failed.is_some());
    }
}
