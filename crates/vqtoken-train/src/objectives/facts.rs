//! Facts that hold for the objects of codes, and facts that texts ask for, as the renderer knows them.

use burn::tensor::{Tensor, TensorData};
use vqtoken_core::{GridShape, IndexMap};
use vqtoken_model::CodeFacts;
use vqtoken_shapes::{ObjectFacts, Query, Scene, Script, event_count, fact_count};

use super::pairs::Pairs;
use super::token_labels::{cells_of_codes, owner, shown_objects};
use crate::error::TrainError;
use crate::measures::Measures;
use crate::tensors::{indices, to_vec};

/// What is known about a clip.
#[derive(Debug)]
pub(crate) struct ClipFacts {
    /// Of each object.
    objects: Vec<ObjectFacts>,
    /// The object that each cell shows, `[T * H * W]`.
    shown: Vec<Option<u16>>,
}

impl ClipFacts {
    /// That of a clip whose grid has a shape.
    ///
    /// # Errors
    ///
    /// If the clip has too few frames.
    pub(crate) fn of(scene: &Scene, script: &Script, shape: GridShape) -> Result<Self, TrainError> {
        let shown = shown_objects(scene, shape)?.into_iter().map(|object| object.map(|object| object as u16));
        Ok(Self { objects: script.facts(), shown: shown.collect() })
    }

    /// The object of each code, where there is a clear one, `[K]`.
    fn owners(&self, map: &IndexMap) -> Vec<Option<usize>> {
        let shown = self.shown.iter().map(|object| object.map(usize::from));
        cells_of_codes(self.objects.len(), map, shown).iter().map(owner).collect()
    }
}

/// The cross-entropies of all facts of the objects of codes, over the number of true ones, and the mean squared errors of the times of
/// those events that happen and of when true facts can be seen. All codes of an object together weigh 1.
///
/// # Shapes
///
/// - codes: of clips with K codes each
/// - clips: `[clips]`, what is known and the index map, `[T, H, W]` over K codes
/// - output: `[1]`, with the shares of true facts that are found and of found ones that are true, and the mean error of times
pub(super) fn code_loss(codes: &CodeFacts, clips: &[(&ClipFacts, &IndexMap)]) -> (Tensor<1>, Measures) {
    let [count, k, facts] = codes.facts.dims();
    assert_eq!(clips.len(), count, "what is known of every clip");
    let device = codes.facts.device();
    let (mut rows, mut pairs, mut truth) = (Vec::new(), Pairs::default(), Vec::new());
    let (mut times, mut seen) = (Times::default(), Times::default());
    for (clip, (known, map)) in clips.iter().enumerate() {
        let owners = known.owners(map);
        for (code, owner) in owners.iter().enumerate() {
            let Some(object) = *owner else { continue };
            let weight = 1.0 / owners.iter().filter(|other| **other == Some(object)).count() as f32;
            let of = &known.objects[object];
            rows.push((clip * k + code) as u32);
            for &is_true in &of.is_true {
                pairs.push_weighted(is_true, weight);
                truth.push(is_true);
            }
            times.push(&of.times, &of.is_true, weight);
            seen.push(&of.seen, &of.is_true, weight);
        }
    }
    if rows.is_empty() {
        return (Tensor::zeros([1], &device), Measures::default());
    }
    let select = |tensor: &Tensor<3>, features: usize| {
        tensor.clone().reshape([count * k, features]).select(0, indices(&rows, &device)) // [n, features]
    };
    let logits = select(&codes.facts, facts);
    let values = to_vec(logits.clone());
    let share = |wanted: fn(bool, bool) -> bool| {
        values.iter().zip(&truth).filter(|(logit, is_true)| wanted(**logit > 0.0, **is_true)).count() as f64
    };
    let both = share(|found, is_true| found && is_true);
    let times_loss = times.loss(select(&codes.times, 2 * event_count()));
    let seen_loss = seen.loss(select(&codes.seen, 2 * facts));
    let measures = Measures::default()
        .with("facts_found", both / share(|_, is_true| is_true).max(1.0))
        .with("facts_right", both / share(|found, _| found).max(1.0))
        .with("times_loss", f64::from(to_vec(times_loss.clone())[0]))
        .with("seen_loss", f64::from(to_vec(seen_loss.clone())[0]));
    (pairs.loss(logits) + (times_loss + seen_loss) * TIMES_WEIGHT, measures)
}

/// Pairs of times that facts should have, with the weight of each.
#[derive(Default)]
struct Times {
    /// `[codes, 2, facts]`
    values: Vec<f32>,
    /// `[codes, 2, facts]`; 0 where a fact does not hold.
    weights: Vec<f32>,
}

impl Times {
    /// Those of one code's object.
    fn push(&mut self, times: &[[f32; 2]], is_true: &[bool], weight: f32) {
        for which in 0..2 {
            self.values.extend(times.iter().map(|time| time[which]));
            let holds = is_true.iter().take(times.len());
            self.weights.extend(holds.map(|&holds| if holds { weight } else { 0.0 }));
        }
    }

    /// The mean squared error of `[codes, 2 * facts]`.
    fn loss(self, found: Tensor<2>) -> Tensor<1> {
        let (shape, device) = (found.dims(), found.device());
        let total: f32 = self.weights.iter().sum();
        let tensor = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, shape), &device);
        let errors = (found - tensor(self.values)).powi_scalar(2) * tensor(self.weights);
        errors.sum() / total.max(1.0)
    }
}

/// A time that is wrong by a tenth of a clip counts as much as a fact that is missed.
const TIMES_WEIGHT: f32 = 100.0;

/// The cross-entropies of all facts that texts may ask for, over the number of those that they ask for.
///
/// # Shapes
///
/// - wanted: `[texts, 2, facts]`
/// - output: `[1]`
pub(super) fn text_loss<'a>(wanted: Tensor<3>, texts: impl Iterator<Item = &'a Query>) -> Tensor<1> {
    let [count, things, facts] = wanted.dims();
    assert_eq!(facts, fact_count(), "facts of a text");
    let mut pairs = Pairs::default();
    for text in texts {
        for wanted in text.wanted_facts() {
            (0..facts).for_each(|fact| pairs.push_weighted(wanted.contains(&fact), 1.0));
        }
    }
    pairs.loss(wanted.reshape([count * things, facts]))
}
