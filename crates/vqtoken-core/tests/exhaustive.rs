//! The quantizer against every way to divide a few tokens.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::grid;
use vqtoken_core::{Budget, Procedure, QuantizerConfig, TokenGrid, UnitTokens, quantize};

/// The least sum of 1 - cosine to the sum of one's cluster over all partitions of the tokens into `codes` clusters.
fn least_distortion(grid: &TokenGrid, codes: usize) -> f64 {
    let tokens = UnitTokens::new(grid);
    let mut best = f64::INFINITY;
    let mut labels = vec![0; tokens.len()];
    loop {
        let mut sums = vec![vec![0.0f64; tokens.dim()]; codes];
        for (token, &label) in labels.iter().enumerate() {
            sums[label]
                .iter_mut()
                .zip(tokens.token(token))
                .for_each(|(sum, &value)| *sum += f64::from(value));
        }
        let lengths: f64 =
            sums.iter().map(|sum| sum.iter().map(|value| value * value).sum::<f64>().sqrt()).sum();
        best = best.min(tokens.len() as f64 - lengths);
        // The next number in base `codes`.
        let Some(place) = labels.iter().position(|&label| label + 1 < codes) else { return best };
        labels[..place].fill(0);
        labels[place] += 1;
    }
}

#[test]
fn the_best_partition_is_found_or_nearly() {
    let mut state = 7u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let (mut cases, mut best, mut published_best, mut worst) = (0, 0, 0, 1.0f64);
    for tokens in 4..=8 {
        for codes in 2..=3 {
            for _ in 0..30 {
                let grid = grid(tokens, 1, 1, 3, (0..3 * tokens).map(|_| random()).collect());
                let least = least_distortion(&grid, codes);
                let of = |procedure| {
                    let budget = Budget::Fixed(codes);
                    quantize(&grid, &QuantizerConfig::new(budget).with_procedure(procedure)).unwrap().stats
                };
                let found = of(Procedure::Shared).distortion;
                assert!(found >= least - 1e-5, "{found} is less than {least}");
                cases += 1;
                best += usize::from(found <= least * 1.001 + 1e-5);
                published_best += usize::from(of(Procedure::Published).distortion <= least * 1.001 + 1e-5);
                worst = worst.max(found / least.max(1e-3));
            }
        }
    }
    println!(
        "{best} of {cases} are best, {published_best} as published; the worst is {worst:.2} times the least"
    );
    assert!(best * 100 >= cases * 85 && best > published_best && worst < 2.0);
}
