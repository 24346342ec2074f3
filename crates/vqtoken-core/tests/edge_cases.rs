//! Tokens and budgets at the edge of what makes sense.

#![allow(clippy::unwrap_used)]

mod common;

use common::grid;
use vqtoken_core::{
    Budget, BudgetError, Procedure, QuantizeError, QuantizerConfig, Rule, RuleError, TokenGrid, quantize,
};

/// As many codes as asked, or as there are tokens.
fn fixed(grid: &TokenGrid, codes: usize) -> vqtoken_core::Quantization {
    let budget = Budget::Fixed(codes).within(grid.shape().len());
    quantize(grid, &QuantizerConfig::new(budget)).unwrap()
}

#[test]
fn all_zero_tokens_are_one_zero_code() {
    let quantization = fixed(&grid(2, 2, 2, 3, vec![0.0; 24]), 4);
    assert_eq!(quantization.codebook.data(), [0.0; 3]);
    assert_eq!(quantization.index_map.labels(), [0; 8]);
    assert_eq!(quantization.stats.inertia, 0.0);
    let adaptive = Budget::Adaptive { min: 2, max: 4, rule: Rule::Silhouette };
    let adaptive = QuantizerConfig::new(adaptive);
    assert_eq!(quantize(&grid(1, 1, 2, 1, vec![0.0; 2]), &adaptive).unwrap().codebook.codes(), 1);
}

#[test]
fn zero_tokens_belong_to_code_0() {
    let quantization = fixed(&grid(1, 1, 5, 2, vec![0.0, 0.0, 0.0, 2.0, 3.0, 0.0, 0.0, 0.0, 0.0, 1.0]), 2);
    assert_eq!(quantization.index_map.labels(), [0, 0, 1, 0, 0]);
    assert_eq!(quantization.codebook.data(), [0.0, 0.5, 1.0, 0.0]);
}

#[test]
fn constant_clips_have_one_code() {
    let token = [0.3f32, -1.7, 2.2, 0.01];
    let quantization = fixed(&grid(4, 3, 2, 4, token.repeat(24)), 32);
    assert_eq!(quantization.codebook.codes(), 1);
    assert!(quantization.stats.inertia < 1e-10);
    // Brightness alone is no direction of its own.
    let data = (1..=24).flat_map(|scale| token.map(|value| value * scale as f32)).collect();
    assert_eq!(fixed(&grid(4, 3, 2, 4, data), 32).codebook.codes(), 1);
}

#[test]
fn no_more_codes_than_distinct_tokens() {
    let data = vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 1.0, 5.0, 0.0];
    for seed in 0..10 {
        let config = QuantizerConfig::new(Budget::Fixed(5)).with_seed(seed);
        let quantization = quantize(&grid(5, 1, 1, 2, data.clone()), &config).unwrap();
        assert_eq!(quantization.index_map.labels(), [0, 1, 2, 1, 0]);
        assert_eq!(quantization.codebook.data(), [1.0, 0.0, 0.0, 1.0, -1.0, 0.0]);
        let adaptive = Budget::Adaptive { min: 4, max: 32, rule: Rule::Elbow };
        let adaptive = quantize(&grid(5, 1, 1, 2, data.clone()), &config.with_budget(adaptive));
        assert_eq!(adaptive.unwrap().stats.curve.iter().map(|point| point.codes).collect::<Vec<_>>(), [3]);
    }
}

#[test]
fn one_frame_and_one_token() {
    let quantization = fixed(&grid(1, 1, 1, 2, vec![3.0, 4.0]), 32);
    assert_eq!(quantization.index_map.labels(), [0]);
    let quantization = fixed(&grid(1, 2, 2, 1, vec![3.0, -4.0, 1.0, -2.0]), 2);
    assert_eq!(quantization.index_map.labels(), [0, 1, 0, 1]);
    assert_eq!(quantization.codebook.data(), [1.0, -1.0]);
}

#[test]
fn extreme_magnitudes() {
    let data = vec![1e30, 1e30, f32::MAX, 0.0, 1e-10, 0.0, 1e-10, 1e-10, f32::from_bits(1), 0.0];
    let quantization = fixed(&grid(1, 1, 5, 2, data), 2);
    assert_eq!(quantization.index_map.labels(), [0, 1, 1, 0, 0]);
    assert!(quantization.codebook.data().iter().all(|value| value.is_finite()));
}

#[test]
fn values_that_are_not_finite_are_named() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut data = vec![1.0; 2 * 2 * 3 * 4];
        (data[33], data[40]) = (value, f32::NAN);
        let config = QuantizerConfig::new(Budget::Fixed(3));
        let error = quantize(&grid(2, 2, 3, 4, data), &config).unwrap_err();
        assert!(matches!(error, QuantizeError::NotFinite { frame: 1, row: 0, column: 2, channel: 1, .. }));
        assert!(error.to_string().starts_with("the token at frame 1, row 0, column 2 holds"), "{error}");
    }
}

#[test]
fn budgets_without_codes_are_refused() {
    let of = |budget| quantize(&grid(1, 1, 1, 1, vec![1.0]), &QuantizerConfig::new(budget)).unwrap_err();
    let adaptive = |min, max| Budget::Adaptive { min, max, rule: Rule::Elbow };
    assert_eq!(of(Budget::Fixed(0)), QuantizeError::Budget(BudgetError::NoCodes));
    assert_eq!(of(adaptive(0, 3)), QuantizeError::Budget(BudgetError::NoCodes));
    assert_eq!(of(adaptive(4, 3)), QuantizeError::Budget(BudgetError::Reversed { min: 4, max: 3 }));
    assert!(of(Budget::Fixed(0)).to_string().contains("at least 1"));
    let rule = Rule::Distortion(-0.5);
    let share = BudgetError::Rule(RuleError::Share { share: -0.5 });
    assert_eq!(of(Budget::Adaptive { min: 1, max: 1, rule }), QuantizeError::Budget(share));
}

#[test]
fn budgets_larger_than_the_tokens_are_refused() {
    let of = |budget, procedure| {
        let config = QuantizerConfig::new(budget).with_procedure(procedure);
        quantize(&grid(1, 2, 2, 1, vec![1.0, -1.0, 2.0, -2.0]), &config)
    };
    let adaptive = |min, max| Budget::Adaptive { min, max, rule: Rule::Elbow };
    for procedure in [Procedure::Shared, Procedure::Published] {
        for budget in [Budget::Fixed(5), adaptive(5, 9)] {
            let error = of(budget, procedure).unwrap_err();
            assert_eq!(error, QuantizeError::TooFewTokens { codes: 5, tokens: 4 });
            assert!(error.to_string().contains("ask for at most 4"), "{error}");
        }
        assert!(of(adaptive(2, 9), procedure).is_ok());
    }
}

#[test]
fn adaptive_finds_the_clusters_that_are_there() {
    // Five directions in 8 channels, 12 tokens near each.
    let token = |i: usize| {
        let mut token = [0.0f32; 8];
        token[i % 5] = 1.0;
        token[5 + i % 3] = 0.02 * (i % 7) as f32;
        token
    };
    let tokens = grid(5, 3, 4, 8, (0..60).flat_map(token).collect());
    for rule in [Rule::Elbow, Rule::Silhouette] {
        let budget = Budget::Adaptive { min: 2, max: 12, rule };
        for seed in 0..5 {
            let quantization = quantize(&tokens, &QuantizerConfig::new(budget).with_seed(seed)).unwrap();
            assert_eq!(quantization.stats.codes, 5, "{rule} {:?}", quantization.stats.curve);
            // The fit of the chosen K is the one a fixed budget gives.
            let fixed = QuantizerConfig::new(Budget::Fixed(5)).with_seed(seed);
            let fixed = quantize(&tokens, &fixed).unwrap();
            assert_eq!((fixed.codebook, fixed.index_map), (quantization.codebook, quantization.index_map));
            assert_eq!(quantization.stats.curve.len(), 11);
            assert_eq!(quantization.stats.curve[0].silhouette.is_some(), rule == Rule::Silhouette);
        }
    }
}
