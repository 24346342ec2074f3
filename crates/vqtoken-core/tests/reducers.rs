//! What holds for every reducer on any tokens.

#![allow(clippy::unwrap_used)]

mod common;

use common::{any_grid, grid};
use proptest::prelude::*;
use vqtoken_core::{
    Amount, QuantizeError, REDUCERS, ReduceError, Reducer, Reduction, TokenGrid, Tome, reducer,
};

/// Reducers that take a budget and give exactly so many tokens.
const EXACT: [&str; 8] = ["uniform", "random", "norm", "tome", "video-tome", "dpc-knn", "fastvid", "vidcom2"];
/// Those that return only tokens of the grid.
const PRUNING: [&str; 6] = ["uniform", "random", "norm", "dycoke", "evs", "vidcom2"];
/// Those that return a sequence with positions of its own.
const RESAMPLING: [&str; 3] = ["bilinear", "average", "vqtoken"];

fn reduce(text: &str, grid: &TokenGrid) -> Result<Reduction, ReduceError> {
    reducer(text).unwrap().reduce(grid)
}

/// One text for each reducer and kind of amount.
fn texts(tokens: usize) -> Vec<String> {
    let mut texts: Vec<String> = REDUCERS.iter().map(|info| format!("{}:{tokens}", info.name)).collect();
    for text in [
        "uniform:30%",
        "random:5,seed=3",
        "bilinear",
        "bilinear:s=3",
        "average",
        "average:s=3",
        "dycoke:p=0.7",
        "evs:q=0.6",
        "vidcom2:q=0.75",
        "scissor:tau=0.8",
        "scissor:50%",
        "sttm:th=0.8",
        "sttm:50%",
        "vqtoken:adaptive:elbow:2-5",
    ] {
        texts.push(text.to_owned());
    }
    texts
}

/// A budget, and whether the grid is even that large, are not what is tested here.
fn too_small(result: Result<Reduction, ReduceError>) -> Option<Reduction> {
    match result {
        Ok(reduction) => Some(reduction),
        Err(ReduceError::BudgetTooSmall { .. } | ReduceError::BudgetTooLarge { .. }) => None,
        Err(error) => unreachable!("{error}"),
    }
}

fn assert_consistent(name: &str, grid: &TokenGrid, reduction: &Reduction) {
    let (tokens, assignment) = (&reduction.tokens, &reduction.assignment);
    assert_eq!((tokens.dim(), assignment.len()), (grid.dim(), grid.shape().len()), "{name}");
    assert!((1..=grid.shape().len()).contains(&tokens.len()), "{name}");
    assert!(tokens.data().iter().all(|value| value.is_finite()), "{name}");
    let mut owned = vec![false; tokens.len()];
    assignment.iter().flatten().for_each(|&row| owned[row as usize] = true);
    // The means of LLaVA-Scissor's components stay even where no token joins them.
    assert!(name == "scissor" || owned.iter().all(|&owned| owned), "{name}: a token of nothing");
    let positions = &reduction.positions;
    assert_eq!(positions.len(), tokens.len(), "{name}");
    assert!(positions.windows(2).all(|pair| pair[0] < pair[1]), "{name}: {positions:?}");
    if RESAMPLING.contains(&name) {
        assert_eq!(*positions, (0..tokens.len()).collect::<Vec<_>>(), "{name}");
        assert_eq!(reduction.sequence_length, tokens.len(), "{name}");
    } else {
        assert_eq!(reduction.sequence_length, assignment.len(), "{name}");
        for (row, &position) in positions.iter().enumerate() {
            // LLaVA-Scissor's tokens join the nearest mean, which need not be that of their component.
            assert!(position < assignment.len(), "{name}");
            assert!(name == "scissor" || assignment[position] == Some(row as u32), "{name}: row {row}");
        }
    }
    if PRUNING.contains(&name) {
        let kept: Vec<usize> = (0..assignment.len()).filter(|&token| assignment[token].is_some()).collect();
        assert_eq!(kept, *positions, "{name}");
        for (row, &token) in kept.iter().enumerate() {
            assert_eq!(tokens.token(row), grid.token(token), "{name}");
        }
    }
    if ["tome", "video-tome"].contains(&name) {
        for row in 0..tokens.len() {
            let members: Vec<usize> =
                (0..assignment.len()).filter(|&token| assignment[token] == Some(row as u32)).collect();
            for (channel, &value) in tokens.token(row).iter().enumerate() {
                let sum: f64 = members.iter().map(|&token| f64::from(grid.token(token)[channel])).sum();
                assert!((f64::from(value) - sum / members.len() as f64).abs() < 1e-5, "{name}");
            }
        }
    }
    assert!((0.0..=4.00001).contains(&reduction.distortion(grid)), "{name}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn budgets_are_met_and_assignments_fit(grid in any_grid(), share in 0.0f64..=1.0) {
        let total = grid.shape().len();
        let budget = ((total as f64 * share) as usize).clamp(1, total);
        for text in texts(budget) {
            let name = text.split(':').next().unwrap();
            let Some(reduction) = too_small(reduce(&text, &grid)) else { continue };
            assert_consistent(name, &grid, &reduction);
            if text == format!("{name}:{budget}") {
                prop_assert!(reduction.tokens.len() <= budget, "{}", text);
                let exact = EXACT.contains(&name) || name == "evs" || name == "dycoke";
                prop_assert!(!exact || reduction.tokens.len() == budget, "{}", text);
            }
            prop_assert_eq!(reduction.quantization.is_some(), name == "vqtoken");
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits(grid in any_grid(), budget in 1usize..30) {
        for text in texts(budget) {
            let with_threads = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| reduce(&text, &grid))
            };
            let one = with_threads(1);
            prop_assert_eq!(&one, &with_threads(2));
            prop_assert_eq!(&one, &with_threads(7));
        }
    }

    #[test]
    fn a_budget_of_all_tokens_keeps_them(grid in any_grid()) {
        let total = grid.shape().len();
        for name in EXACT.into_iter().chain(["dycoke", "evs"]) {
            let reduction = reduce(&format!("{name}:{total}"), &grid).unwrap();
            // The weights of FastVID's anchors round.
            if name != "fastvid" {
                prop_assert_eq!(reduction.tokens.data(), grid.data(), "{}", name);
            }
            prop_assert_eq!(reduction.tokens.len(), total);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn tome_to_several_amounts_equals_one_by_one(grid in any_grid(), shares in prop::collection::vec(0.1f64..=100.0, 1..5)) {
        let amounts: Vec<Amount> = shares.into_iter().map(Amount::Percent).collect();
        let mut count = 0;
        Tome::reduce_each(&amounts, &grid, |index, reduction| {
            count += 1;
            assert_eq!(reduction, Tome { amount: amounts[index] }.reduce(&grid).unwrap());
        }).unwrap();
        prop_assert_eq!(count, amounts.len());
    }
}

#[test]
fn threads_do_not_show_on_a_large_grid() {
    let mut state = 1u32;
    let data = (0..9 * 12 * 11 * 20).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as f32 / u32::MAX as f32 - 0.5
    });
    let grid = grid(9, 12, 11, 20, data.collect());
    for text in texts(450) {
        let with_threads = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| reduce(&text, &grid).unwrap())
        };
        let one = with_threads(1);
        assert_consistent(text.split(':').next().unwrap(), &grid, &one);
        assert_eq!(one, with_threads(2), "{text}");
        assert_eq!(one, with_threads(7), "{text}");
    }
}

#[test]
fn degenerate_clips_are_reduced() {
    let one = grid(1, 1, 1, 1, vec![2.0]);
    let zeros = grid(3, 2, 2, 3, vec![0.0; 36]);
    let constant = grid(5, 2, 3, 2, vec![1.5; 60]);
    let tiny = grid(2, 2, 2, 2, vec![f32::from_bits(1); 16]);
    let huge = (0..2 * 4 * 4 * 3).map(|i| if i % 3 == 0 { f32::MAX } else { -f32::MAX / 2.0 });
    let huge = grid(2, 4, 4, 3, huge.collect());
    for grid in [one, zeros, constant, tiny, huge] {
        for budget in [1, 2, 5, grid.shape().len()] {
            for text in texts(budget) {
                if let Some(reduction) = too_small(reduce(&text, &grid)) {
                    assert_consistent(
                        if text.starts_with("tome") || text.starts_with("video-tome") {
                            "merging"
                        } else {
                            text.split(':').next().unwrap()
                        },
                        &grid,
                        &reduction,
                    );
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_reduced_is_named() {
    let few = grid(2, 1, 2, 1, vec![1.0, 2.0, 3.0, 4.0]);
    for info in REDUCERS {
        let error = reduce(&format!("{}:5", info.name), &few).unwrap_err();
        assert_eq!(error, ReduceError::BudgetTooLarge { budget: 5, tokens: 4 }, "{}", info.name);
    }
    for value in [f32::NAN, f32::INFINITY] {
        let broken = grid(2, 1, 2, 1, vec![1.0, 2.0, value, 4.0]);
        for text in texts(2) {
            let error = reduce(&text, &broken).unwrap_err();
            let named =
                matches!(error, ReduceError::Quantize(QuantizeError::NotFinite { frame: 1, column: 0, .. }));
            assert!(named, "{text}: {error}");
        }
    }
    for (text, part) in [
        ("merge:32", "uniform, random"),
        ("tome", "a number of tokens such as 32"),
        ("tome:0", "at least 1"),
        ("tome:many", "\"many\""),
        ("evs:q=2", "q from 0 to 1"),
        ("scissor:q=0.5", "tau="),
        ("sttm:th=x", "th="),
        ("norm:0%", "more than 0%"),
        ("vqtoken:many", "32, or adaptive"),
        ("random:3,seed=-1", "seed=7"),
    ] {
        let error = reducer(text).unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains('\n'), "{text}: {error}");
    }
}

#[test]
fn names_are_read_back() {
    let grid = grid(2, 2, 2, 2, (0..16).map(|i| i as f32).collect());
    let examples = REDUCERS.iter().flat_map(|info| info.usage.split(", ")).map(str::to_owned);
    for text in texts(3).into_iter().chain(examples) {
        let made: Box<dyn Reducer> = reducer(&text).unwrap();
        let again = reducer(&made.name()).unwrap();
        assert_eq!(again.name(), made.name());
        assert_eq!(again.reduce(&grid), made.reduce(&grid), "{text}");
        assert_eq!(text.split(':').next(), made.name().split(':').next());
    }
}
