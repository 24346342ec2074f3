//! The way of the object that a visual token shows, up to the token's frame: what the token hash tells a code as numbers.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::GridShape;
use vqtoken_nn::{Linear, LinearConfig};
use vqtoken_shapes::Scene;

use crate::error::TrainError;
use crate::losses::unit_rows;
use crate::reading::ids;
use crate::truths::{frames_of, seen};

/// Centres of less visible objects are not where they seem to be.
const SEEN: f32 = 0.6;

/// Displacements in pictures' sides are divided by this and the root of their lag, which makes them about one.
const STEP: f32 = 0.1;

/// One linear map from a token to displacements.
#[derive(Module, Debug)]
pub struct PathHeads {
    displacements: Linear,
}

impl PathHeads {
    /// Heads for tokens of `d` features of clips with `frames` frames.
    pub fn new(d: usize, frames: usize, device: &Device) -> Self {
        Self { displacements: LinearConfig::new(d, 2 * frames.saturating_sub(1)).init(device) }
    }

    /// Displacements down and to the right since each earlier frame, the last one first.
    ///
    /// # Shapes
    ///
    /// - tokens: `[n, D]`
    /// - output: `[n, 2 * (frames - 1)]`
    pub fn forward(&self, tokens: Tensor<2>) -> Tensor<2> {
        let [_, d] = tokens.dims();
        self.displacements.forward(unit_rows(tokens) * (d as f64).sqrt())
    }
}

/// The truth about a visual token.
#[derive(Debug)]
pub(crate) struct Way {
    /// The token's place among the clip's.
    row: usize,
    /// How much it counts: an object counts as much in many tokens of a frame as in one.
    weight: f32,
    /// Since each earlier frame, the last one first; `None` where the object was hidden or out of sight.
    displacements: Vec<Option<[f32; 2]>>,
}

/// The ways of what the `cells` of a grid show; rows are places in `cells`.
///
/// # Errors
///
/// If the clip has too few frames.
pub(crate) fn ways(scene: &Scene, shape: GridShape, cells: &[usize]) -> Result<Vec<Way>, TrainError> {
    let seen = seen(scene, shape)?;
    let states: Vec<_> = frames_of(scene, shape)?.into_iter().map(|frame| scene.states(frame)).collect();
    let plane = shape.height * shape.width;
    let mut tokens = vec![vec![0_usize; scene.objects.len()]; shape.frames];
    let shown = || cells.iter().enumerate().filter_map(|(row, &cell)| Some((row, cell / plane, seen[cell]?)));
    shown().for_each(|(_, frame, object)| tokens[frame][object] += 1);
    let centre = |frame: usize, object: usize| {
        Some(states[frame][object]).filter(|state| state.visible >= SEEN).map(|state| state.centre)
    };
    let since = |frame: usize, lag: usize, object: usize| {
        let [now, then] = [centre(frame, object)?, centre(frame.checked_sub(lag)?, object)?];
        let scale = STEP * (lag as f32).sqrt();
        Some([(now[1] - then[1]) / scale, (now[0] - then[0]) / scale])
    };
    let way = |(row, frame, object): (usize, usize, usize)| Way {
        row,
        weight: 1.0 / tokens[frame][object] as f32,
        displacements: (1..shape.frames).map(|lag| since(frame, lag, object)).collect(),
    };
    Ok(shown().map(way).collect())
}

/// The mean squared error of displacements, both coordinates together.
///
/// # Shapes
///
/// - tokens: `[clips, M, D]`
/// - ways: `[clips]`
/// - output: `[1]`
pub(crate) fn path_loss(
    heads: &PathHeads,
    tokens: Tensor<3>,
    ways: &[Vec<Way>],
    device: &Device,
) -> Tensor<1> {
    let [clips, length, d] = tokens.dims();
    let (mut rows, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for (clip, way) in
        ways.iter().enumerate().flat_map(|(clip, ways)| ways.iter().map(move |way| (clip, way)))
    {
        rows.push((clip * length + way.row) as u32);
        for displacement in &way.displacements {
            targets.extend(displacement.unwrap_or_default());
            weights.extend([displacement.map_or(0.0, |_| way.weight); 2]);
        }
    }
    let total: f32 = weights.iter().sum::<f32>() / 2.0;
    if total == 0.0 {
        return Tensor::zeros([1], device);
    }
    let guessed = heads.forward(tokens.reshape([clips * length, d]).select(0, ids(&rows, device)));
    let shape = guessed.dims();
    let tensor = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, shape), device);
    ((guessed - tensor(targets)).powi_scalar(2) * tensor(weights)).sum() / total
}

#[cfg(test)]
mod tests {
    use vqtoken_shapes::{Settings, clips};

    use super::*;

    #[test]
    fn tokens_of_an_object_tell_the_way_between_its_centres() {
        let settings = Settings { clips: 6, seed: 4, ..Settings::default() };
        let shape = GridShape { frames: 8, height: 14, width: 14 };
        let mut compared = 0;
        for clip in clips(&settings).unwrap() {
            let scene = &clip.scene;
            let half: Vec<usize> = (0..8 * 196).filter(|cell| cell % 2 == 0).collect();
            let owners = seen(scene, shape).unwrap();
            let frames = frames_of(scene, shape).unwrap();
            for way in ways(scene, shape, &half).unwrap() {
                let cell = half[way.row];
                let (frame, object) = (cell / 196, owners[cell].unwrap());
                assert!(
                    way.displacements[frame..].iter().all(Option::is_none),
                    "nothing is before the start"
                );
                for (before, displacement) in way.displacements.iter().take(frame).enumerate() {
                    let [now, then] =
                        [frame, frame - 1 - before].map(|frame| scene.states(frames[frame])[object]);
                    let visible = now.visible >= SEEN && then.visible >= SEEN;
                    assert_eq!(displacement.is_some(), visible);
                    let Some([down, right]) = displacement else { continue };
                    let scale = STEP * (before as f32 + 1.0).sqrt();
                    assert!((then.centre[1] + down * scale - now.centre[1]).abs() < 1e-5);
                    assert!((then.centre[0] + right * scale - now.centre[0]).abs() < 1e-5);
                    compared += 1;
                }
            }
        }
        assert!(compared > 100);
    }
}
