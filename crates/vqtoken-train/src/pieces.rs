//! Which clips a piece of a step reads, and in how many codes.

use crate::data::{Clips, Use};
use crate::draws::Draws;
use crate::objective::Place;

/// The numbers of a piece's `batch` clips: every epoch has all of them, in an order of its own.
pub(crate) fn clip_numbers(clips: &dyn Clips, seed: u64, batch: usize, place: Place) -> Vec<usize> {
    let count = clips.count(Use::Training);
    let first = place.number() as usize * batch;
    let mut order: Vec<usize> = Vec::new();
    let mut known = None;
    (first..first + batch)
        .map(|index| {
            let epoch = index / count;
            if known != Some(epoch) {
                order = (0..count).collect();
                Draws::at(seed, "order", epoch as u64).shuffle(&mut order);
                known = Some(epoch);
            }
            clips.number(Use::Training, order[index % count])
        })
        .collect()
}

/// A place in the list of budgets. Under a price p a budget of K codes is drawn in proportion to exp(-p K): the
/// distribution that minimises the mean price of what is drawn for its entropy.
pub(crate) fn drawn_budget(budgets: &[usize], price: f64, seed: u64, place: Place) -> usize {
    let weights: Vec<f64> = budgets.iter().map(|&codes| (-price * codes as f64).exp()).collect();
    let mut left = Draws::at(seed, "budget", place.number()).unit() * weights.iter().sum::<f64>();
    for (index, weight) in weights.iter().enumerate() {
        if left < *weight {
            return index;
        }
        left -= weight;
    }
    weights.len().saturating_sub(1)
}
