//! Pretraining of the VQ-attention: the token of a code shall say what the object does whose patches the code stands for.

use burn::tensor::Tensor;
use rayon::prelude::*;
use vqtoken_core::IndexMap;
use vqtoken_shapes::{FACTS, Scene};
use vqtoken_video::Sampling;

use crate::config::FactsConfig;
use crate::data::{Clips, Use};
use crate::error::TrainError;
use crate::learner::Learner;
use crate::losses::{argmax_rows, cross_entropy};
use crate::objective::{Loss, Measures, Objective, Place};
use crate::pieces::{clip_numbers, drawn_budget};
use crate::reading::Reader;
use crate::shapes_clips::ShapesClips;

/// Clips that are validated together.
const VALIDATION_BATCH: usize = 16;

/// The share of its cells that an object must cover for a code to be that object's.
const OWN: f64 = 0.6;

/// The share of a cell that an object must cover to be seen there.
const COVER: f32 = 0.3;

/// Cross-entropy of every fact about the object of each code.
pub(crate) struct Facts<'a> {
    config: FactsConfig,
    clips: &'a ShapesClips,
    reader: Reader,
    seed: u64,
    batch: usize,
}

/// The truth about a code.
struct Truth {
    /// The code's row among all of the batch.
    row: usize,
    /// How much it counts: an object counts as much in many codes as in one.
    weight: f32,
    /// `[FACTS]`
    classes: [Option<usize>; FACTS.len()],
}

/// Weights of codes whose class was guessed, and of all, for each fact.
type Counts = [[f64; 2]; FACTS.len()];

const NONE: Counts = [[0.0; 2]; FACTS.len()];

impl<'a> Facts<'a> {
    /// The objective; `batch` clips a piece.
    pub(crate) fn new(
        config: FactsConfig,
        clips: &'a ShapesClips,
        reader: Reader,
        seed: u64,
        batch: usize,
    ) -> Self {
        Self { config, clips, reader, seed, batch }
    }

    fn measure(
        &self,
        learner: &Learner,
        numbers: &[usize],
        budget: usize,
    ) -> Result<(Tensor<1>, Counts), TrainError> {
        let Some(heads) = &learner.fact_heads else {
            return Err(TrainError::Config {
                file: "facts".into(),
                problem: "the learner has no heads for facts".to_owned(),
            });
        };
        let (tokens, maps) = self.reader.read_codes(&learner.model, numbers, budget)?;
        let [clips, codes, d] = tokens.dims();
        let truths: Vec<Vec<Truth>> = numbers
            .par_iter()
            .zip(&maps)
            .map(|(&number, map)| truths(self.clips.scene(number), map))
            .collect::<Result<_, _>>()?;
        let truths: Vec<Truth> = truths
            .into_iter()
            .enumerate()
            .flat_map(|(clip, truths)| {
                truths.into_iter().map(move |truth| Truth { row: clip * codes + truth.row, ..truth })
            })
            .collect();
        let logits = heads.forward(tokens.reshape([clips * codes, d]));
        let mut counts = NONE;
        let mut loss = Tensor::zeros([1], &self.reader.device);
        for (fact, logits) in logits.into_iter().enumerate() {
            let known: Vec<(&Truth, usize)> =
                truths.iter().filter_map(|truth| Some((truth, truth.classes[fact]?))).collect();
            if known.is_empty() {
                continue;
            }
            let rows: Vec<u32> = known.iter().map(|(truth, _)| truth.row as u32).collect();
            let logits = logits.select(0, crate::reading::ids(&rows, &self.reader.device));
            let classes: Vec<u32> = known.iter().map(|(_, class)| *class as u32).collect();
            let weights: Vec<f32> = known.iter().map(|(truth, _)| truth.weight).collect();
            for ((guess, class), weight) in argmax_rows(&logits).iter().zip(&classes).zip(&weights) {
                counts[fact][0] += if guess == class { f64::from(*weight) } else { 0.0 };
                counts[fact][1] += f64::from(*weight);
            }
            loss = loss + cross_entropy(logits, &classes, Some(&weights));
        }
        Ok((loss / FACTS.len() as f32, counts))
    }
}

/// What is true about the codes of a clip.
fn truths(scene: &Scene, map: &IndexMap) -> Result<Vec<Truth>, TrainError> {
    let shape = map.shape();
    let times: Vec<f64> = (0..scene.frames).map(|frame| frame as f64).collect();
    let frames = Sampling::Uniform(shape.frames).indices(&times)?;
    let objects = scene.objects.len();
    // Cells of each code: in all, and by object.
    let mut cells = vec![(0_usize, vec![0_usize; objects]); map.codes()];
    let plane = shape.height * shape.width;
    for (labels, frame) in map.labels().chunks(plane).zip(frames) {
        let covered = scene.patch_labels(frame, [shape.height, shape.width]);
        for (&label, covered) in labels.iter().zip(covered) {
            let (all, by_object) = &mut cells[label as usize];
            *all += 1;
            if let Some(covered) = covered.filter(|covered| covered.cover >= COVER) {
                by_object[covered.object] += 1;
            }
        }
    }
    let owner = |(all, by_object): &(usize, Vec<usize>)| {
        let most = by_object.iter().enumerate().max_by_key(|(_, count)| **count)?;
        (*most.1 as f64 >= OWN * *all as f64 && *most.1 > 0).then_some(most.0)
    };
    let owners: Vec<Option<usize>> = cells.iter().map(owner).collect();
    let facts = scene.facts();
    let mut of_scene = facts.first().copied().unwrap_or([None; FACTS.len()]);
    for (class, fact) in of_scene.iter_mut().zip(FACTS) {
        *class = class.filter(|_| fact.of_scene);
    }
    let truth = |(row, owner): (usize, Option<usize>)| {
        (cells[row].0 > 0).then(|| {
            let codes = owners.iter().filter(|other| **other == owner).count();
            let classes = owner.map_or(of_scene, |object| facts[object]);
            Truth { row, weight: 1.0 / codes as f32, classes }
        })
    };
    Ok(owners.iter().copied().enumerate().filter_map(truth).collect())
}

/// The mean share over facts, and each one's if wanted.
fn shares(counts: &Counts, each: bool) -> Measures {
    let known = || counts.iter().zip(FACTS).filter(|([_, all], _)| *all > 0.0);
    let sum: f64 = known().map(|([right, all], _)| right / all).sum();
    let measures = Measures::default().with("facts_right", sum / known().count().max(1) as f64);
    let one = |measures: Measures, ([right, all], fact): (&[f64; 2], vqtoken_shapes::Fact)| {
        measures.with(fact.name, right / all)
    };
    if each { known().fold(measures, one) } else { measures }
}

impl Objective for Facts<'_> {
    fn loss(&self, learner: &Learner, place: Place) -> Result<Loss, TrainError> {
        let numbers = clip_numbers(self.clips, self.seed, self.batch, place);
        let budget = drawn_budget(&self.config.budgets, 0.0, self.seed, place);
        let (value, counts) = self.measure(learner, &numbers, budget)?;
        let measures = shares(&counts, false).with("codes", self.config.budgets[budget] as f64);
        Ok(Loss { value, measures })
    }

    fn validate(&self, learner: &Learner) -> Result<Measures, TrainError> {
        let count = self.config.validation_clips.min(self.clips.count(Use::Validation));
        let numbers: Vec<usize> = (0..count).map(|index| self.clips.number(Use::Validation, index)).collect();
        let mut counts = NONE;
        let (mut sum, mut clips) = (0.0, 0);
        for budget in 0..self.config.budgets.len() {
            for numbers in numbers.chunks(VALIDATION_BATCH) {
                let (loss, some) = self.measure(learner, numbers, budget)?;
                sum += f64::from(loss.into_scalar::<f32>()) * numbers.len() as f64;
                clips += numbers.len();
                for (total, some) in counts.iter_mut().flatten().zip(some.iter().flatten()) {
                    *total += some;
                }
            }
        }
        if clips == 0 {
            return Ok(Measures::default());
        }
        Ok(shares(&counts, true).with("loss", sum / clips as f64))
    }
}
