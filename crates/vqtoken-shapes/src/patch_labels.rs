//! Labels for training a vision tower: for each patch of a frame the object that covers most of it.

use crate::Scene;
use crate::appearance::{Colour, Shape};
use crate::scene::ObjectState;

/// The object that covers most of a patch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PatchLabel {
    /// Index of the object in the scene.
    pub object: usize,
    /// Its shape.
    pub shape: Shape,
    /// Its colour in this frame.
    pub colour: Colour,
    /// The share of the patch that it covers, in `(0, 1]`.
    pub cover: f32,
}

impl Scene {
    /// For every patch of a frame that is cut into `[rows, columns]`, the object that covers most of it, or `None`;
    /// `[rows * columns]`, rows from the top. Measured at 5 x 5 points of each patch.
    pub fn patch_labels(&self, frame: usize, [rows, columns]: [usize; 2]) -> Vec<Option<PatchLabel>> {
        let states = self.states(frame);
        (0..rows * columns)
            .map(|patch| self.patch_label(&states, [patch / columns, patch % columns], [rows, columns]))
            .collect()
    }

    fn patch_label(
        &self,
        states: &[ObjectState],
        [row, column]: [usize; 2],
        grid: [usize; 2],
    ) -> Option<PatchLabel> {
        const POINTS: usize = 5;
        let point_at = |index: usize, step: usize, count: usize| {
            (index as f32 + (2 * step + 1) as f32 / (2 * POINTS) as f32) / count as f32
        };
        let (half_height, half_width) = (0.5 / grid[0] as f32, 0.5 / grid[1] as f32);
        let (y, x) = (point_at(row, POINTS / 2, grid[0]), point_at(column, POINTS / 2, grid[1]));
        let near: Vec<usize> = (0..states.len())
            .filter(|&object| {
                let state = &states[object];
                (state.centre[0] - x).abs() <= state.radius + half_width
                    && (state.centre[1] - y).abs() <= state.radius + half_height
            })
            .collect();
        if near.is_empty() {
            return None;
        }
        let mut counts = vec![0_usize; states.len()];
        for step in 0..POINTS * POINTS {
            let point = [point_at(column, step % POINTS, grid[1]), point_at(row, step / POINTS, grid[0])];
            let top = near.iter().rev().find(|&&object| self.covers(object, &states[object], point));
            if let Some(&object) = top {
                counts[object] += 1;
            }
        }
        let most =
            near.into_iter().max_by_key(|&object| counts[object]).filter(|&object| counts[object] > 0)?;
        Some(PatchLabel {
            object: most,
            shape: self.objects[most].appearance.shape,
            colour: states[most].colour,
            cover: counts[most] as f32 / (POINTS * POINTS) as f32,
        })
    }
}
