//! How well clips that were never trained on are found by words: precision, changed words, places, times.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use vqtoken_core::{Budget, VideoTokens, quantize};
use vqtoken_model::{EmbeddedCodes, ModelError, TokenReranker, TokenRetriever, VisionSide, window_seconds};
use vqtoken_shapes::{Query, QueryKind, Scene, Script, Settings, queries_of};
use vqtoken_video::{Frame, Sampling};

use crate::clips::shapes::pictures;
use crate::error::TrainError;
use crate::objectives::shown_objects;

/// How many of the best clips are judged.
const BEST: usize = 10;

/// Clips of which only the changed query is true, that the right clip is compared with.
const WRONG_CLIPS: usize = 5;

/// The intersection over union from which a window is the right one.
const OVERLAP: f64 = 0.5;

/// The share of a code's cells that have to show the object.
const ON_OBJECT: f64 = 0.5;

/// What makes the score of a clip for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClipScore {
    /// The logit of its best window, all codes of which are pooled to one vector.
    Windows,
    /// The logit of the best code of the whole clip.
    WholeCodes,
    /// The logit of the best code of any window.
    Codes,
    /// As a search goes: the best clips by the best code of the whole clip, ordered anew by the mean of that logit and the reranker's. The
    /// retriever has to have one.
    Reranked,
}

/// What is measured on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RetrievalSetup {
    /// The clips: their number and seed count, and how hard they are.
    pub settings: Settings,
    /// Frames of a clip.
    pub frames: usize,
    /// Codes of a clip.
    pub codes: usize,
    /// Queries of each kind.
    pub queries: usize,
    /// What makes the score of a clip.
    pub score: ClipScore,
    /// Where video tokens of clips are kept, so that they are computed once, in a folder for each vision side, what the clips show, and
    /// numbers of frames and codes; without it they are computed every time.
    pub cache: Option<PathBuf>,
}

impl RetrievalSetup {
    /// 8 frames and 24 codes of each clip, 200 queries of each kind, nothing kept.
    pub fn new(settings: Settings) -> Self {
        Self { settings, frames: 8, codes: 24, queries: 200, score: ClipScore::Codes, cache: None }
    }

    /// The folder of the cache that holds tokens as these settings and a vision side make them.
    fn folder(&self, vision_id: &str) -> Option<PathBuf> {
        let tower = vision_id.rsplit('@').next().unwrap_or_default();
        let pictures = crc32fast::hash(pictures(&self.settings).as_bytes());
        let name = format!("{tower}-{}-{}-{pictures:08x}", self.frames, self.codes);
        self.cache.as_ref().map(|cache| cache.join(name))
    }
}

/// How often something was right, and of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// How often.
    pub right: f64,
    /// Of how many.
    pub all: f64,
}

impl Share {
    /// In `[0, 1]`; 0 of none.
    pub fn value(self) -> f64 {
        self.right / self.all.max(1.0)
    }

    fn add(&mut self, right: f64, all: f64) {
        self.right += right;
        self.all += all;
    }

    fn count(&mut self, is_right: bool) {
        self.add(if is_right { 1.0 } else { 0.0 }, 1.0);
    }
}

/// What was measured for one kind of queries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RetrievalReport {
    /// Relevant clips among the ten best, of as many as are attainable.
    pub precision: Share,
    /// Of a query and its changed form: the clip of the query scores higher than a clip of which only the changed form is true.
    pub changed_clip: Share,
    /// Of the same: the clip scores higher for the query than for the changed form, which is not true of it.
    pub changed_query: Share,
    /// The best code of the query's clip lies on an object that the query is about.
    pub place: Share,
    /// The best window of the query's clip, or the reranker's seconds, overlap a true interval by at least half of their union.
    pub seconds: Share,
    /// The mean share of all clips that a query is true of, which a precision without any skill has.
    pub relevant: Share,
}

/// A clip that is searched.
struct Candidate {
    script: Script,
    scene: Scene,
    tokens: VideoTokens,
    windows: Vec<Range<usize>>,
    /// `[windows, E]`
    vectors: Vec<f32>,
    /// The codes of each window, `[windows]`.
    codes: Vec<EmbeddedCodes>,
}

/// Measures how well a retriever finds clips, by [`QueryKind::ALL`]. `observe` is told how many clips have been read.
///
/// # Errors
///
/// If a clip cannot be rendered, or the cache cannot be written or is damaged.
pub fn retrieval_report(
    vision: &VisionSide,
    retriever: &TokenRetriever,
    setup: &RetrievalSetup,
    mut observe: impl FnMut(usize),
) -> Result<[RetrievalReport; QueryKind::ALL.len()], TrainError> {
    let folder = setup.folder(vision.id());
    if let Some(folder) = &folder {
        let unwritable = |source| TrainError::Unwritable { path: folder.clone(), source };
        fs::create_dir_all(folder).map_err(unwritable)?;
    }
    let mut candidates = Vec::with_capacity(setup.settings.clips);
    let indices: Vec<usize> = (0..setup.settings.clips).collect();
    for indices in indices.chunks(32) {
        let read = indices.par_iter().map(|&index| read(index, vision, retriever, setup, folder.as_deref()));
        candidates.extend(read.collect::<Result<Vec<_>, TrainError>>()?);
        observe(candidates.len());
    }
    let mut reports = [RetrievalReport::default(); QueryKind::ALL.len()];
    let mut counts = [0; QueryKind::ALL.len()];
    for (index, candidate) in candidates.iter().enumerate() {
        let queries = queries_of(&candidate.scene, index as u64);
        for kind in QueryKind::ALL {
            let Some(query) = queries.iter().find(|query| query.kind() == kind) else { continue };
            if counts[kind as usize] < setup.queries {
                counts[kind as usize] += 1;
                judge(query, index, &candidates, retriever, setup.score, &mut reports[kind as usize])?;
            }
        }
    }
    Ok(reports)
}

/// Renders and encodes a clip, or reads its tokens from a folder.
fn read(
    index: usize,
    vision: &VisionSide,
    retriever: &TokenRetriever,
    setup: &RetrievalSetup,
    folder: Option<&Path>,
) -> Result<Candidate, TrainError> {
    let scene = Scene::of_clip(index, &setup.settings);
    let file = folder.map(|folder| folder.join(format!("{index:06}.vqt")));
    let cached = file.as_ref().filter(|file| file.exists()).map(VideoTokens::load);
    let tokens = match cached.transpose().map_err(|error| unreadable(file.as_deref(), error.to_string()))? {
        Some(tokens) => tokens,
        None => {
            let tokens = encode(&scene, vision, setup)?;
            if let Some(file) = &file {
                let bytes = tokens.to_bytes().map_err(|error| unreadable(Some(file), error.to_string()))?;
                vqtoken_files::write(file, bytes)?;
            }
            tokens
        }
    };
    let windows = windows(tokens.index_map.shape().frames);
    let vectors = retriever.embed_windows(&tokens, &windows)?;
    let codes = retriever.embed_codes(&tokens, &windows)?;
    Ok(Candidate { script: Script::of(&scene), scene, tokens, windows, vectors, codes })
}

fn unreadable(file: Option<&Path>, problem: String) -> TrainError {
    let path = file.unwrap_or(Path::new("video tokens")).to_owned();
    TrainError::Unreadable { path, source: std::io::Error::other(problem) }
}

fn encode(scene: &Scene, vision: &VisionSide, setup: &RetrievalSetup) -> Result<VideoTokens, TrainError> {
    let times: Vec<f64> = (0..scene.frames).map(|frame| frame as f64 / f64::from(scene.fps)).collect();
    let indices = Sampling::Uniform(setup.frames).indices(&times)?;
    let renderer = scene.renderer();
    let frames: Vec<Frame> = indices.iter().map(|&index| renderer.frame(index)).collect::<Result<_, _>>()?;
    let values = vision.embed_pixels(&vision.pixel_spec().pixels(&frames))?;
    let grid = vision.token_grid(frames.len(), values)?;
    let budget = Budget::Fixed(setup.codes);
    let quantized = quantize(&grid, &vision.quantizer(budget))?;
    Ok(VideoTokens {
        codebook: quantized.codebook,
        index_map: quantized.index_map,
        timestamps: indices.into_iter().map(|index| times[index]).collect(),
        model: vision.id().to_owned(),
        source: None,
        budget,
        windows: None,
        quality: Default::default(),
    })
}

/// The whole clip first, then sliding windows of a half, a quarter and an eighth of its frames.
fn windows(frames: usize) -> Vec<Range<usize>> {
    let mut windows: Vec<Range<usize>> = std::iter::once(0..frames).collect();
    for part in [2, 4, 8] {
        let length = (frames / part).max(1);
        let step = (length / 4).max(1);
        windows.extend((0..=frames - length).step_by(step).map(|start| start..start + length));
    }
    windows.dedup();
    windows
}

/// The best of rows of vectors for a text: its logit and its index.
fn best_row(vectors: &[f32], retriever: &TokenRetriever, text: &[f32]) -> (f32, usize) {
    let logits = vectors.chunks_exact(retriever.features()).map(|row| retriever.scoring().logit(text, row));
    let best = logits.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
    best.map_or((f32::NEG_INFINITY, 0), |(index, logit)| (logit, index))
}

/// A clip's score for a text, and the window that it comes from.
fn score(candidate: &Candidate, retriever: &TokenRetriever, text: &[f32], score: ClipScore) -> (f32, usize) {
    let codes = |window: usize| best_row(&candidate.codes[window].vectors, retriever, text).0;
    match score {
        ClipScore::Windows => best_row(&candidate.vectors, retriever, text),
        ClipScore::WholeCodes | ClipScore::Reranked => {
            (codes(0), best_row(&candidate.vectors, retriever, text).1)
        }
        ClipScore::Codes => {
            let windows = (0..candidate.windows.len()).map(|window| (codes(window), window));
            windows.max_by(|(a, _), (b, _)| a.total_cmp(b)).unwrap_or((f32::NEG_INFINITY, 0))
        }
    }
}

/// Holds a query that is true of clip `own` against all clips.
fn judge(
    query: &Query,
    own: usize,
    candidates: &[Candidate],
    retriever: &TokenRetriever,
    by: ClipScore,
    report: &mut RetrievalReport,
) -> Result<(), TrainError> {
    let text = retriever.embed_texts(&[&query.text()])?.vectors;
    let scores: Vec<f32> =
        candidates.par_iter().map(|candidate| score(candidate, retriever, &text, by).0).collect();
    let is_true: Vec<bool> =
        candidates.par_iter().map(|one| !query.intervals_by(&one.script).is_empty()).collect();
    let relevant = is_true.iter().filter(|relevant| **relevant).count();
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let is_reranked = by == ClipScore::Reranked;
    // What a clip is compared with another one, or a text with another one, by.
    let score_of = |text: &str, vector: &[f32], clip: usize| -> Result<f32, ModelError> {
        let logit = score(&candidates[clip], retriever, vector, by).0;
        match is_reranked {
            true => Ok(retriever.rerank(text, &[&candidates[clip].tokens], &[logit])?[0]),
            false => Ok(logit),
        }
    };
    if is_reranked {
        let read = &mut order[..TokenReranker::VIDEOS.min(candidates.len())];
        let videos: Vec<&VideoTokens> = read.iter().map(|&clip| &candidates[clip].tokens).collect();
        let logits: Vec<f32> = read.iter().map(|&clip| scores[clip]).collect();
        let logits = retriever.rerank(&query.text(), &videos, &logits)?;
        let mut ordered: Vec<(f32, usize)> = logits.into_iter().zip(read.iter().copied()).collect();
        ordered.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        read.iter_mut().zip(ordered).for_each(|(place, (_, clip))| *place = clip);
    }
    let own_score = score_of(&query.text(), &text, own)?;
    let found = order.iter().take(BEST).filter(|&&clip| is_true[clip]).count();
    report.precision.add(found as f64, relevant.min(BEST) as f64);
    report.relevant.add(relevant as f64, candidates.len() as f64);

    let clip = &candidates[own];
    let false_of_it = query.changed(own as u64).into_iter();
    if let Some(changed) = false_of_it.clone().find(|changed| changed.intervals_by(&clip.script).is_empty()) {
        let other = retriever.embed_texts(&[&changed.text()])?.vectors;
        report.changed_query.count(own_score > score_of(&changed.text(), &other, own)?);
    }
    for changed in false_of_it.take(2) {
        let only_changed = candidates
            .iter()
            .enumerate()
            .filter(|(index, one)| !is_true[*index] && !changed.intervals_by(&one.script).is_empty());
        for (wrong, _) in only_changed.take(WRONG_CLIPS) {
            report.changed_clip.count(own_score > score_of(&query.text(), &text, wrong)?);
        }
    }
    place(query, clip, retriever, &text, report)?;
    let known = match retriever.reranker().filter(|_| is_reranked) {
        Some(reranker) => reranker.seconds(&query.text(), &clip.tokens)?,
        None => None,
    };
    let [from, to] = known.unwrap_or_else(|| {
        let by_windows = if is_reranked { ClipScore::Codes } else { by };
        let (_, best) = score(clip, retriever, &text, by_windows);
        window_seconds(&clip.tokens, &clip.windows[best]).into()
    });
    let overlaps = query.intervals_by(&clip.script).into_iter().any(|(start, end)| {
        let (start, end) = (f64::from(start), f64::from(end));
        let inside = (end.min(to) - start.max(from)).max(0.0);
        inside / ((end - start) + (to - from) - inside) >= OVERLAP - 1e-6
    });
    report.seconds.count(overlaps);
    Ok(())
}

/// Whether the best code lies on an object that the query is about, where at least one code does.
fn place(
    query: &Query,
    clip: &Candidate,
    retriever: &TokenRetriever,
    text: &[f32],
    report: &mut RetrievalReport,
) -> Result<(), TrainError> {
    let map = &clip.tokens.index_map;
    let objects = query.truth_by(&clip.script).1;
    let shown = shown_objects(&clip.scene, map.shape())?;
    let share_on = |code: usize| {
        let cells = map.labels().iter().zip(&shown).filter(|(label, _)| **label as usize == code);
        let (mut on, mut all) = (0_usize, 0_u32);
        for (_, object) in cells {
            all += 1;
            on += usize::from(object.is_some_and(|object| objects.contains(&object)));
        }
        on as f64 / f64::from(all.max(1))
    };
    let Some(whole) = clip.codes.first() else { return Ok(()) };
    let (_, best) = best_row(&whole.vectors, retriever, text);
    if let Some(&code) = whole.codes.get(best) {
        report.place.count(share_on(code) >= ON_OBJECT);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_differ_are_kept_apart() {
        let usual = RetrievalSetup {
            cache: Some("cache".into()),
            ..RetrievalSetup::new(Settings { clips: 9, ..Settings::default() })
        };
        let folder = usual.folder("mini@1").unwrap();
        let more =
            RetrievalSetup { settings: Settings { clips: 99, ..Settings::default() }, ..usual.clone() };
        assert_eq!(more.folder("other@1").unwrap(), folder, "more clips of the same kind, another name");
        let seed = Settings { seed: usual.settings.seed + 1, ..usual.settings.clone() };
        let others = [
            RetrievalSetup { settings: seed, ..usual.clone() },
            RetrievalSetup { frames: 16, ..usual.clone() },
            RetrievalSetup { codes: 8, ..usual.clone() },
        ];
        assert!(others.iter().all(|other| other.folder("mini@1").unwrap() != folder));
        assert_ne!(usual.folder("mini@2").unwrap(), folder);
        assert_eq!(RetrievalSetup { cache: None, ..usual }.folder("mini@1"), None);
    }
}
