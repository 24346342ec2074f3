//! Micro-batches: the parts of a step's batch. Which clips one reads, and in how many codes, depends on its index alone.

use crate::clips::{Clips, Use};
use crate::rng::Rng;

/// One of the micro-batches of a step. Whatever is drawn for it depends on [`MicroBatch::index`], so that a resumed run goes
/// on as an uninterrupted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MicroBatch {
    /// The step, from 0.
    pub(crate) step: usize,
    /// Its index within the step.
    pub(crate) within_step: usize,
    /// Micro-batches per step.
    pub(crate) per_step: usize,
}

impl MicroBatch {
    /// Its index among all micro-batches of the stage.
    pub(crate) fn index(self) -> u64 {
        (self.step * self.per_step + self.within_step) as u64
    }

    /// The indices of its `size` training clips. Every epoch has all clips, in an order of its own.
    pub(crate) fn clips(self, clips: &dyn Clips, seed: u64, size: usize) -> Vec<usize> {
        let count = clips.count(Use::Training);
        let first = self.index() as usize * size;
        let mut order: Vec<usize> = Vec::new();
        let mut known = None;
        (first..first + size)
            .map(|position| {
                let epoch = position / count;
                if known != Some(epoch) {
                    order = (0..count).collect();
                    Rng::new(seed, "order", epoch as u64).shuffle(&mut order);
                    known = Some(epoch);
                }
                clips.index(Use::Training, order[position % count])
            })
            .collect()
    }
}
