//! The labels of visual tokens: which object each one shows, and what the renderer knows about that object.

use burn::tensor::Tensor;
use vqtoken_core::{GridShape, IndexMap};
use vqtoken_shapes::{LabelScope, OBJECT_LABELS, ObjectLabel, Scene};
use vqtoken_video::Sampling;

use crate::error::TrainError;
use crate::heads::LabelHeads;
use crate::losses::{argmax_rows, cross_entropy};
use crate::measures::Measures;
use crate::tensors::indices;

/// A code belongs to an object that covers at least this share of its cells.
const MIN_SHARE_OF_CODE: f64 = 0.6;

/// A cell shows an object that covers at least this share of it.
const MIN_COVERAGE: f32 = 0.3;

/// The labels of a visual token.
#[derive(Debug)]
pub(super) struct TokenLabels {
    /// The token's index among the clip's tokens.
    row: usize,
    /// Its weight: all tokens of an object together weigh 1.
    weight: f32,
    /// The class of each of [`OBJECT_LABELS`]; `None` where there is no clear answer.
    classes: [Option<usize>; OBJECT_LABELS.len()],
}

/// For each label the weight of tokens whose class was predicted, and of all.
#[derive(Clone)]
pub(super) struct Accuracies([[f64; 2]; OBJECT_LABELS.len()]);

impl Default for Accuracies {
    fn default() -> Self {
        Self([[0.0; 2]; OBJECT_LABELS.len()])
    }
}

impl Accuracies {
    /// Adds the tokens of `other`.
    pub(super) fn add(&mut self, other: &Self) {
        for (total, some) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *total += some;
        }
    }

    /// The mean accuracy over labels.
    pub(super) fn mean(&self) -> Measures {
        let sum: f64 = self.known().map(|(right, _)| right).sum();
        Measures::default().with("object_labels_right", sum / self.known().count().max(1) as f64)
    }

    /// The accuracy of each label.
    pub(super) fn by_label(&self) -> Measures {
        self.known().fold(Measures::default(), |measures, (right, label)| measures.with(label.name, right))
    }

    /// The accuracies of labels that occurred.
    fn known(&self) -> impl Iterator<Item = (f64, ObjectLabel)> {
        let known = self.0.iter().zip(OBJECT_LABELS).filter(|([_, all], _)| *all > 0.0);
        known.map(|([right, all], label)| (right / all, label))
    }
}

/// The mean over labels of the cross-entropy of their classes.
///
/// # Shapes
///
/// - tokens: `[clips, M, D]`
/// - labels: `[clips]`
/// - output: `[1]`
pub(super) fn label_loss(
    heads: &LabelHeads,
    tokens: Tensor<3>,
    labels: &[Vec<TokenLabels>],
) -> (Tensor<1>, Accuracies) {
    let [clips, length, d] = tokens.dims();
    assert_eq!(labels.len(), clips, "labels of every clip");
    let device = tokens.device();
    let known: Vec<(u32, &TokenLabels)> = labels
        .iter()
        .enumerate()
        .flat_map(|(clip, labels)| labels.iter().map(move |of| ((clip * length + of.row) as u32, of)))
        .collect();
    let mut accuracies = Accuracies::default();
    let mut loss = Tensor::zeros([1], &device);
    if known.is_empty() {
        return (loss, accuracies);
    }
    let rows: Vec<u32> = known.iter().map(|(row, _)| *row).collect();
    let tokens = tokens.reshape([clips * length, d]).select(0, indices(&rows, &device)); // [known, D]
    for (label, logits) in heads.forward(tokens).into_iter().enumerate() {
        let (mut rows, mut classes, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (row, (_, of)) in known.iter().enumerate() {
            if let Some(class) = of.classes[label] {
                rows.push(row as u32);
                classes.push(class as u32);
                weights.push(of.weight);
            }
        }
        if rows.is_empty() {
            continue;
        }
        let logits = logits.select(0, indices(&rows, &device)); // [labelled, classes]
        let [right, all] = &mut accuracies.0[label];
        for ((predicted, class), weight) in argmax_rows(&logits).iter().zip(&classes).zip(&weights) {
            *right += if predicted == class { f64::from(*weight) } else { 0.0 };
            *all += f64::from(*weight);
        }
        loss = loss + cross_entropy(logits, &classes, &weights);
    }
    (loss / OBJECT_LABELS.len() as f32, accuracies)
}

/// The frames of a clip that a grid is made of, `[T]`.
///
/// # Errors
///
/// If the clip has too few frames.
pub(super) fn sampled_frames(scene: &Scene, shape: GridShape) -> Result<Vec<usize>, TrainError> {
    let times: Vec<f64> = (0..scene.frames).map(|frame| frame as f64).collect();
    Ok(Sampling::Uniform(shape.frames).indices(&times)?)
}

/// The object that each cell of a grid shows, `[T * H * W]`.
///
/// # Errors
///
/// If the clip has too few frames.
pub(crate) fn shown_objects(scene: &Scene, shape: GridShape) -> Result<Vec<Option<usize>>, TrainError> {
    let frames = sampled_frames(scene, shape)?;
    let labels = frames.into_iter().flat_map(|frame| scene.patch_labels(frame, [shape.height, shape.width]));
    let shown =
        labels.map(|label| label.filter(|label| label.cover >= MIN_COVERAGE).map(|label| label.object));
    Ok(shown.collect())
}

/// The labels of tokens, given each one's row and object. Tokens of no object have the labels of the whole scene.
fn labels(scene: &Scene, owners: &[(usize, Option<usize>)]) -> Vec<TokenLabels> {
    let by_object = scene.object_labels();
    let mut of_scene = by_object.first().copied().unwrap_or([None; OBJECT_LABELS.len()]);
    for (class, label) in of_scene.iter_mut().zip(OBJECT_LABELS) {
        *class = class.filter(|_| label.scope == LabelScope::Scene);
    }
    let of_token = |&(row, owner): &(usize, Option<usize>)| {
        let tokens = owners.iter().filter(|(_, other)| *other == owner).count();
        let classes = owner.map_or(of_scene, |object| by_object[object]);
        TokenLabels { row, weight: 1.0 / tokens as f32, classes }
    };
    owners.iter().map(of_token).collect()
}

/// The object that a code belongs to, of its cells in all and by the object that they show.
pub(super) fn owner((all, by_object): &(usize, Vec<usize>)) -> Option<usize> {
    let (object, count) = by_object.iter().enumerate().max_by_key(|(_, count)| **count)?;
    (*all > 0 && *count as f64 >= MIN_SHARE_OF_CODE * *all as f64).then_some(object)
}

/// The cells of each code: in all, and by the object that they show, `[K]`.
pub(super) fn cells_of_codes(
    objects: usize,
    map: &IndexMap,
    shown: impl Iterator<Item = Option<usize>>,
) -> Vec<(usize, Vec<usize>)> {
    let mut cells = vec![(0_usize, vec![0_usize; objects]); map.codes()];
    for (&label, object) in map.labels().iter().zip(shown) {
        let (all, by_object) = &mut cells[label as usize];
        *all += 1;
        object.iter().for_each(|&object| by_object[object] += 1);
    }
    cells
}

/// The labels of the codes of a clip.
///
/// # Errors
///
/// If the clip has too few frames.
pub(super) fn labels_of_codes(scene: &Scene, map: &IndexMap) -> Result<Vec<TokenLabels>, TrainError> {
    let cells = cells_of_codes(scene.objects.len(), map, shown_objects(scene, map.shape())?.into_iter());
    let owners: Vec<(usize, Option<usize>)> = cells
        .iter()
        .enumerate()
        .filter(|(_, (all, _))| *all > 0)
        .map(|(row, cells)| (row, owner(cells)))
        .collect();
    Ok(labels(scene, &owners))
}

/// The labels of some `cells` of a pooled grid, which is read frame by frame. Of each object only the cells in the last frame
/// that shows it are labelled: they come after all that there is to know about it. Of no object, those in the last frame.
/// Rows are indices into `cells`.
///
/// # Errors
///
/// If the clip has too few frames.
pub(super) fn labels_of_cells(
    scene: &Scene,
    shape: GridShape,
    cells: &[usize],
) -> Result<Vec<TokenLabels>, TrainError> {
    let shown = shown_objects(scene, shape)?;
    let read = || cells.iter().map(|&cell| (cell, shown[cell]));
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
    Ok(labels(scene, &owners))
}

#[cfg(test)]
mod tests {
    use vqtoken_shapes::{Settings, clips};

    use super::*;

    #[test]
    fn a_subset_of_cells_has_the_labels_of_the_whole_grid() {
        let settings = Settings { clips: 6, seed: 4, ..Settings::default() };
        let shape = GridShape { frames: 8, height: 14, width: 14 };
        for clip in clips(&settings).unwrap() {
            let scene = &clip.scene;
            let all: Vec<usize> = (0..8 * 196).collect();
            let shown = shown_objects(scene, shape).unwrap();
            let third: Vec<usize> = all.iter().copied().filter(|cell| cell % 3 == 0).collect();
            for cells in [all, third] {
                let labels = labels_of_cells(scene, shape, &cells).unwrap();
                // Every object that is read at all weighs 1, and so does the scene.
                let mut objects: Vec<usize> = cells.iter().filter_map(|&cell| shown[cell]).collect();
                objects.sort_unstable();
                objects.dedup();
                let weight: f32 = labels.iter().map(|of| of.weight).sum();
                assert!((weight - objects.len() as f32 - 1.0).abs() < 1e-3, "{weight} of {objects:?}");
                for of in &labels {
                    let expected = shown[cells[of.row]].map(|object| scene.object_labels()[object]);
                    assert!(expected.is_none_or(|expected| expected == of.classes));
                }
            }
        }
    }
}
