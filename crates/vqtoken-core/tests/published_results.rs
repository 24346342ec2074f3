//! The quantizer against the published procedure: our copy of it on made-up tokens, and what it gave in PyTorch on two token sets.
//!
//! `VQTOKEN_TOKENS` names a folder with `mixture.safetensors` and `patches.safetensors` (`tokens`, f32 `[N, D]`), as the script `tokens.py`
//! beside the clips writes them; without it the second test is ignored.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use std::path::Path;

use common::grid;
use safetensors::SafeTensors;
use vqtoken_core::{Budget, Procedure, Quantization, QuantizerConfig, Rule, TokenGrid, quantize};

fn of(tokens: &TokenGrid, budget: Budget, seed: u64, procedure: Procedure) -> Quantization {
    quantize(tokens, &QuantizerConfig::new(budget).with_seed(seed).with_procedure(procedure)).unwrap()
}

/// 5,000 tokens of 32 channels: 40 clusters of unequal size, and a path that winds between some of them.
fn made_up() -> TokenGrid {
    let mut state = 11u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let centers: Vec<f32> = (0..40 * 32).map(|_| random()).collect();
    let center = |place: f32, channel: usize| {
        let (first, part) = (place as usize, place.fract());
        centers[first * 32 + channel] * (1.0 - part) + centers[(first + 1) * 32 + channel] * part
    };
    let mut data = Vec::new();
    for token in 0..5000 {
        let skewed = (random() + 0.5).powi(2) * 38.9;
        let place = if token % 3 == 0 { skewed } else { skewed.floor() };
        (0..32).for_each(|channel| data.push(center(place, channel) + 0.4 * random()));
    }
    grid(5, 25, 40, 32, data)
}

#[test]
fn no_worse_than_the_published_procedure_at_any_k() {
    let tokens = made_up();
    for codes in [4, 12, 20, 32] {
        let budget = Budget::Fixed(codes);
        let inertia = |procedure, seed| of(&tokens, budget, seed, procedure).stats.inertia;
        let ours = (0..5).map(|seed| inertia(Procedure::Shared, seed));
        let published: Vec<f64> = (0..5).map(|seed| inertia(Procedure::Published, seed)).collect();
        let mean = published.iter().sum::<f64>() / 5.0;
        let worst = ours.fold(0.0, f64::max);
        println!("K = {codes}: at worst {worst:.2}, as published {mean:.2} on average");
        assert!(worst <= mean, "K = {codes}: {worst} {published:?}");
    }
}

#[test]
fn the_chosen_k_is_fitted_as_well_as_the_best_of_ten() {
    let tokens = made_up();
    for rule in [Rule::Elbow, Rule::Silhouette] {
        let adaptive = of(&tokens, Budget::Adaptive { min: 12, max: 32, rule }, 0, Procedure::Shared);
        let fixed = Budget::Fixed(adaptive.stats.codes);
        let best = (0..10)
            .flat_map(|seed| [Procedure::Shared, Procedure::Published].map(|p| of(&tokens, fixed, seed, p)))
            .map(|fit| fit.stats.inertia)
            .fold(f64::INFINITY, f64::min);
        assert!(adaptive.stats.inertia <= 1.01 * best, "{rule}: {} {best}", adaptive.stats.inertia);
    }
}

#[test]
#[ignore = "reads token sets from the folder that VQTOKEN_TOKENS names"]
fn no_worse_than_the_published_results() {
    let folder = std::env::var_os("VQTOKEN_TOKENS").expect("VQTOKEN_TOKENS names a folder of token sets");
    // K and inertia of the public script in PyTorch: fixed, and by the elbow over 12..=32.
    for (name, results) in
        [("mixture", [(32, 10_105.67), (22, 11_084.82)]), ("patches", [(32, 2933.31), (16, 3627.08)])]
    {
        let tokens = read(&Path::new(&folder).join(format!("{name}.safetensors")));
        for (codes, inertia) in results {
            let ours = of(&tokens, Budget::Fixed(codes), 0, Procedure::Shared).stats.inertia;
            println!("{name}, K = {codes}: {ours:.2}, as published {inertia}");
            assert!(ours <= inertia);
        }
    }
}

fn read(file: &Path) -> TokenGrid {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tokens = tensors.tensor("tokens").unwrap();
    let values = tokens.data().as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
    grid(1, 1, tokens.shape()[0], tokens.shape()[1], values)
}
