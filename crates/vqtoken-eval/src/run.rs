//! Asking a model all questions of one or several runs, in a way that can be interrupted and resumed at any moment.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::answer::{Answerer, Ask};
use crate::item::Item;
use crate::prompt::prompt;
use crate::sample::Sample;
use crate::samples_file::{Failed, SamplesError, SamplesFile};
use crate::task::Task;

/// Where the videos of the questions are.
#[derive(Clone, Copy, Debug)]
pub enum Videos<'a> {
    /// Nowhere: the question alone is asked.
    Blind,
    /// One path for each item, as [`crate::VideoFolder::locate`] returns them. Items without one are not asked.
    At(&'a [Option<PathBuf>]),
}

/// A run: what is asked, and where its answers are kept.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The benchmark, which decides how questions are put.
    pub task: Task,
    /// The questions. A longer run resumes a shorter one if it begins with the same questions.
    pub items: &'a [Item],
    /// Their videos.
    pub videos: Videos<'a>,
    /// The samples file, `.jsonl`. What is in it is not asked again.
    pub samples: &'a Path,
    /// Model, reducer, frames and whatever else decides the answers, in words: lines made with others are refused.
    pub settings: &'a str,
    /// The seed of the run, from which each question gets its own.
    pub seed: u64,
    /// What happens to earlier failures.
    pub failed: Failed,
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

/// Asks what is not yet in the samples file, video by video, and returns all samples in the order of the questions.
///
/// `progress` is called at the start and after every question; a `Break` ends the run, and what there is is returned.
/// A question that the model could not answer is kept with the reason. The result does not depend on where a run was interrupted.
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
    let samples = run_together(std::slice::from_ref(run), answerer, &mut first)?;
    Ok(samples.into_iter().flatten().collect())
}

/// Asks several runs' questions video by video, so that what is made of a video is made once for all runs. Returns the samples of
/// every run in the order of its questions.
///
/// Within a video the runs come one after the other, each with all its questions about it; [`Ask::run`] is the index of the run. A
/// video about which nothing is left to ask is never shown to the answerer. `progress` is called at the start and after every question
/// with the index of the run and how far all of them are; a `Break` ends all runs, and what there is is returned. Each samples file is
/// what [`run`] alone would have made of it.
///
/// # Errors
///
/// If a samples file cannot be read or written, or belongs to other questions or settings, or two runs share one. Nothing
/// in them is lost.
pub fn run_together(
    runs: &[Run<'_>],
    answerer: &mut dyn Answerer,
    progress: &mut dyn FnMut(usize, &[Progress]) -> ControlFlow<()>,
) -> Result<Vec<Vec<Sample>>, SamplesError> {
    let mut open = runs.iter().map(OpenRun::new).collect::<Result<Vec<_>, _>>()?;
    let mut states: Vec<Progress> = open.iter().map(OpenRun::progress).collect();
    let mut flow = progress(0, &states);
    'videos: for questions in questions_by_video(&open) {
        for (run, doc_id) in questions {
            if flow.is_break() {
                break 'videos;
            }
            let sample = open[run].ask(run, doc_id, answerer)?;
            states[run].count(&sample);
            open[run].samples.insert(doc_id, sample);
            flow = progress(run, &states);
        }
    }
    Ok(open.into_iter().map(|run| run.samples.into_values().collect()).collect())
}

impl Progress {
    fn count(&mut self, sample: &Sample) {
        self.done += 1;
        self.scored += usize::from(sample.exact_match.is_some());
        self.correct += usize::from(sample.exact_match == Some(1.0));
        self.failed += usize::from(sample.failed.is_some());
    }
}

/// A run whose samples file is open.
struct OpenRun<'a> {
    run: &'a Run<'a>,
    file: SamplesFile,
    samples: BTreeMap<usize, Sample>,
}

impl<'a> OpenRun<'a> {
    fn new(run: &'a Run<'a>) -> Result<Self, SamplesError> {
        let (file, samples) = SamplesFile::open(run.samples, run.items, run.settings, run.failed)?;
        Ok(Self { run, file, samples })
    }

    fn progress(&self) -> Progress {
        let asked = (0..self.run.items.len()).filter(|doc_id| self.video(*doc_id).is_some()).count();
        let mut progress = Progress { resumed: self.samples.len(), ..Progress::default() };
        self.samples.values().for_each(|sample| progress.count(sample));
        Progress { total: asked.max(self.samples.len()), ..progress }
    }

    /// The video of a question; `Some(None)` where the run asks blindly, `None` if the question cannot be asked.
    fn video(&self, doc_id: usize) -> Option<Option<&'a Path>> {
        match self.run.videos {
            Videos::Blind => Some(None),
            Videos::At(paths) => paths.get(doc_id).and_then(Option::as_deref).map(Some),
        }
    }

    fn ask(
        &mut self,
        index: usize,
        doc_id: usize,
        answerer: &mut dyn Answerer,
    ) -> Result<Sample, SamplesError> {
        let Run { task, items, settings, seed, .. } = *self.run;
        let item = &items[doc_id];
        let (video, text) = (self.video(doc_id).flatten(), prompt(task, item));
        let ranks = task.ranks() && !item.options().is_empty();
        let ask = Ask { run: index, item, video, prompt: &text, ranks, seed: question_seed(seed, &item.id) };
        let sample = match answerer.answer(&ask) {
            Ok(answer) => Sample::answered(doc_id, item, &text, settings, answer),
            Err(error) => Sample::failed(doc_id, item, &text, settings, &error.to_string()),
        };
        self.file.append(&sample)?;
        Ok(sample)
    }
}

/// What is left to ask, as run and question, for every video in the order of the first such question.
fn questions_by_video(open: &[OpenRun<'_>]) -> Vec<Vec<(usize, usize)>> {
    let mut indices = BTreeMap::new();
    let mut videos: Vec<Vec<(usize, usize)>> = Vec::new();
    for (index, run) in open.iter().enumerate() {
        for (doc_id, item) in run.run.items.iter().enumerate() {
            if run.video(doc_id).is_none() || run.samples.contains_key(&doc_id) {
                continue;
            }
            let video = *indices.entry(item.video.as_str()).or_insert(videos.len());
            match videos.get_mut(video) {
                Some(questions) => questions.push((index, doc_id)),
                None => videos.push(vec![(index, doc_id)]),
            }
        }
    }
    videos
}

/// The first eight bytes of SHA-256 over the run's seed and the question's id.
fn question_seed(seed: u64, id: &str) -> u64 {
    let hash = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(id).finalize();
    hash.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}
