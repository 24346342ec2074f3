//! The truth about visual tokens: which object each one shows, and what the renderer knows about that object.

use burn::tensor::{Device, Tensor};
use vqtoken_core::{GridShape, IndexMap};
use vqtoken_shapes::{FACTS, Fact, Scene};
use vqtoken_video::Sampling;

use crate::error::TrainError;
use crate::fact_heads::FactHeads;
use crate::losses::{argmax_rows, cross_entropy};
use crate::objective::Measures;
use crate::reading::ids;

/// The share of its cells that an object must cover for a code to be that object's.
const OWN: f64 = 0.6;

/// The share of a cell that an object must cover to be seen there.
const COVER: f32 = 0.3;

/// The truth about a visual token.
#[derive(Debug)]
pub(crate) struct Truth {
    /// The token's place among the clip's.
    pub(crate) row: usize,
    /// How much it counts: an object counts as much in many tokens as in one.
    weight: f32,
    /// `[FACTS]`
    classes: [Option<usize>; FACTS.len()],
}

/// For each fact the weight of tokens whose class was guessed, and of all.
#[derive(Clone)]
pub(crate) struct Guessed([[f64; 2]; FACTS.len()]);

impl Default for Guessed {
    fn default() -> Self {
        Self([[0.0; 2]; FACTS.len()])
    }
}

impl Guessed {
    /// Adds another one's.
    pub(crate) fn add(&mut self, other: &Self) {
        for (total, some) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *total += some;
        }
    }

    /// The mean share over facts, and each one's if wanted.
    pub(crate) fn measures(&self, each: bool) -> Measures {
        let known = || self.0.iter().zip(FACTS).filter(|([_, all], _)| *all > 0.0);
        let sum: f64 = known().map(|([right, all], _)| right / all).sum();
        let measures = Measures::default().with("facts_right", sum / known().count().max(1) as f64);
        let one = |measures: Measures, ([right, all], fact): (&[f64; 2], Fact)| {
            measures.with(fact.name, right / all)
        };
        if each { known().fold(measures, one) } else { measures }
    }
}

/// The mean over facts of the cross-entropy of their classes.
///
/// # Shapes
///
/// - tokens: `[clips, M, D]`
/// - truths: `[clips]`
/// - output: `[1]`
pub(crate) fn fact_loss(
    heads: &FactHeads,
    tokens: Tensor<3>,
    truths: &[Vec<Truth>],
    device: &Device,
) -> (Tensor<1>, Guessed) {
    let [clips, length, d] = tokens.dims();
    let known: Vec<(u32, &Truth)> = truths
        .iter()
        .enumerate()
        .flat_map(|(clip, truths)| {
            truths.iter().map(move |truth| ((clip * length + truth.row) as u32, truth))
        })
        .collect();
    let mut guessed = Guessed::default();
    let mut loss = Tensor::zeros([1], device);
    if known.is_empty() {
        return (loss, guessed);
    }
    let rows: Vec<u32> = known.iter().map(|(row, _)| *row).collect();
    let tokens = tokens.reshape([clips * length, d]).select(0, ids(&rows, device));
    for (fact, logits) in heads.forward(tokens).into_iter().enumerate() {
        let of_fact = known.iter().enumerate();
        let (mut rows, mut classes, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (row, class, weight) in
            of_fact.filter_map(|(row, (_, truth))| Some((row, truth.classes[fact]?, truth.weight)))
        {
            rows.push(row as u32);
            classes.push(class as u32);
            weights.push(weight);
        }
        if rows.is_empty() {
            continue;
        }
        let logits = logits.select(0, ids(&rows, device));
        let [right, all] = &mut guessed.0[fact];
        for ((guess, class), weight) in argmax_rows(&logits).iter().zip(&classes).zip(&weights) {
            *right += if guess == class { f64::from(*weight) } else { 0.0 };
            *all += f64::from(*weight);
        }
        loss = loss + cross_entropy(logits, &classes, Some(&weights));
    }
    (loss / FACTS.len() as f32, guessed)
}

/// The frames of a clip that a grid is made of, `[T]`.
pub(crate) fn frames_of(scene: &Scene, shape: GridShape) -> Result<Vec<usize>, TrainError> {
    let times: Vec<f64> = (0..scene.frames).map(|frame| frame as f64).collect();
    Ok(Sampling::Uniform(shape.frames).indices(&times)?)
}

/// The object that is seen in each cell of a clip, `[T * H * W]`.
pub(crate) fn seen(scene: &Scene, shape: GridShape) -> Result<Vec<Option<usize>>, TrainError> {
    let frames = frames_of(scene, shape)?;
    let labels = frames.into_iter().flat_map(|frame| scene.patch_labels(frame, [shape.height, shape.width]));
    Ok(labels.map(|label| label.filter(|label| label.cover >= COVER).map(|label| label.object)).collect())
}

/// Rows that show an object, or none, with what is true about it.
fn truths(scene: &Scene, owners: &[(usize, Option<usize>)]) -> Vec<Truth> {
    let facts = scene.facts();
    let mut of_scene = facts.first().copied().unwrap_or([None; FACTS.len()]);
    for (class, fact) in of_scene.iter_mut().zip(FACTS) {
        *class = class.filter(|_| fact.of_scene);
    }
    let truth = |&(row, owner): &(usize, Option<usize>)| {
        let rows = owners.iter().filter(|(_, other)| *other == owner).count();
        Truth { row, weight: 1.0 / rows as f32, classes: owner.map_or(of_scene, |object| facts[object]) }
    };
    owners.iter().map(truth).collect()
}

/// What is true about the codes of a clip.
///
/// # Errors
///
/// If the clip has too few frames.
pub(crate) fn of_codes(scene: &Scene, map: &IndexMap) -> Result<Vec<Truth>, TrainError> {
    // Cells of each code: in all, and by object.
    let mut cells = vec![(0_usize, vec![0_usize; scene.objects.len()]); map.codes()];
    for (&label, object) in map.labels().iter().zip(seen(scene, map.shape())?) {
        let (all, by_object) = &mut cells[label as usize];
        *all += 1;
        object.into_iter().for_each(|object| by_object[object] += 1);
    }
    let owner = |(all, by_object): &(usize, Vec<usize>)| {
        let (object, count) = by_object.iter().enumerate().max_by_key(|(_, count)| **count)?;
        (*count as f64 >= OWN * *all as f64).then_some(object)
    };
    let owners: Vec<(usize, Option<usize>)> = cells
        .iter()
        .enumerate()
        .filter(|(_, (all, _))| *all > 0)
        .map(|(row, cells)| (row, owner(cells)))
        .collect();
    Ok(truths(scene, &owners))
}

/// What is true about the `cells` of a grid that are read, frame by frame: of each object those in the last frame that shows
/// it, behind everything that is to be known about it, and of nothing those in the last frame of all. Rows are places in
/// `cells`.
///
/// # Errors
///
/// If the clip has too few frames.
pub(crate) fn of_cells(scene: &Scene, shape: GridShape, cells: &[usize]) -> Result<Vec<Truth>, TrainError> {
    let seen = seen(scene, shape)?;
    let read = || cells.iter().map(|&cell| (cell, seen[cell]));
    let plane = shape.height * shape.width;
    let mut last = vec![0; scene.objects.len()];
    for (cell, object) in read() {
        object.into_iter().for_each(|object| last[object] = cell / plane);
    }
    let is_last = |cell: usize, object: Option<usize>| {
        cell / plane == object.map_or(shape.frames - 1, |object| last[object])
    };
    let owners: Vec<(usize, Option<usize>)> = read()
        .enumerate()
        .filter(|(_, (cell, object))| is_last(*cell, *object))
        .map(|(row, (_, object))| (row, object))
        .collect();
    Ok(truths(scene, &owners))
}

#[cfg(test)]
mod tests {
    use vqtoken_shapes::{Settings, clips};

    use super::*;

    #[test]
    fn cells_that_are_read_have_the_truth_of_all() {
        let settings = Settings { clips: 6, seed: 4, ..Settings::default() };
        let shape = GridShape { frames: 8, height: 14, width: 14 };
        for clip in clips(&settings).unwrap() {
            let scene = &clip.scene;
            let all: Vec<usize> = (0..8 * 196).collect();
            let seen = seen(scene, shape).unwrap();
            let third: Vec<usize> = all.iter().copied().filter(|cell| cell % 3 == 0).collect();
            for cells in [all, third] {
                let truths = of_cells(scene, shape, &cells).unwrap();
                // Every object that is read at all, and the scene, once in weight.
                let mut objects: Vec<usize> = cells.iter().filter_map(|&cell| seen[cell]).collect();
                objects.sort_unstable();
                objects.dedup();
                let weight: f32 = truths.iter().map(|truth| truth.weight).sum();
                assert!((weight - objects.len() as f32 - 1.0).abs() < 1e-3, "{weight} of {objects:?}");
                for truth in &truths {
                    let known = scene.facts();
                    let expected = seen[cells[truth.row]].map(|object| known[object]);
                    assert!(expected.is_none_or(|expected| expected == truth.classes));
                }
            }
        }
    }
}
