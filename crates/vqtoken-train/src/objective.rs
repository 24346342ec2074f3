//! What a stage minimises.

use burn::tensor::Tensor;
use serde_json::{Map, Value};

use crate::error::TrainError;
use crate::learner::Learner;

/// A place in a stage: what is drawn depends on it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The step, from 0.
    pub step: usize,
    /// The piece of the step's batch.
    pub piece: usize,
    /// Pieces of a step.
    pub pieces: usize,
}

impl Place {
    /// One number for the place.
    pub fn number(self) -> u64 {
        (self.step * self.pieces + self.piece) as u64
    }
}

/// A loss and what else is worth knowing.
#[derive(Debug)]
pub struct Loss {
    /// `[1]`
    pub value: Tensor<1>,
    /// Named numbers.
    pub measures: Measures,
}

/// Named numbers in a fixed order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measures(Vec<(String, f64)>);

impl Measures {
    /// One number more.
    pub fn with(mut self, name: impl Into<String>, value: f64) -> Self {
        self.0.push((name.into(), value));
        self
    }

    /// All numbers of another one more.
    pub fn with_all(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// A number by its name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// All numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The means over several; each name counts where it occurs.
    pub fn mean(all: &[Self]) -> Self {
        let mut sums: Vec<(String, f64, usize)> = Vec::new();
        for (name, value) in all.iter().flat_map(Self::iter) {
            match sums.iter_mut().find(|(known, ..)| known == name) {
                Some((_, sum, count)) => {
                    *sum += value;
                    *count += 1;
                }
                None => sums.push((name.to_owned(), value, 1)),
            }
        }
        Self(sums.into_iter().map(|(name, sum, count)| (name, sum / count as f64)).collect())
    }

    /// As a JSON object.
    pub fn to_json(&self) -> Map<String, Value> {
        self.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
    }
}

/// What a stage minimises. What it draws depends on the place alone, so that a resumed run goes on as an unbroken one.
pub trait Objective: Sync {
    /// The loss of one piece of a step's batch.
    fn loss(&self, learner: &Learner, place: Place) -> Result<Loss, TrainError>;

    /// Numbers on data that is never trained on; `loss` is among them.
    fn validate(&self, learner: &Learner) -> Result<Measures, TrainError>;
}
