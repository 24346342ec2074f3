//! Several runs in one pass over their videos: whatever is made of a video is made once, and then asked about in every run.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::answer::{Answerer, Ask};
use crate::prompt::prompt;
use crate::run::{Progress, Run, Videos};
use crate::sample::Sample;
use crate::samples_file::{SamplesError, SamplesFile};

/// Asks what is not yet in the samples files, video by video, and gives back the samples of every run in the order of its
/// questions.
///
/// Within a video the runs come one after the other, each with all its questions about it; [`Ask::run`] says which one
/// it is. A video about which nothing is left to ask is never shown to the answerer. `progress` is called at the start and
/// after every question with the number of the run and how far all of them are; a `Break` ends the pass, and what there is
/// comes back. Each samples file is what [`crate::run()`] alone would have made of it.
///
/// # Errors
///
/// If a samples file cannot be read or written, or belongs to other questions or settings, or two runs share one. Nothing
/// in them is lost.
pub fn pass(
    runs: &[Run<'_>],
    answerer: &mut dyn Answerer,
    progress: &mut dyn FnMut(usize, &[Progress]) -> ControlFlow<()>,
) -> Result<Vec<Vec<Sample>>, SamplesError> {
    let mut open = runs.iter().map(Open::new).collect::<Result<Vec<_>, _>>()?;
    let mut states: Vec<Progress> = open.iter().map(Open::progress).collect();
    let mut go_on = progress(0, &states);
    'videos: for questions in by_video(&open) {
        for (number, doc_id) in questions {
            if go_on.is_break() {
                break 'videos;
            }
            let sample = open[number].ask(number, doc_id, answerer)?;
            states[number].count(&sample);
            open[number].samples.insert(doc_id, sample);
            go_on = progress(number, &states);
        }
    }
    Ok(open.into_iter().map(|run| run.samples.into_values().collect()).collect())
}

/// A run whose samples file is open.
struct Open<'a> {
    run: &'a Run<'a>,
    file: SamplesFile,
    samples: BTreeMap<usize, Sample>,
}

impl<'a> Open<'a> {
    fn new(run: &'a Run<'a>) -> Result<Self, SamplesError> {
        let (file, samples) = SamplesFile::open(run.samples, run.items, run.settings, run.retry_failed)?;
        Ok(Self { run, file, samples })
    }

    fn progress(&self) -> Progress {
        let asked = (0..self.run.items.len()).filter(|doc_id| self.video(*doc_id).is_some()).count();
        let mut progress = Progress { resumed: self.samples.len(), ..Progress::default() };
        self.samples.values().for_each(|sample| progress.count(sample));
        Progress { total: asked.max(self.samples.len()), ..progress }
    }

    /// The video of a question; none inside where the run asks blindly, none outside if the question cannot be asked.
    fn video(&self, doc_id: usize) -> Option<Option<&'a Path>> {
        match self.run.videos {
            Videos::Blind => Some(None),
            Videos::At(paths) => paths.get(doc_id).and_then(Option::as_deref).map(Some),
        }
    }

    fn ask(
        &mut self,
        number: usize,
        doc_id: usize,
        answerer: &mut dyn Answerer,
    ) -> Result<Sample, SamplesError> {
        let Run { task, items, settings, seed, .. } = *self.run;
        let item = &items[doc_id];
        let (video, text) = (self.video(doc_id).flatten(), prompt(task, item));
        let ranks = task.ranks() && !item.options().is_empty();
        let ask = Ask { run: number, item, video, prompt: &text, ranks, seed: seed_of(seed, &item.id) };
        let sample = match answerer.answer(&ask) {
            Ok(answer) => Sample::answered(doc_id, item, &text, settings, answer),
            Err(error) => Sample::failed(doc_id, item, &text, settings, &error.to_string()),
        };
        self.file.append(&sample)?;
        Ok(sample)
    }
}

/// What is left to ask, as run and question, for every video in the order of the first such question.
fn by_video(open: &[Open<'_>]) -> Vec<Vec<(usize, usize)>> {
    let mut places = BTreeMap::new();
    let mut videos: Vec<Vec<(usize, usize)>> = Vec::new();
    for (number, run) in open.iter().enumerate() {
        for (doc_id, item) in run.run.items.iter().enumerate() {
            if run.video(doc_id).is_none() || run.samples.contains_key(&doc_id) {
                continue;
            }
            let place = *places.entry(item.video.as_str()).or_insert(videos.len());
            match videos.get_mut(place) {
                Some(questions) => questions.push((number, doc_id)),
                None => videos.push(vec![(number, doc_id)]),
            }
        }
    }
    videos
}

/// The first eight bytes of SHA-256 over the run's seed and the question's id.
fn seed_of(seed: u64, id: &str) -> u64 {
    let hash = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(id).finalize();
    hash.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}
