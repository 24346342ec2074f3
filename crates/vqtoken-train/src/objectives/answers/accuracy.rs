//! How many answers a model gets exactly right.

use crate::clips::AnswerKind;
use crate::measures::Measures;

/// For each kind of answer how many are right, and how many there are. An answer is right if each of its tokens is the
/// likeliest, given the right ones before it.
#[derive(Clone, Copy, Default)]
pub(super) struct Accuracy([[usize; 2]; AnswerKind::ALL.len()]);

/// Whether an answer is right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Right,
    Wrong,
}

impl Accuracy {
    /// Counts an answer.
    pub(super) fn count(&mut self, kind: AnswerKind, outcome: Outcome) {
        let [right, all] = &mut self.0[kind as usize];
        *right += usize::from(outcome == Outcome::Right);
        *all += 1;
    }

    /// Adds the answers of `other`.
    pub(super) fn add(&mut self, other: Self) {
        for (sum, one) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *sum += one;
        }
    }

    /// The number of answers of all kinds.
    pub(super) fn answers(&self) -> usize {
        self.0.iter().map(|[_, all]| all).sum()
    }

    /// The share of right answers of all kinds together.
    pub(super) fn share(&self) -> f64 {
        let right: usize = self.0.iter().map(|[right, _]| right).sum();
        right as f64 / self.answers().max(1) as f64
    }

    /// The share of right answers of each kind that occurs.
    pub(super) fn measures(&self) -> Measures {
        AnswerKind::ALL.into_iter().fold(Measures::default(), |measures, kind| match self.0[kind as usize] {
            [_, 0] => measures,
            [right, all] => measures.with(kind.measure(), right as f64 / all as f64),
        })
    }
}
