//! Named numbers that training reports beside the loss.

use serde_json::{Map, Value};

/// Named numbers in a fixed order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measures(Vec<(String, f64)>);

impl Measures {
    /// These and one more.
    pub(crate) fn with(mut self, name: impl Into<String>, value: f64) -> Self {
        self.0.push((name.into(), value));
        self
    }

    /// These and all of `others`.
    pub(crate) fn with_all(mut self, others: &Self) -> Self {
        self.0.extend(others.0.iter().cloned());
        self
    }

    /// The number of this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// All names and numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The mean of each name over those of `all` that have it.
    pub(crate) fn mean(all: &[Self]) -> Self {
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
