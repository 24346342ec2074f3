//! The configuration of the quantizer.

use super::numbering::CodeOrder;
use crate::budget::Budget;

/// How K and the codes are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Procedure {
    /// Ours: one start from merged micro-clusters serves every K, and only the chosen K is fitted.
    #[default]
    Shared,
    /// The published one, as a reference to compare with: plain k-means++ and a fit for every K. `restarts` have no effect on it. It stopped fits of a
    /// fixed budget after 50 iterations, those of an adaptive one after 100.
    Published,
}

/// Everything that decides what [`quantize`](crate::quantize) gives for a token grid.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuantizerConfig {
    /// How many codes.
    pub budget: Budget,
    /// Seed of the sample and the k-means++ draws.
    pub seed: u64,
    /// How many fits from other samples and draws are made for a K, of which the one of least distortion is kept, the first among
    /// equals; 0 means 1.
    pub restarts: usize,
    /// The most iterations of one fit; a fit ends sooner when no label changes.
    pub max_iterations: usize,
    /// How codes are numbered.
    pub order: CodeOrder,
    /// How K and the codes are found.
    pub procedure: Procedure,
}

/// 32 codes, seed 0, one fit, at most 100 iterations, numbered by first appearance.
impl Default for QuantizerConfig {
    fn default() -> Self {
        Self {
            budget: Budget::PAPER_FIXED,
            seed: 0,
            restarts: 1,
            max_iterations: 100,
            order: CodeOrder::default(),
            procedure: Procedure::default(),
        }
    }
}

impl QuantizerConfig {
    /// The defaults with this budget.
    pub fn new(budget: Budget) -> Self {
        Self { budget, ..Self::default() }
    }

    /// The same with another budget.
    #[must_use]
    pub fn with_budget(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// The same with another seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same with this many fits for a K.
    #[must_use]
    pub fn with_restarts(self, restarts: usize) -> Self {
        Self { restarts, ..self }
    }

    /// The same with at most this many iterations of one fit.
    #[must_use]
    pub fn with_max_iterations(self, max_iterations: usize) -> Self {
        Self { max_iterations, ..self }
    }

    /// The same with codes numbered otherwise.
    #[must_use]
    pub fn with_order(self, order: CodeOrder) -> Self {
        Self { order, ..self }
    }

    /// The same with another procedure.
    #[must_use]
    pub fn with_procedure(self, procedure: Procedure) -> Self {
        Self { procedure, ..self }
    }
}
