//! ToMe: alternate tokens merge into their most similar others, again and again, until the budget is met.

use std::cmp::Reverse;

use super::matching::Merging;
use super::{Amount, ReduceError, Reducer, Reduction, check};
use crate::grid::TokenGrid;

/// Token merging by bipartite soft matching (Bolya et al., ICLR 2023; facebookresearch/ToMe `merge.py`).
///
/// The sequence is split into A (tokens 0, 2, ...) and B (1, 3, ...). Each token of A takes the token of B of the largest cosine, the
/// r best pairs merge, and the token of B, which keeps its position, becomes the mean weighted by how many grid tokens each side stands
/// for. Then what is left of A, in order, and B follow each other, and it begins again.
///
/// Natural unit: r tokens fewer a call, at most half. A budget of M halves until M are left, always met. The source measures similarity
/// on attention keys inside a vision transformer and scales the attention of merged tokens by their size; here, after the projector,
/// there are no keys and no such attention: the tokens themselves are compared. Among equals the first is taken.
/// Complexity: each call on n tokens `3 n D + n^2 D / 2 + 3 r D`, two thirds of `N^2 D` in all.
#[derive(Clone, Debug, PartialEq)]
pub struct Tome {
    /// M.
    pub amount: Amount,
}

impl Tome {
    /// Reduces one grid to several amounts, computing the calls that they have in common once; the results are bit for bit those
    /// of one reducer for each amount. `each` receives the index of an amount and its reduction, the largest amount first.
    ///
    /// # Errors
    ///
    /// As [`Reducer::reduce`] for any of the amounts, before the first reduction.
    pub fn reduce_each(
        amounts: &[Amount],
        grid: &TokenGrid,
        mut each: impl FnMut(usize, Reduction),
    ) -> Result<(), ReduceError> {
        check(grid)?;
        let budgets = amounts.iter().map(|amount| amount.tokens(grid)).collect::<Result<Vec<_>, _>>()?;
        let mut largest_first: Vec<usize> = (0..budgets.len()).collect();
        largest_first.sort_by_key(|&index| Reverse(budgets[index]));
        let mut merging = Merging::new(grid);
        let mut order: Vec<u32> = (0..grid.shape().len() as u32).collect();
        for index in largest_first {
            order = merging.halve_above(order, budgets[index]);
            let mut last = merging.clone();
            last.halve_until(order.clone(), budgets[index]);
            each(index, last.finish());
        }
        Ok(())
    }
}

impl Reducer for Tome {
    fn name(&self) -> String {
        format!("tome:{}", self.amount)
    }

    fn reduce(&self, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
        check(grid)?;
        let budget = self.amount.tokens(grid)?;
        let mut merging = Merging::new(grid);
        merging.halve_until((0..grid.shape().len() as u32).collect(), budget);
        Ok(merging.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::testing::grid;

    #[test]
    fn pairs_merge_by_similarity_and_size() {
        // A: 0 (2, 0), 2 (0, 2), 4 (3, 4). B: 1 (4, 0), 3 (0, 1). Cosines: 0-1 is 1, 2-3 is 1, 4-3 is 0.8 (4-1 only 0.6).
        let clip = grid(1, 1, 5, 2, vec![2.0, 0.0, 4.0, 0.0, 0.0, 2.0, 0.0, 1.0, 3.0, 4.0]);
        let of = |tokens| Tome { amount: Amount::Tokens(tokens) }.reduce(&clip).unwrap();
        assert_eq!(of(5).tokens.data(), clip.data());
        assert_eq!(of(5).flops, 0);
        // One pair: 0-1 before its equal 2-3, and becomes (3, 0).
        assert_eq!(of(4).tokens.data(), [3.0, 0.0, 0.0, 2.0, 0.0, 1.0, 3.0, 4.0]);
        assert_eq!(of(4).assignment, [0, 0, 1, 2, 3].map(Some));
        assert_eq!((&of(4).positions[..], of(4).sequence_length), (&[1, 2, 3, 4][..], 5));
        // Half of five are two pairs: (3, 0) and (0, 1.5), and 4 is left.
        assert_eq!(of(3).tokens.data(), [3.0, 0.0, 0.0, 1.5, 3.0, 4.0]);
        assert_eq!(of(3).flops, (3 * 5 + 2 * 3 * 2 + 3 * 2) * 2);
        // The second call reads what is left of A, 4, then B, 1 and 3: A is 4 and 3, B is 1. Cosines: 4-1 0.6, 3-1 0. Of sizes 1 and 2:
        // ((3, 4) + 2 (3, 0)) / 3 = (3, 4/3).
        assert_eq!(of(2).tokens.data(), [3.0, (4.0f64 / 3.0) as f32, 0.0, 1.5]);
        assert_eq!(of(2).assignment, [0, 0, 1, 1, 0].map(Some));
        let mut together = Vec::new();
        let amounts = [2, 5, 1, 3, 4].map(Amount::Tokens);
        Tome::reduce_each(&amounts, &clip, |index, reduction| together.push((amounts[index], reduction)))
            .unwrap();
        let one_by_one = [5, 4, 3, 2, 1].map(|tokens| (Amount::Tokens(tokens), of(tokens)));
        assert_eq!(together, one_by_one);
        // The last one is the mean of all five: (9, 7) / 5.
        let one = of(1).tokens;
        assert!((one.data()[0] - 1.8).abs() < 1e-6 && (one.data()[1] - 1.4).abs() < 1e-6, "{one:?}");
    }
}
