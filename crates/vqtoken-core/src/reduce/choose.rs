//! Choosing the largest scores, and sharing out a budget over frames.

/// The indices of the `count` largest scores, ascending; among equal scores the lowest indices.
pub(crate) fn largest(scores: &[f64], count: usize) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..scores.len()).collect();
    indices.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    indices.truncate(count);
    indices.sort_unstable();
    indices
}

/// `total` shared out in proportion to `capacities`, no share above its own capacity; together they must hold `total`.
///
/// Remainders are spread over the whole length, as a line is drawn on a grid: 2 over five equal frames go to frames 1 and 3.
pub(crate) fn spread(total: usize, capacities: &[usize]) -> Vec<usize> {
    let sum: u128 = capacities.iter().map(|&capacity| capacity as u128).sum();
    let given = |before: u128| ((2 * total as u128 * before + sum) / (2 * sum).max(1)) as usize;
    let mut before = 0;
    capacities
        .iter()
        .map(|&capacity| {
            let from = given(before);
            before += capacity as u128;
            given(before) - from
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_prefer_low_indices() {
        assert_eq!(largest(&[1.0, 3.0, 2.0, 3.0, 3.0], 2), [1, 3]);
        assert_eq!(largest(&[1.0, 3.0], 0), [0usize; 0]);
    }

    #[test]
    fn shares_are_exact_even_and_within_capacity() {
        assert_eq!(spread(2, &[1; 5]), [0, 1, 0, 1, 0]);
        assert_eq!(spread(1, &[9; 4]), [0, 1, 0, 0]);
        assert_eq!(spread(7, &[4, 4]), [4, 3]);
        assert_eq!(spread(0, &[0, 0]), [0, 0]);
        assert_eq!(spread(6, &[8, 0, 4]), [4, 0, 2]);
        for total in 0..=11 {
            let capacities = [3, 1, 0, 5, 2];
            let shares = spread(total, &capacities);
            assert_eq!(shares.iter().sum::<usize>(), total);
            assert!(shares.iter().zip(capacities).all(|(&share, capacity)| share <= capacity));
        }
    }
}
