//! What holds for the quantizer on any tokens.

#![allow(clippy::unwrap_used)]

mod common;

use common::{any_grid, cosine};
use proptest::prelude::*;
use vqtoken_core::{
    Budget, CodeOrder, Codebook, EmptyCode, IndexMap, Procedure, Quantization, QuantizerConfig, Rule,
    TokenGrid, TokenHash, UnitTokens, assign, lloyd, quantize, silhouette,
};

fn config(grid: &TokenGrid, budget: Budget, seed: u64) -> QuantizerConfig {
    let budget = budget.within(grid.shape().len());
    QuantizerConfig::new(budget).with_seed(seed)
}

fn any_budget() -> impl Strategy<Value = Budget> {
    let rule = prop_oneof![
        Just(Rule::Elbow),
        Just(Rule::Silhouette),
        (0.01f64..1.0).prop_map(Rule::Distortion),
        (0.001f64..2.0).prop_map(Rule::Bits)
    ];
    prop_oneof![
        (1usize..12).prop_map(Budget::Fixed),
        (1usize..6, 0usize..6, rule).prop_map(|(min, more, rule)| Budget::Adaptive {
            min,
            max: min + more,
            rule
        }),
    ]
}

/// Every code is the mean of its unit tokens, and there is none without a token.
fn assert_means(grid: &TokenGrid, quantization: &Quantization) {
    let tokens = UnitTokens::new(grid);
    let hash = TokenHash::new(&quantization.index_map);
    for code in 0..quantization.codebook.codes() {
        let positions = hash.positions(code as u32);
        assert!(!positions.is_empty(), "code {code} is unused");
        for channel in 0..grid.dim() {
            let of_token = |&token: &u32| f64::from(tokens.token(token as usize)[channel]);
            let mean = positions.iter().map(of_token).sum::<f64>() / positions.len() as f64;
            assert!((f64::from(quantization.codebook.code(code)[channel]) - mean).abs() < 1e-6);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_label_is_the_nearest_code(grid in any_grid(), budget in any_budget(), seed in 0u64..5) {
        let quantization = quantize(&grid, &config(&grid, budget, seed)).unwrap();
        assert_means(&grid, &quantization);
        prop_assert!(quantization.codebook.codes() <= budget.max_codes().min(grid.shape().len()));
        prop_assert!(quantization.codebook.data().iter().all(|value| value.is_finite()));
        prop_assert!(quantization.stats.converged);
        for (index, &label) in quantization.index_map.labels().iter().enumerate() {
            let token = grid.token(index);
            if token.iter().all(|&value| value == 0.0) {
                prop_assert_eq!(label, 0);
                continue;
            }
            let own = cosine(token, quantization.codebook.code(label as usize));
            for code in 0..quantization.codebook.codes() {
                // A code whose members cancel out has no direction but that of rounding.
                let length = cosine_length(quantization.codebook.code(code));
                prop_assert!(length < 1e-5 || cosine(token, quantization.codebook.code(code)) <= own + 1e-6);
            }
        }
    }

    #[test]
    fn every_label_is_the_nearest_centroid_converged_or_not(grid in any_grid(), codes in 1usize..6, most in 0usize..4) {
        let tokens = UnitTokens::new(&grid);
        let initial = grid.data().iter().copied().cycle().take(codes * grid.dim()).collect();
        let initial = Codebook::new(codes, grid.dim(), initial).unwrap();
        for empty in [EmptyCode::Keep, EmptyCode::Reseed] {
            let fit = lloyd(&tokens, &initial, most, empty).unwrap();
            prop_assert_eq!(&fit.labels, &assign(&tokens, &fit.centroids).unwrap());
            prop_assert!(fit.iterations.len() <= most);
            if fit.converged && most > 0 {
                prop_assert_eq!(&fit.codebook, &fit.centroids);
            }
        }
    }

    #[test]
    fn distortion_never_increases(grid in any_grid(), codes in 1usize..12, seed in 0u64..5) {
        let stats = quantize(&grid, &config(&grid, Budget::Fixed(codes), seed)).unwrap().stats;
        let tolerance = 1e-6 * grid.shape().len() as f64;
        for pair in stats.iterations.windows(2) {
            prop_assert!(pair[1].distortion <= pair[0].distortion + tolerance, "{:?}", stats.iterations);
        }
        prop_assert!(stats.distortion <= stats.iterations[0].distortion + tolerance);
        prop_assert_eq!(stats.iterations.last().unwrap().moved, 0);
    }

    #[test]
    fn restarts_never_do_worse(grid in any_grid(), budget in any_budget(), seed in 0u64..5) {
        let of = |restarts: usize| quantize(&grid, &config(&grid, budget, seed).with_restarts(restarts)).unwrap();
        prop_assert_eq!(of(0), of(1));
        let (one, three) = (of(1), of(3));
        if let Budget::Fixed(_) = budget {
            prop_assert!(three.stats.distortion <= one.stats.distortion);
        } else {
            for (three, one) in three.stats.curve.iter().zip(&one.stats.curve) {
                prop_assert!(three.codes == one.codes && three.distortion <= one.distortion);
            }
        }
    }

    #[test]
    fn curves_never_rise(grid in any_grid(), budget in any_budget(), restarts in 1usize..3) {
        let quantization = quantize(&grid, &config(&grid, budget, 0).with_restarts(restarts)).unwrap();
        let stats = quantization.stats;
        for pair in stats.curve.windows(2) {
            prop_assert!(pair[1].codes == pair[0].codes + 1);
            prop_assert!(pair[1].distortion <= pair[0].distortion && pair[1].inertia <= pair[0].inertia);
        }
        // The fit costs no more than the cut it started from.
        if let Some(point) = stats.curve.iter().find(|point| point.codes == stats.codes) {
            prop_assert!(stats.distortion <= point.distortion + 1e-6 * grid.shape().len() as f64);
        }
        prop_assert!(stats.inertia <= stats.variance + 1e-6 * grid.shape().len() as f64);
    }

    #[test]
    fn silhouettes_of_the_curve_are_exact(grid in any_grid(), min in 1usize..4, more in 1usize..5) {
        // With as many micro-clusters as directions and no iterations, the fit is the cut of the tree.
        let budget = Budget::Adaptive { min, max: min + more, rule: Rule::Silhouette };
        let uncut = config(&grid, budget, 0).with_max_iterations(0);
        let cut = quantize(&grid, &uncut).unwrap();
        let exact = silhouette(grid.data(), grid.dim(), cut.index_map.labels(), cut.index_map.codes());
        let point = cut.stats.curve.iter().find(|point| point.codes == cut.stats.codes);
        let zeros = grid.data().chunks_exact(grid.dim()).any(|token| token.iter().all(|&value| value == 0.0));
        if let (Some(point), false) = (point, zeros) && (point.distortion - cut.stats.distortion).abs() < 1e-9 {
            prop_assert!((point.silhouette.unwrap() - exact).abs() < 1e-3, "{point:?} {exact}");
        }
    }

    #[test]
    fn the_published_procedure_gives_the_nearest_codes(grid in any_grid(), budget in any_budget(), seed in 0u64..5) {
        let published = config(&grid, budget, seed).with_procedure(Procedure::Published);
        let quantization = quantize(&grid, &published).unwrap();
        assert_means(&grid, &quantization);
        prop_assert!(quantization.codebook.data().iter().all(|value| value.is_finite()));
        prop_assert!(quantization.codebook.codes() <= published.budget.max_codes());
        prop_assert!(quantization.stats.curve.iter().all(|point| point.iterations > 0));
    }

    #[test]
    fn codes_are_numbered_by_first_appearance(grid in any_grid(), budget in any_budget(), seed in 0u64..5) {
        let mut next = 0;
        for &label in quantize(&grid, &config(&grid, budget, seed)).unwrap().index_map.labels() {
            prop_assert!(label <= next);
            next = next.max(label + 1);
        }
    }

    #[test]
    fn renumbering_changes_nothing_but_numbers(grid in any_grid(), codes in 1usize..8, bins in 1usize..5) {
        let by_appearance = quantize(&grid, &config(&grid, Budget::Fixed(codes), 1)).unwrap();
        let raw = config(&grid, Budget::Fixed(codes), 1).with_order(CodeOrder::Raw);
        let raw = quantize(&grid, &raw).unwrap();
        prop_assert_eq!(raw.codebook.codes(), by_appearance.codebook.codes());
        prop_assert_eq!(raw.stats.distortion, by_appearance.stats.distortion);
        if grid.data().chunks_exact(grid.dim()).any(|token| token.iter().all(|&value| value == 0.0)) {
            return Ok(()); // Zero tokens follow the number 0, not a code.
        }
        let new_id: std::collections::BTreeMap<u32, u32> =
            raw.index_map.labels().iter().copied().zip(by_appearance.index_map.labels().iter().copied()).collect();
        let (raw_hash, hash) = (TokenHash::new(&raw.index_map), TokenHash::new(&by_appearance.index_map));
        for (&from, &to) in &new_id {
            prop_assert_eq!(raw.codebook.code(from as usize), by_appearance.codebook.code(to as usize));
            prop_assert_eq!(raw_hash.positions(from), hash.positions(to));
            prop_assert_eq!(raw_hash.path(from, bins), hash.path(to, bins));
        }
        let score = |quantization: &Quantization| {
            let map = &quantization.index_map;
            silhouette(grid.data(), grid.dim(), map.labels(), map.codes())
        };
        prop_assert!((score(&raw) - score(&by_appearance)).abs() < 1e-12);
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits(grid in any_grid(), budget in any_budget(), seed: u64) {
        let with_threads = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let quantization = pool.install(|| quantize(&grid, &config(&grid, budget, seed)).unwrap());
            let paths = pool.install(|| TokenHash::new(&quantization.index_map).paths(3));
            (quantization, paths)
        };
        let one = with_threads(1);
        prop_assert_eq!(&one, &with_threads(2));
        prop_assert_eq!(&one, &with_threads(7));
    }

    #[test]
    fn scaling_tokens_changes_no_label(grid in any_grid(), codes in 1usize..8) {
        let of = |grid: &TokenGrid| quantize(grid, &config(grid, Budget::Fixed(codes), 0)).unwrap();
        let scaled = grid.data().iter().map(|value| value * 4.0).collect();
        let scaled = TokenGrid::new(grid.shape(), grid.dim(), scaled).unwrap();
        prop_assert_eq!(of(&scaled), of(&grid));
    }

    #[test]
    fn the_hash_is_its_own_inverse(grid in any_grid(), codes in 1usize..8) {
        let map = quantize(&grid, &config(&grid, Budget::Fixed(codes), 0)).unwrap().index_map;
        let hash = TokenHash::new(&map);
        let mut seen = vec![false; map.labels().len()];
        for code in 0..map.codes() as u32 {
            for (&index, cell) in hash.positions(code).iter().zip(hash.cells(code)) {
                prop_assert_eq!(hash.code_at(cell.frame, cell.row, cell.column), Some(code));
                prop_assert_eq!(map.shape().index(cell), Some(index as usize));
                prop_assert!(!std::mem::replace(&mut seen[index as usize], true));
            }
            prop_assert!(hash.positions(code).is_sorted());
        }
        prop_assert!(seen.into_iter().all(|seen| seen));
    }

    #[test]
    fn paths_preserve_mass(labels in proptest::collection::vec(0u32..4, 1..40), bins in 1usize..9) {
        let shape = vqtoken_core::GridShape { frames: labels.len(), height: 1, width: 1 };
        let hash = TokenHash::new(&IndexMap::new(shape, 4, labels.clone()).unwrap());
        let paths = hash.paths(bins);
        prop_assert_eq!(paths.len(), 4 * bins * 5);
        for bin in 0..bins {
            let presence: f32 = (0..4).map(|code| paths[(code * bins + bin) * 5]).sum();
            prop_assert!((presence - 1.0).abs() < 1e-5);
        }
        for code in 0..4u32 {
            let held = labels.iter().filter(|&&label| label == code).count() as f32 / labels.len() as f32;
            let mean = hash.path(code, bins).iter().map(|point| point.presence).sum::<f32>() / bins as f32;
            prop_assert!((mean - held).abs() < 1e-5);
        }
    }
}

fn cosine_length(code: &[f32]) -> f64 {
    code.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt()
}

#[test]
fn threads_do_not_show_on_a_large_grid() {
    let mut state = 1u32;
    let data = (0..8 * 12 * 12 * 40).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as f32 / u32::MAX as f32 - 0.5
    });
    let grid = common::grid(8, 12, 12, 40, data.collect());
    let budget = Budget::Adaptive { min: 5, max: 9, rule: Rule::Silhouette };
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| quantize(&grid, &config(&grid, budget, 3)).unwrap())
    };
    let one = with_threads(1);
    assert_eq!(one, with_threads(2));
    assert_eq!(one, with_threads(7));
    assert_eq!(one.stats.curve.len(), 5);
}
