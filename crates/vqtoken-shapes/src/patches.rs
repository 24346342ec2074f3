//! What a vision tower should see: for each patch of a frame the object that covers most of it.

use crate::Scene;
use crate::look::{Colour, Shape};
use crate::scene::State;

/// The object that covers most of a patch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PatchLabel {
    /// Number of the object in the scene.
    pub object: usize,
    /// Its shape.
    pub shape: Shape,
    /// Its colour in this frame.
    pub colour: Colour,
    /// The part of the patch that it covers, in `(0, 1]`.
    pub cover: f32,
}

impl Scene {
    /// For every patch of a frame that is cut into `[rows, columns]` the object that covers most of it, `None` where no
    /// object lies; `[rows * columns]`, rows from the top. Measured at 5 x 5 points of each patch.
    pub fn patch_labels(&self, frame: usize, [rows, columns]: [usize; 2]) -> Vec<Option<PatchLabel>> {
        let states = self.states(frame);
        (0..rows * columns)
            .map(|patch| self.patch_label(&states, [patch / columns, patch % columns], [rows, columns]))
            .collect()
    }

    fn patch_label(
        &self,
        states: &[State],
        [row, column]: [usize; 2],
        grid: [usize; 2],
    ) -> Option<PatchLabel> {
        const POINTS: usize = 5;
        let spot = |index: usize, step: usize, count: usize| {
            (index as f32 + (2 * step + 1) as f32 / (2 * POINTS) as f32) / count as f32
        };
        let (high, wide) = (0.5 / grid[0] as f32, 0.5 / grid[1] as f32);
        let (y, x) = (spot(row, POINTS / 2, grid[0]), spot(column, POINTS / 2, grid[1]));
        let near: Vec<usize> = (0..states.len())
            .filter(|&number| {
                let state = &states[number];
                (state.centre[0] - x).abs() <= state.radius + wide
                    && (state.centre[1] - y).abs() <= state.radius + high
            })
            .collect();
        if near.is_empty() {
            return None;
        }
        let mut counts = vec![0_usize; states.len()];
        for step in 0..POINTS * POINTS {
            let point = [spot(column, step % POINTS, grid[1]), spot(row, step / POINTS, grid[0])];
            let top = near.iter().rev().find(|&&number| self.covers(number, &states[number], point));
            if let Some(&number) = top {
                counts[number] += 1;
            }
        }
        let most =
            near.into_iter().max_by_key(|&number| counts[number]).filter(|&number| counts[number] > 0)?;
        Some(PatchLabel {
            object: most,
            shape: self.objects[most].look.shape,
            colour: states[most].colour,
            cover: counts[most] as f32 / (POINTS * POINTS) as f32,
        })
    }
}
