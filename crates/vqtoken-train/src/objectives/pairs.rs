//! The sigmoid loss over pairs of a text and something that it may be true of.

use burn::tensor::{Tensor, TensorData};

/// Targets of pairs, with the weight of each.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    /// `[rows * columns]`, from 0 to 1; 0 where the weight is.
    targets: Vec<f32>,
    /// `[rows * columns]`
    weights: Vec<f32>,
}

impl Pairs {
    /// Adds a pair; `None` leaves it out of the loss. True pairs weigh `balance` times as much as others.
    pub(crate) fn push(&mut self, target: Option<f32>, balance: f64) {
        self.targets.push(target.unwrap_or_default());
        self.weights.push(match target {
            None => 0.0,
            Some(target) if target > 0.0 => balance as f32,
            Some(_) => 1.0,
        });
    }

    /// Adds a pair with a weight of its own.
    pub(crate) fn push_weighted(&mut self, is_true: bool, weight: f32) {
        self.targets.push(if is_true { 1.0 } else { 0.0 });
        self.weights.push(weight);
    }

    /// The share of pairs that count and are true.
    pub(crate) fn true_share(&self) -> f64 {
        let count = |wanted: fn(f32, f32) -> bool| {
            let pairs = self.targets.iter().zip(&self.weights);
            pairs.filter(|(target, weight)| wanted(**target, **weight)).count() as f64
        };
        count(|target, weight| weight > 0.0 && target > 0.0) / count(|_, weight| weight > 0.0).max(1.0)
    }

    /// The weighted sum of the cross-entropies of the pairs' targets, over the weight of the true ones.
    ///
    /// # Shapes
    ///
    /// - logits: `[rows, columns]`
    /// - output: `[1]`
    pub(crate) fn loss(self, logits: Tensor<2>) -> Tensor<1> {
        let [rows, columns] = logits.dims();
        assert_eq!(self.targets.len(), rows * columns, "a target for each logit");
        let device = logits.device();
        let truth: f32 =
            self.targets.iter().zip(&self.weights).filter(|(t, _)| **t > 0.0).map(|(_, w)| w).sum();
        let tensor = |values| Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &device);
        let (targets, weights) = (tensor(self.targets), tensor(self.weights));
        // -log sigmoid(x) = softplus(-x), without overflow: max(-x, 0) + log(1 + exp(-|x|)).
        let softplus = (-logits.clone().abs()).exp().add_scalar(1.0).log() + logits.clone().clamp_min(0.0); // softplus(x)
        let losses = softplus - logits * targets; // [rows, columns]
        (losses * weights).sum() / truth.max(1.0)
    }
}
