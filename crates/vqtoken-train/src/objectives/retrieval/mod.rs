//! Texts and windows of clips in one space, by the sigmoid loss (Zhai et al., 2023, equation 1). The renderer says of every pair of a
//! micro-batch whether it belongs together.

mod labels;

use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::Tensor;
use rayon::prelude::*;
use vqtoken_model::{CodeWindow, TokenRetrieverModules};
use vqtoken_shapes::{QueryKind, Script};

use self::labels::{Owner, code_target, owners, target};
use super::pairs::Pairs;
use super::search_clips::SearchClips;
use super::texts::{Text, texts_about};
use super::token_labels::{sampled_frames, shown_objects};
use super::{Loss, Objective};
use crate::clips::Clips;
use crate::config::{Budgets, RetrievalConfig};
use crate::error::TrainError;
use crate::learner::Learner;
use crate::losses::unit_rows;
use crate::measures::Measures;
use crate::micro_batch::MicroBatch;
use crate::rng::Rng;
use crate::tensors::{scalar, to_vec};

/// Clips that are validated together.
const VALIDATION_BATCH: usize = 16;

/// The sigmoid loss of texts against windows, against the best code of each window, and against all codes.
pub(crate) struct Retrieval<'a> {
    pub(crate) config: &'a RetrievalConfig,
    pub(crate) data: SearchClips<'a>,
}

/// A window of one of the clips.
struct Window {
    /// Index of the clip within the micro-batch.
    clip: usize,
    /// From when to when, in seconds.
    span: (f32, f32),
    frames: usize,
    codes: CodeWindow,
    /// Whether it is the whole clip.
    is_whole: bool,
    /// Whose codes these are.
    owners: Vec<Owner>,
}

/// Windows with their vectors, and texts with theirs.
struct Batch {
    windows: Vec<Window>,
    texts: Vec<Text>,
    /// `[windows, texts]`
    logits: Tensor<2>,
    /// Of the best code of each window, `[windows, texts]`.
    best_code_logits: Tensor<2>,
    /// `[codes of all windows, texts]`
    code_logits: Tensor<2>,
}

impl Retrieval<'_> {
    /// Frames of the windows of a clip: all, and some drawn ones.
    fn windows(&self, rng: &mut Rng) -> Vec<Range<usize>> {
        let frames = self.config.frames;
        let mut windows: Vec<Range<usize>> = std::iter::once(0..frames).collect();
        for _ in 0..self.config.windows {
            // Half of them as search has them, half of any length.
            let length = match rng.below(6) {
                0 => frames / 2,
                1 => frames / 4,
                2 => frames / 8,
                _ => 1 + rng.below(frames),
            };
            let length = length.clamp(1, frames);
            let start = rng.below(frames - length + 1);
            windows.push(start..start + length);
        }
        windows
    }

    /// Everything about some clips, with the vectors of windows and texts.
    fn batch(
        &self,
        learner: &Learner,
        indices: &[usize],
        budget: usize,
        rng: &mut Rng,
    ) -> Result<Batch, TrainError> {
        let codes = self.data.cache.codes(indices, budget)?;
        let (mut windows, mut texts) = (Vec::new(), Vec::new());
        for (clip, (&index, codes)) in indices.iter().zip(&codes).enumerate() {
            let scene = self.data.scene(index);
            let sampled = sampled_frames(scene, codes.index_map.shape())?;
            let shown = shown_objects(scene, codes.index_map.shape())?;
            let plane = shown.len() / sampled.len();
            let at = |frame: usize| sampled[frame.min(sampled.len() - 1)] as f32 / scene.fps;
            let between = |frame: usize| 0.5 * (at(frame.saturating_sub(1)) + at(frame));
            for frames in self.windows(rng) {
                let is_whole = frames.len() == sampled.len();
                let start = if frames.start == 0 { at(0) } else { between(frames.start) };
                let end = if frames.end == sampled.len() { at(sampled.len()) } else { between(frames.end) };
                let (count, span) = (frames.len(), (start, end));
                let cells = frames.start * plane..frames.end * plane;
                let cut = CodeWindow::cut(&codes.codebook, &codes.index_map, frames)?;
                let owners = owners(scene, &cut.index_map, &shown[cells]);
                windows.push(Window { clip, span, frames: count, codes: cut, is_whole, owners });
            }
            let (queries, changed) = (self.config.queries, self.config.changed);
            texts_about(scene, clip, [queries, changed], rng, &mut texts);
        }
        self.compare(learner, windows, texts)
    }

    /// Embeds windows and texts.
    fn compare(
        &self,
        learner: &Learner,
        windows: Vec<Window>,
        texts: Vec<Text>,
    ) -> Result<Batch, TrainError> {
        let modules = modules(learner);
        let length = self.data.tokenizer.length();
        let ids = self.data.ids(texts.iter().map(|text| &text.query))?;
        let vectors = unit_rows(modules.embed_texts(&ids, length)); // [texts, E]
        // Windows of as many codes and frames are computed together.
        let mut groups: BTreeMap<[usize; 2], Vec<Window>> = BTreeMap::new();
        for window in windows {
            groups.entry([window.frames, window.codes.codes.len()]).or_default().push(window);
        }
        let (mut logits, mut best_code_logits, mut code_logits) = (Vec::new(), Vec::new(), Vec::new());
        let mut ordered = Vec::new();
        let count_texts = texts.len();
        let logits_of = |rows: Tensor<2>| modules.logits(unit_rows(rows).matmul(vectors.clone().transpose()));
        for ([_, count], group) in groups {
            let codes = group.iter().map(|one| (&one.codes.codebook, &one.codes.index_map));
            let codes = self.data.attended(learner, count, codes)?; // [windows, K, D]
            let found = modules.embed_codes(codes);
            logits.push(logits_of(found.windows)); // [windows, texts]
            let [windows, k, features] = found.codes.dims();
            let codes = logits_of(found.codes.reshape([windows * k, features])); // [windows * K, texts]
            let best = codes.clone().reshape([windows, k, count_texts]).max_dim(1); // [windows, 1, texts]
            best_code_logits.push(best.reshape([windows, count_texts])); // [windows, texts]
            code_logits.push(codes);
            ordered.extend(group);
        }
        Ok(Batch {
            windows: ordered,
            texts,
            logits: Tensor::cat(logits, 0),
            best_code_logits: Tensor::cat(best_code_logits, 0),
            code_logits: Tensor::cat(code_logits, 0),
        })
    }

    /// The loss of a batch, and what part of it is about places.
    fn loss_of(&self, batch: &Batch, indices: &[usize]) -> (Tensor<1>, Measures) {
        let scripts: Vec<&Script> = indices.iter().map(|&index| self.data.script(index)).collect();
        // When each text is true of each clip, and of which of its objects.
        let truth: Vec<Vec<_>> = scripts
            .par_iter()
            .map(|script| batch.texts.iter().map(|text| text.query.truth_by(script)).collect())
            .collect();
        let [mut pairs, mut best, mut places] = [(); 3].map(|()| Pairs::default());
        for window in &batch.windows {
            let truth = &truth[window.clip];
            let of = |(text, (intervals, _)): (&Text, &(Vec<(f32, f32)>, _))| {
                target(&text.query, intervals, window.span, window.frames)
            };
            let targets: Vec<Option<f32>> = batch.texts.iter().zip(truth).map(of).collect();
            for &target in &targets {
                pairs.push(target, self.config.balance);
                best.push(target, self.config.balance);
            }
            for &owner in &window.owners {
                for (&target, (_, objects)) in targets.iter().zip(truth) {
                    places.push(code_target(owner, objects, target), self.config.balance);
                }
            }
        }
        let measures = Measures::default().with("true_share", pairs.true_share());
        let windows = pairs.loss(batch.logits.clone());
        let codes = places.loss(batch.code_logits.clone());
        let best = best.loss(batch.best_code_logits.clone());
        let measures = measures
            .with("window_loss", scalar(&windows))
            .with("best_code_loss", scalar(&best))
            .with("place_loss", scalar(&codes));
        (windows + best * self.config.best_code_weight + codes * self.config.place_weight, measures)
    }

    /// For each kind, changed texts that are not true of the clip of the text they were made from: how many, and for how many of them
    /// that clip is closer to the true text.
    fn changed_right(&self, batch: &Batch, indices: &[usize]) -> [[f64; 2]; QueryKind::ALL.len()] {
        // A clip is as close to a text as its closest code.
        let logits = to_vec(batch.best_code_logits.clone());
        let rows = logits.chunks_exact(batch.texts.len().max(1));
        let mut counts = [[0.0; 2]; QueryKind::ALL.len()];
        for (window, row) in batch.windows.iter().zip(rows).filter(|(window, _)| window.is_whole) {
            for (column, text) in batch.texts.iter().enumerate() {
                let Some(original) = text.changed_from else { continue };
                let script = self.data.script(indices[window.clip]);
                if text.clip == window.clip && text.query.intervals_by(script).is_empty() {
                    let [right, all] = &mut counts[text.query.kind() as usize];
                    *right += if row[original] > row[column] { 1.0 } else { 0.0 };
                    *all += 1.0;
                }
            }
        }
        counts
    }
}

#[expect(clippy::expect_used, reason = "a stage of retrieval adds them to its learner")]
fn modules(learner: &Learner) -> &TokenRetrieverModules {
    learner.retrieval.as_ref().expect("the learner has a text tower and a code tower")
}

impl Objective for Retrieval<'_> {
    fn loss(&self, learner: &Learner, micro_batch: MicroBatch) -> Result<Loss, TrainError> {
        let indices = micro_batch.clips(self.data.clips, self.data.seed, self.data.micro_batch_size);
        let budgets = Budgets { sizes: self.config.budgets.clone(), price: 0.0 };
        let budget = budgets.draw(self.data.seed, micro_batch);
        let mut rng = Rng::new(self.data.seed, "retrieval", micro_batch.index());
        let batch = self.batch(learner, &indices, budget, &mut rng)?;
        let (value, measures) = self.loss_of(&batch, &indices);
        Ok(Loss { value, measures: measures.with("codes", budget as f64) })
    }

    fn validate(&self, learner: &Learner) -> Result<Measures, TrainError> {
        let indices = self.data.clips.validation_clips(self.config.validation_clips);
        let (mut sums, mut clips) = ([0.0; 4], 0);
        let mut counts = [[0.0; 2]; QueryKind::ALL.len()];
        for &budget in &self.config.budgets {
            let batches = indices.par_chunks(VALIDATION_BATCH).enumerate().map(|(index, indices)| {
                let mut rng = Rng::new(self.data.seed, "validation", index as u64);
                let batch = self.batch(learner, indices, budget, &mut rng)?;
                let (loss, measures) = self.loss_of(&batch, indices);
                let of = |name| measures.get(name).unwrap_or_default();
                let losses = [scalar(&loss), of("window_loss"), of("best_code_loss"), of("place_loss")];
                Ok((losses, indices.len(), self.changed_right(&batch, indices)))
            });
            for (losses, count, changed) in batches.collect::<Result<Vec<_>, TrainError>>()? {
                sums.iter_mut().zip(losses).for_each(|(sum, loss)| *sum += loss * count as f64);
                clips += count;
                for (total, some) in counts.iter_mut().flatten().zip(changed.iter().flatten()) {
                    *total += some;
                }
            }
        }
        if clips == 0 {
            return Ok(Measures::default());
        }
        let [loss, windows, best, places] = sums.map(|sum| sum / clips as f64);
        let mut measures = Measures::default()
            .with("loss", loss)
            .with("window_loss", windows)
            .with("best_code_loss", best)
            .with("place_loss", places);
        for (kind, [right, all]) in QueryKind::ALL.into_iter().zip(counts) {
            if all > 0.0 {
                measures = measures.with(format!("changed_right_{}", kind.name()), right / all);
            }
        }
        Ok(measures)
    }
}
