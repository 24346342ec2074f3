//! Putting all questions of a benchmark to a model, in a way that can be broken off and taken up at any moment.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::answer::{Answerer, Ask};
use crate::item::Item;
use crate::prompt::prompt;
use crate::sample::Sample;
use crate::samples_file::{SamplesError, SamplesFile};
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

/// Asks what is not yet in the samples file, in order, and gives back all samples in the order of the questions.
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
    let (mut file, mut samples) = SamplesFile::open(run.samples, run.items, run.settings, run.retry_failed)?;
    let video = |doc_id: usize| match run.videos {
        Videos::Blind => Some(None),
        Videos::At(paths) => paths.get(doc_id).and_then(Option::as_deref).map(Some),
    };
    let asked = (0..run.items.len()).filter(|doc_id| video(*doc_id).is_some()).count();
    let mut state = Progress { resumed: samples.len(), ..Progress::default() };
    samples.values().for_each(|sample| state.count(sample));
    state.total = asked.max(samples.len());
    let mut go_on = progress(state);
    for (doc_id, item) in run.items.iter().enumerate() {
        if go_on.is_break() {
            break;
        }
        let Some(video) = video(doc_id).filter(|_| !samples.contains_key(&doc_id)) else {
            continue;
        };
        let text = prompt(run.task, item);
        let ask = Ask { item, video, prompt: &text, seed: seed_of(run.seed, &item.id) };
        let sample = match answerer.answer(&ask) {
            Ok(answer) => Sample::answered(doc_id, item, &text, run.settings, answer),
            Err(error) => Sample::failed(doc_id, item, &text, run.settings, &error.to_string()),
        };
        file.append(&sample)?;
        state.count(&sample);
        samples.insert(doc_id, sample);
        go_on = progress(state);
    }
    Ok(samples.into_values().collect())
}

impl Progress {
    fn count(&mut self, sample: &Sample) {
        self.done += 1;
        self.scored += usize::from(sample.exact_match.is_some());
        self.correct += usize::from(sample.exact_match == Some(1.0));
        self.failed += usize::from(sample.failed.is_some());
    }
}

/// The first eight bytes of SHA-256 over the run's seed and the question's id.
fn seed_of(seed: u64, id: &str) -> u64 {
    let hash = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(id).finalize();
    hash.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}
