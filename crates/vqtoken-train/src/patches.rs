//! Pretraining on single frames: the tokens shall say which shape and colour each patch shows, and where it is.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use vqtoken_shapes::{PatchLabel, Scene, Settings};
use vqtoken_video::{Frame, PixelSpec};

use crate::config::PatchesConfig;
use crate::draws::Draws;
use crate::error::TrainError;
use crate::learner::Learner;
use crate::losses::{argmax_rows, cross_entropy};
use crate::objective::{Loss, Measures, Objective, Place};
use crate::patch_heads::PatchGuesses;

/// Weight of a patch without an object: there are many, and they are easy.
const NOTHING: f32 = 0.25;

/// Validation frames.
const VALIDATION_FRAMES: usize = 64;

/// Frames rendered for each step from scenes that no data set holds: their seeds are drawn from 64 bits.
#[derive(Debug)]
pub struct Patches {
    config: PatchesConfig,
    settings: Settings,
    seed: u64,
    /// Patches along the side of the whole grid.
    side: usize,
    /// Patches along the side of a picture, at most as many.
    picture: usize,
    /// Pixels along the side of a patch.
    patch: usize,
    spec: PixelSpec,
    batch: usize,
    device: Device,
}

/// Windows of frames with the truth about their patches.
struct Batch {
    /// `[windows, 3, s, s]`
    pixels: Tensor<4>,
    /// Row and column of each window's first patch, `[windows]`.
    corners: Vec<[usize; 2]>,
    /// `[windows * n]`
    labels: Vec<Option<PatchLabel>>,
    window: usize,
}

/// One window.
type Cut = (Frame, [usize; 2], Vec<Option<PatchLabel>>);

impl Patches {
    /// The objective for a tower of `side` x `side` patches of `patch` pixels; `batch` frames a piece.
    pub fn new(
        config: PatchesConfig,
        settings: Settings,
        seed: u64,
        [side, patch]: [usize; 2],
        spec: PixelSpec,
        batch: usize,
        device: &Device,
    ) -> Self {
        let picture = config.picture.unwrap_or(side).clamp(1, side);
        Self { config, settings, seed, side, picture, patch, spec, batch, device: device.clone() }
    }

    /// The mean length of the tokens of some frames.
    ///
    /// # Errors
    ///
    /// If a frame cannot be drawn.
    pub fn mean_length(&self, learner: &Learner) -> Result<f64, TrainError> {
        let Batch { pixels, corners, .. } = self.batch("validation frames", 0, self.batch)?;
        let tokens = learner.model.vision.window_tokens(pixels, &corners);
        Ok(f64::from(tokens.powi_scalar(2).sum_dim(2).sqrt().mean().into_scalar::<f32>()))
    }

    /// `count` frames, each cut into as many windows as it takes to cover it.
    fn batch(&self, purpose: &str, place: u64, count: usize) -> Result<Batch, TrainError> {
        let mut draws = Draws::at(self.seed, purpose, place);
        let window = self.config.window.unwrap_or(self.picture).clamp(1, self.picture);
        let room = self.side - self.picture + 1;
        let mut frame = || (draws.bits(), draws.bits(), [draws.below(room), draws.below(room)]);
        let frames: Vec<_> = (0..count).map(|_| frame()).collect();
        let drawn = frames
            .into_par_iter()
            .map(|(seed, frame, corner)| self.windows(seed, frame, corner, window))
            .collect::<Result<Vec<_>, TrainError>>()?;
        let (mut frames, mut corners, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for (frame, corner, of_window) in drawn.into_iter().flatten() {
            frames.push(frame);
            corners.push(corner);
            labels.extend(of_window);
        }
        let size = window * self.patch;
        let pixels = PixelSpec { size, ..self.spec.clone() }.pixels(&frames);
        let pixels = TensorData::new(pixels.data, [frames.len(), 3, size, size]);
        Ok(Batch { pixels: Tensor::from_data(pixels, &self.device), corners, labels, window })
    }

    /// The windows of a scene's frame, whose picture begins at `corner` of the grid.
    fn windows(
        &self,
        seed: u64,
        frame: u64,
        [top, left]: [usize; 2],
        window: usize,
    ) -> Result<Vec<Cut>, TrainError> {
        let side = self.picture;
        let scene = Scene::generate(seed, &self.settings);
        let frame = (frame % scene.frames as u64) as usize;
        let whole = scene.renderer_at(side * self.patch).rgb(frame);
        let labels = scene.patch_labels(frame, [side; 2]);
        let steps = side.div_ceil(window);
        let start = |step: usize| (step * window).min(side - window);
        (0..steps * steps)
            .map(|index| {
                let [y, x] = [start(index / steps), start(index % steps)];
                let of_window = cut_labels(&labels, side, [y, x], window);
                Ok((self.cut(&whole, [y, x], window)?, [top + y, left + x], of_window))
            })
            .collect()
    }

    /// The window of a frame as a frame of its own.
    fn cut(&self, rgb: &[u8], [top, left]: [usize; 2], window: usize) -> Result<Frame, TrainError> {
        let (stride, size) = (self.picture * self.patch * 3, window * self.patch);
        let rows = (0..size).flat_map(|y| {
            let start = (top * self.patch + y) * stride + left * self.patch * 3;
            &rgb[start..start + size * 3]
        });
        Ok(Frame::new(size, size, rows.copied().collect())?)
    }

    fn measure(&self, learner: &Learner, batch: Batch) -> Result<Loss, TrainError> {
        let Some(heads) = &learner.patch_heads else {
            return Err(TrainError::Config {
                file: "patches".into(),
                problem: "the learner has no heads for patches".to_owned(),
            });
        };
        let Batch { pixels, corners, labels, window } = batch;
        let tokens = learner.model.vision.window_tokens(pixels, &corners);
        let [_, _, d] = tokens.dims();
        let guesses = heads.forward(tokens.reshape([labels.len(), d]));
        let seen = |label: &Option<PatchLabel>| label.filter(|label| label.cover >= self.config.cover);
        let shapes: Vec<u32> =
            labels.iter().map(|label| seen(label).map_or(0, |label| label.shape as u32 + 1)).collect();
        let colours: Vec<u32> =
            labels.iter().map(|label| seen(label).map_or(0, |label| label.colour as u32 + 1)).collect();
        let weights: Vec<f32> = shapes.iter().map(|&shape| if shape == 0 { NOTHING } else { 1.0 }).collect();
        let place = self.places(&corners, window);

        let measures = self.correct(&guesses, &shapes, &colours);
        let shape_loss = cross_entropy(guesses.shapes, &shapes, Some(&weights));
        let colour_loss = cross_entropy(guesses.colours, &colours, Some(&weights));
        let place_loss = (guesses.place - place).powi_scalar(2).mean();
        let loss = shape_loss.clone() + colour_loss.clone() + place_loss.clone() * self.config.place;
        let measures = measures
            .with("shape_loss", f64::from(shape_loss.into_scalar::<f32>()))
            .with("colour_loss", f64::from(colour_loss.into_scalar::<f32>()))
            .with("place_error", f64::from(place_loss.into_scalar::<f32>()).sqrt());
        Ok(Loss { value: loss, measures })
    }

    /// Row and column of every patch in the whole grid, each in `[-1, 1]`, `[windows * n, 2]`.
    fn places(&self, corners: &[[usize; 2]], window: usize) -> Tensor<2> {
        let place = |index: usize| (2 * index + 1) as f32 / self.side as f32 - 1.0;
        let patches = window * window;
        let all = corners.iter().flat_map(|&[top, left]| {
            (0..patches).flat_map(move |patch| [place(top + patch / window), place(left + patch % window)])
        });
        let all: Vec<f32> = all.collect();
        Tensor::from_data(TensorData::new(all, [corners.len() * patches, 2]), &self.device)
    }

    /// Shares of object patches whose shape and colour are both right, and of the others that are known to be empty.
    fn correct(&self, guesses: &PatchGuesses, shapes: &[u32], colours: &[u32]) -> Measures {
        let (guessed_shapes, guessed_colours) = (argmax_rows(&guesses.shapes), argmax_rows(&guesses.colours));
        let mut counts = [[0_usize; 2]; 2];
        let guessed = guessed_shapes.iter().zip(&guessed_colours);
        for (guess, truth) in guessed.zip(shapes.iter().zip(colours)) {
            let [right, all] = &mut counts[usize::from(*truth.0 > 0)];
            *all += 1;
            *right += usize::from(guess == truth);
        }
        let [empty, object] = counts.map(|[right, all]| right as f64 / all.max(1) as f64);
        Measures::default().with("object_patches", object).with("empty_patches", empty)
    }
}

fn cut_labels(
    labels: &[Option<PatchLabel>],
    side: usize,
    [top, left]: [usize; 2],
    window: usize,
) -> Vec<Option<PatchLabel>> {
    (0..window * window).map(|patch| labels[(top + patch / window) * side + left + patch % window]).collect()
}

impl Objective for Patches {
    fn loss(&self, learner: &Learner, place: Place) -> Result<Loss, TrainError> {
        let batch = self.batch("frames", place.number(), self.batch)?;
        self.measure(learner, batch)
    }

    fn validate(&self, learner: &Learner) -> Result<Measures, TrainError> {
        let pieces = VALIDATION_FRAMES.div_ceil(self.batch);
        let mut means = Vec::new();
        for piece in 0..pieces {
            let batch = self.batch("validation frames", piece as u64, self.batch)?;
            let loss = self.measure(learner, batch)?;
            let value = f64::from(loss.value.into_scalar::<f32>());
            means.push(loss.measures.with("loss", value));
        }
        Ok(Measures::mean(&means))
    }
}
