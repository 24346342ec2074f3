//! Trajectories: how the object that a token shows has moved up to the token's frame. The token hash gives a code the same as
//! numbers.

use burn::tensor::{Tensor, TensorData};
use vqtoken_core::GridShape;
use vqtoken_shapes::Scene;

use super::token_labels::{sampled_frames, shown_objects};
use crate::error::TrainError;
use crate::heads::TrajectoryHeads;
use crate::tensors::indices;

/// The centre of an object that is less visible than this is not where it seems to be.
const MIN_VISIBLE: f32 = 0.6;

/// Displacements, in sides of the picture, are divided by this and the root of their lag, which makes them about one.
const STEP: f32 = 0.1;

/// How the object of a visual token has moved.
#[derive(Debug)]
pub(super) struct Trajectory {
    /// The token's index among the clip's tokens.
    row: usize,
    /// Its weight: all tokens of an object in a frame together weigh 1.
    weight: f32,
    /// Displacement (down, right) since each earlier frame, the nearest first; `None` where the object was hidden or out of
    /// sight.
    displacements: Vec<Option<[f32; 2]>>,
}

/// The trajectories of what some `cells` of a grid show. Rows are indices into `cells`.
///
/// # Errors
///
/// If the clip has too few frames.
pub(super) fn trajectories(
    scene: &Scene,
    shape: GridShape,
    cells: &[usize],
) -> Result<Vec<Trajectory>, TrainError> {
    let shown = shown_objects(scene, shape)?;
    let states: Vec<_> = sampled_frames(scene, shape)?.into_iter().map(|frame| scene.states(frame)).collect();
    let plane = shape.height * shape.width;
    let mut tokens = vec![vec![0_usize; scene.objects.len()]; shape.frames];
    let of_objects =
        || cells.iter().enumerate().filter_map(|(row, &cell)| Some((row, cell / plane, shown[cell]?)));
    of_objects().for_each(|(_, frame, object)| tokens[frame][object] += 1);
    let centre = |frame: usize, object: usize| {
        Some(states[frame][object]).filter(|state| state.visible >= MIN_VISIBLE).map(|state| state.centre)
    };
    let since = |frame: usize, lag: usize, object: usize| {
        let [now, then] = [centre(frame, object)?, centre(frame.checked_sub(lag)?, object)?];
        let scale = STEP * (lag as f32).sqrt();
        Some([(now[1] - then[1]) / scale, (now[0] - then[0]) / scale])
    };
    let trajectory = |(row, frame, object): (usize, usize, usize)| Trajectory {
        row,
        weight: 1.0 / tokens[frame][object] as f32,
        displacements: (1..shape.frames).map(|lag| since(frame, lag, object)).collect(),
    };
    Ok(of_objects().map(trajectory).collect())
}

/// The mean squared error of displacements, both coordinates together.
///
/// # Shapes
///
/// - tokens: `[clips, M, D]`
/// - trajectories: `[clips]`
/// - output: `[1]`
pub(super) fn trajectory_loss(
    heads: &TrajectoryHeads,
    tokens: Tensor<3>,
    trajectories: &[Vec<Trajectory>],
) -> Tensor<1> {
    let [clips, length, d] = tokens.dims();
    assert_eq!(trajectories.len(), clips, "trajectories of every clip");
    let device = tokens.device();
    let (mut rows, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for (clip, trajectories) in trajectories.iter().enumerate() {
        for trajectory in trajectories {
            rows.push((clip * length + trajectory.row) as u32);
            for displacement in &trajectory.displacements {
                // What is not known weighs nothing.
                targets.extend(displacement.unwrap_or([0.0; 2]));
                weights.extend([displacement.map_or(0.0, |_| trajectory.weight); 2]);
            }
        }
    }
    let total: f32 = weights.iter().sum::<f32>() / 2.0;
    if total == 0.0 {
        return Tensor::zeros([1], &device);
    }
    let tokens = tokens.reshape([clips * length, d]).select(0, indices(&rows, &device)); // [n, D]
    let predicted = heads.forward(tokens); // [n, 2 * (frames - 1)]
    let shape = predicted.dims();
    let tensor = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, shape), &device);
    ((predicted - tensor(targets)).powi_scalar(2) * tensor(weights)).sum() / total
}

#[cfg(test)]
mod tests {
    use vqtoken_shapes::{Settings, clips};

    use super::*;

    #[test]
    fn displacements_lead_from_earlier_centres_to_the_present_one() {
        let settings = Settings { clips: 6, seed: 4, ..Settings::default() };
        let shape = GridShape { frames: 8, height: 14, width: 14 };
        let mut compared = 0;
        for clip in clips(&settings).unwrap() {
            let scene = &clip.scene;
            let half: Vec<usize> = (0..8 * 196).filter(|cell| cell % 2 == 0).collect();
            let shown = shown_objects(scene, shape).unwrap();
            let frames = sampled_frames(scene, shape).unwrap();
            for trajectory in trajectories(scene, shape, &half).unwrap() {
                let cell = half[trajectory.row];
                let (frame, object) = (cell / 196, shown[cell].unwrap());
                assert!(
                    trajectory.displacements[frame..].iter().all(Option::is_none),
                    "nothing is before the start"
                );
                for (before, displacement) in trajectory.displacements.iter().take(frame).enumerate() {
                    let [now, then] =
                        [frame, frame - 1 - before].map(|frame| scene.states(frames[frame])[object]);
                    let visible = now.visible >= MIN_VISIBLE && then.visible >= MIN_VISIBLE;
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
