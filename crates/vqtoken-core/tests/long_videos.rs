//! What many windows take: memory for their labels and codes, and not for every pair of their codes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::grid;
use peak_alloc::PeakAlloc;
use vqtoken_core::{Budget, Quantization, QuantizerConfig, WindowedQuantizer, Windows};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const WINDOWS: usize = 700;
const CODES_OF_A_WINDOW: usize = 16;
const SIDE: usize = 8;
const CHANNELS: usize = 8;

/// A frame of noise for each window.
fn windowed(total: Budget) -> Quantization {
    let config = QuantizerConfig::new(Budget::Fixed(CODES_OF_A_WINDOW));
    let windows = Windows { seconds: 1.0, total: Some(total) };
    let mut quantizer = WindowedQuantizer::new(config, Some(windows)).unwrap();
    let mut state = 1u64;
    for window in 0..WINDOWS {
        let mut next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        let frame = (0..SIDE * SIDE * CHANNELS).map(&mut next).collect();
        quantizer.push(&grid(1, SIDE, SIDE, CHANNELS, frame), &[window as f64]).unwrap();
    }
    quantizer.finish().unwrap()
}

#[test]
fn a_total_budget_never_compares_all_pairs_of_the_windows_codes() {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let first = windowed(Budget::Fixed(32));
    let taken = MEMORY.peak_usage() - before;
    // 2,048 * 2,047 / 2 products of 8 bytes are 17 MB. All pairs of 11,200 codes would be 502 MB.
    assert!(taken < 30_000_000, "{taken} bytes");
    assert_eq!((first.codebook.codes(), first.index_map.labels().len()), (32, WINDOWS * SIDE * SIDE));

    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert!(pool.install(|| windowed(Budget::Fixed(32))) == first);
}
