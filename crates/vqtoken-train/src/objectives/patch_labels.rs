//! Pretraining of the vision tower on single frames: from the token of a patch, heads predict which shape and colour the patch
//! shows, and where it is.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use vqtoken_shapes::{PatchLabel, Scene, Settings};
use vqtoken_video::{Frame, PixelSpec};

use super::{Loss, Objective};
use crate::config::PatchLabelsConfig;
use crate::error::TrainError;
use crate::heads::{PatchHeads, PatchPredictions};
use crate::learner::Learner;
use crate::losses::{argmax_rows, cross_entropy};
use crate::measures::Measures;
use crate::micro_batch::MicroBatch;
use crate::rng::Rng;
use crate::tensors::scalar;

/// Weight of a patch that shows no object: there are many, and they are easy.
const EMPTY_WEIGHT: f32 = 0.25;

/// Frames of a validation.
const VALIDATION_FRAMES: usize = 64;

/// Frames are rendered for each step from scenes that no data set holds: their seeds are drawn from 64 bits.
#[derive(Debug)]
pub(crate) struct PatchLabels<'a> {
    pub(crate) config: &'a PatchLabelsConfig,
    /// What scenes are like.
    pub(crate) settings: Settings,
    pub(crate) seed: u64,
    /// Patches along the side of the tower's grid.
    pub(crate) grid_side: usize,
    /// Pixels along the side of a patch.
    pub(crate) patch_size: usize,
    pub(crate) pixel_spec: PixelSpec,
    /// Frames per micro-batch.
    pub(crate) micro_batch_size: usize,
    pub(crate) device: Device,
}

/// Windows of frames with the labels of their patches.
struct Batch {
    /// `[windows, 3, s, s]`
    pixels: Tensor<4>,
    /// Row and column of each window's first patch, `[windows]`.
    corners: Vec<[usize; 2]>,
    /// `[windows * n]`
    labels: Vec<Option<PatchLabel>>,
    /// Patches along the side of a window.
    side: usize,
}

/// A square part of a frame.
struct Window {
    pixels: Frame,
    /// Row and column of its first patch in the grid.
    corner: [usize; 2],
    labels: Vec<Option<PatchLabel>>,
}

/// What a frame is made from.
struct Drawn {
    scene: u64,
    frame: u64,
    /// Row and column of the picture's first patch in the grid.
    corner: [usize; 2],
}

impl PatchLabels<'_> {
    /// The mean length of the tokens of some frames.
    ///
    /// # Errors
    ///
    /// If a frame cannot be rendered.
    pub(crate) fn mean_token_length(&self, learner: &Learner) -> Result<f64, TrainError> {
        let Batch { pixels, corners, .. } = self.batch("validation frames", 0)?;
        let tokens = learner.model.vision.window_tokens(pixels, &corners); // [windows, n, D]
        Ok(scalar(&tokens.powi_scalar(2).sum_dim(2).sqrt().mean()))
    }

    /// Patches along the side of a picture.
    fn picture_side(&self) -> usize {
        self.config.picture.unwrap_or(self.grid_side).clamp(1, self.grid_side)
    }

    /// Frames for `purpose`, each cut into as many windows as it takes to cover it.
    fn batch(&self, purpose: &str, index: u64) -> Result<Batch, TrainError> {
        let mut rng = Rng::new(self.seed, purpose, index);
        let picture = self.picture_side();
        let side = self.config.window.unwrap_or(picture).clamp(1, picture);
        let room = self.grid_side - picture + 1;
        let mut draw = || Drawn {
            scene: rng.next_u64(),
            frame: rng.next_u64(),
            corner: [rng.below(room), rng.below(room)],
        };
        let drawn: Vec<Drawn> = (0..self.micro_batch_size).map(|_| draw()).collect();
        let windows = drawn
            .into_par_iter()
            .map(|drawn| self.windows(&drawn, side))
            .collect::<Result<Vec<_>, TrainError>>()?;
        let (mut frames, mut corners, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for window in windows.into_iter().flatten() {
            frames.push(window.pixels);
            corners.push(window.corner);
            labels.extend(window.labels);
        }
        let size = side * self.patch_size;
        let pixels = PixelSpec { size, ..self.pixel_spec.clone() }.pixels(&frames);
        let pixels = TensorData::new(pixels.data, [frames.len(), 3, size, size]);
        Ok(Batch { pixels: Tensor::from_data(pixels, &self.device), corners, labels, side })
    }

    /// The windows of `side` x `side` patches of a frame.
    fn windows(&self, drawn: &Drawn, side: usize) -> Result<Vec<Window>, TrainError> {
        let picture = self.picture_side();
        let scene = Scene::generate(drawn.scene, &self.settings);
        let frame = (drawn.frame % scene.frames as u64) as usize;
        let rgb = scene.renderer_at(picture * self.patch_size).rgb(frame);
        let labels = scene.patch_labels(frame, [picture; 2]);
        let [top, left] = drawn.corner;
        let steps = picture.div_ceil(side);
        let start = |step: usize| (step * side).min(picture - side);
        (0..steps * steps)
            .map(|index| {
                let [y, x] = [start(index / steps), start(index % steps)];
                let label = |patch: usize| labels[(y + patch / side) * picture + x + patch % side];
                Ok(Window {
                    pixels: self.cut(&rgb, [y, x], side)?,
                    corner: [top + y, left + x],
                    labels: (0..side * side).map(label).collect(),
                })
            })
            .collect()
    }

    /// The window of a frame's pixels as a frame of its own.
    fn cut(&self, rgb: &[u8], [top, left]: [usize; 2], side: usize) -> Result<Frame, TrainError> {
        let (stride, size) = (self.picture_side() * self.patch_size * 3, side * self.patch_size);
        let rows = (0..size).flat_map(|y| {
            let start = (top * self.patch_size + y) * stride + left * self.patch_size * 3;
            &rgb[start..start + size * 3]
        });
        Ok(Frame::new(size, size, rows.copied().collect())?)
    }

    fn measure(&self, learner: &Learner, batch: Batch) -> Loss {
        let Batch { pixels, corners, labels, side } = batch;
        let tokens = learner.model.vision.window_tokens(pixels, &corners); // [windows, n, D]
        let [_, _, d] = tokens.dims();
        let predictions = heads(learner).forward(tokens.reshape([labels.len(), d])); // [windows * n, ..]
        let shown =
            |label: &Option<PatchLabel>| label.filter(|label| label.cover >= self.config.min_coverage);
        // Class 0 is "nothing".
        let shapes: Vec<u32> =
            labels.iter().map(|label| shown(label).map_or(0, |label| label.shape as u32 + 1)).collect();
        let colours: Vec<u32> =
            labels.iter().map(|label| shown(label).map_or(0, |label| label.colour as u32 + 1)).collect();
        let weights: Vec<f32> =
            shapes.iter().map(|&shape| if shape == 0 { EMPTY_WEIGHT } else { 1.0 }).collect();
        let positions = self.positions(&corners, side); // [windows * n, 2]

        let measures = accuracies(&predictions, &shapes, &colours);
        let shape_loss = cross_entropy(predictions.shapes, &shapes, &weights); // [1]
        let colour_loss = cross_entropy(predictions.colours, &colours, &weights); // [1]
        let position_loss = (predictions.positions - positions).powi_scalar(2).mean(); // [1]
        let value =
            shape_loss.clone() + colour_loss.clone() + position_loss.clone() * self.config.position_weight;
        let measures = measures
            .with("shape_loss", scalar(&shape_loss))
            .with("colour_loss", scalar(&colour_loss))
            .with("position_error", scalar(&position_loss).sqrt());
        Loss { value, measures }
    }

    /// Row and column of every patch in the grid, each in `[-1, 1]`, `[windows * n, 2]`.
    fn positions(&self, corners: &[[usize; 2]], side: usize) -> Tensor<2> {
        let position = |index: usize| (2 * index + 1) as f32 / self.grid_side as f32 - 1.0;
        let patches = side * side;
        let all = corners.iter().flat_map(|&[top, left]| {
            (0..patches).flat_map(move |patch| [position(top + patch / side), position(left + patch % side)])
        });
        let all: Vec<f32> = all.collect();
        Tensor::from_data(TensorData::new(all, [corners.len() * patches, 2]), &self.device)
    }
}

#[expect(clippy::expect_used, reason = "a stage of patch labels adds them to its learner")]
fn heads(learner: &Learner) -> &PatchHeads {
    learner.patch_heads.as_ref().expect("the learner has patch heads")
}

/// The share of patches with an object whose shape and colour are both predicted, and the share of the others that are predicted
/// to be empty.
fn accuracies(predictions: &PatchPredictions, shapes: &[u32], colours: &[u32]) -> Measures {
    let predicted = argmax_rows(&predictions.shapes).into_iter().zip(argmax_rows(&predictions.colours));
    let mut counts = [[0_usize; 2]; 2];
    for ((shape, colour), label) in predicted.zip(shapes.iter().zip(colours)) {
        let [right, all] = &mut counts[usize::from(*label.0 > 0)];
        *all += 1;
        *right += usize::from((&shape, &colour) == label);
    }
    let [empty, object] = counts.map(|[right, all]| right as f64 / all.max(1) as f64);
    Measures::default().with("object_patches", object).with("empty_patches", empty)
}

impl Objective for PatchLabels<'_> {
    fn loss(&self, learner: &Learner, micro_batch: MicroBatch) -> Result<Loss, TrainError> {
        let batch = self.batch("frames", micro_batch.index())?;
        Ok(self.measure(learner, batch))
    }

    fn validate(&self, learner: &Learner) -> Result<Measures, TrainError> {
        let batches = VALIDATION_FRAMES.div_ceil(self.micro_batch_size);
        let mut all = Vec::new();
        for index in 0..batches {
            let loss = self.measure(learner, self.batch("validation frames", index as u64)?);
            all.push(loss.measures.with("loss", scalar(&loss.value)));
        }
        Ok(Measures::mean(&all))
    }
}
