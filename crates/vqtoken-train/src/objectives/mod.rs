//! What stages minimise.

pub(crate) mod answers;
pub(crate) mod facts;
pub(crate) mod object_labels;
mod pairs;
pub(crate) mod patch_labels;
pub(crate) mod reranking;
pub(crate) mod retrieval;
pub(crate) mod search_clips;
mod texts;
mod token_labels;
mod trajectories;

pub(crate) use token_labels::shown_objects;

use burn::tensor::Tensor;

use crate::config::Budgets;
use crate::error::TrainError;
use crate::learner::Learner;
use crate::measures::Measures;
use crate::micro_batch::MicroBatch;
use crate::rng::Rng;

/// A loss and what else is worth knowing.
#[derive(Debug)]
pub(crate) struct Loss {
    /// `[1]`
    pub(crate) value: Tensor<1>,
    /// Named numbers.
    pub(crate) measures: Measures,
}

/// What a stage minimises. What it draws depends on the micro-batch alone, so that a resumed run goes on as an uninterrupted
/// one.
pub(crate) trait Objective: Sync {
    /// The loss of one micro-batch.
    fn loss(&self, learner: &Learner, micro_batch: MicroBatch) -> Result<Loss, TrainError>;

    /// Measures on data that is never trained on; `loss` is among them, unless there is no such data.
    fn validate(&self, learner: &Learner) -> Result<Measures, TrainError>;
}

impl Budgets {
    /// The number of codes of a micro-batch. Under a price `p`, `K` codes are drawn in proportion to `exp(-p K)`: of all
    /// distributions with its entropy, the one with the lowest mean price.
    fn draw(&self, seed: u64, micro_batch: MicroBatch) -> usize {
        let weights: Vec<f64> = self.sizes.iter().map(|&codes| (-self.price * codes as f64).exp()).collect();
        let mut rest = Rng::new(seed, "budget", micro_batch.index()).unit() * weights.iter().sum::<f64>();
        for (&codes, weight) in self.sizes.iter().zip(weights) {
            if rest < weight {
                return codes;
            }
            rest -= weight;
        }
        // Rounding can leave a little.
        self.sizes[self.sizes.len() - 1]
    }
}
