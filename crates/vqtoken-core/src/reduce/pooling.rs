//! What both poolings share: the stride, either given or found for a budget.

use super::amount::Parameter;
use super::{ReduceError, Target};
use crate::grid::TokenGrid;

const STRIDE: Parameter = Parameter { key: "s", least: 1.0, most: 65_535.0 };
/// LLaVA-OneVision's.
const DEFAULT: f64 = 2.0;

/// How a pooling turns a stride into the sides of the pooled grid.
pub(crate) struct Stride<F> {
    /// Its name.
    pub(crate) reducer: &'static str,
    /// From a side and a stride to the pooled side, at least 1.
    pub(crate) pooled: F,
}

impl Stride<()> {
    /// Parses the part after the name: nothing, `s=2`, `32` or `10%`.
    pub(crate) fn parse(text: &str) -> Result<Target, ReduceError> {
        if text.is_empty() { Ok(Target::Parameter(DEFAULT)) } else { STRIDE.parse(text) }
    }

    pub(crate) fn name(reducer: &str, target: &Target) -> String {
        if *target == Target::Parameter(DEFAULT) {
            reducer.to_owned()
        } else {
            format!("{reducer}:{}", STRIDE.text(target))
        }
    }
}

impl<F: Fn(usize, usize) -> usize> Stride<F> {
    /// The given stride, without its fraction, or the smallest that meets the budget.
    pub(crate) fn of(&self, target: &Target, grid: &TokenGrid) -> Result<usize, ReduceError> {
        let shape = grid.shape();
        let amount = match target {
            Target::Parameter(stride) => return Ok(STRIDE.check(*stride)? as usize),
            Target::Amount(amount) => amount,
        };
        let budget = amount.tokens(grid)?;
        let tokens = |stride: &usize| {
            shape.frames * (self.pooled)(shape.height, *stride) * (self.pooled)(shape.width, *stride)
        };
        (1..=shape.height.max(shape.width))
            .find(|stride| tokens(stride) <= budget)
            .ok_or(ReduceError::BudgetTooSmall { reducer: self.reducer, budget, least: shape.frames })
    }
}
