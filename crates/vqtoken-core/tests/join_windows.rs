//! Windows that were quantized one by one are put together as if the whole had been quantized in windows.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::grid;
use vqtoken_core::{
    Budget, Quantization, QuantizeError, QuantizerConfig, QuantizerStream, TokenGrid, WindowPart,
    WindowedQuantizer, Windows, join_windows,
};

const SIDE: usize = 4;
const CHANNELS: usize = 6;
const FRAMES: usize = 3;
const WINDOWS: usize = 5;

fn config() -> QuantizerConfig {
    QuantizerConfig::new(Budget::Fixed(7))
}

/// Noise, so that no two windows have a code in common.
fn window(number: usize) -> TokenGrid {
    let mut state = number as u64 + 1;
    let mut next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    grid(FRAMES, SIDE, SIDE, CHANNELS, (0..FRAMES * SIDE * SIDE * CHANNELS).map(&mut next).collect())
}

fn quantized(number: usize) -> Quantization {
    let mut stream = QuantizerStream::new(config()).unwrap();
    stream.push(&window(number)).unwrap();
    let early = stream.clone().finish_within().unwrap();
    let late = stream.finish_within().unwrap();
    assert!(early == late, "a copy of a stream is finished without ending the stream");
    late
}

fn part(window: &Quantization) -> WindowPart<'_> {
    WindowPart { codebook: &window.codebook, index_map: &window.index_map, frames: 0..FRAMES }
}

#[test]
fn joined_windows_are_those_of_the_windowed_quantizer() {
    let windows: Vec<Quantization> = (0..WINDOWS).map(quantized).collect();
    let adaptive = Budget::Adaptive { min: 2, max: 12, rule: vqtoken_core::Rule::Elbow };
    for total in [None, Some(Budget::Fixed(9)), Some(adaptive)] {
        let options = Windows { seconds: 1.0, total };
        let mut whole = WindowedQuantizer::new(config(), Some(options)).unwrap();
        for number in 0..WINDOWS {
            let times: Vec<f64> = (0..FRAMES).map(|frame| number as f64 + frame as f64 / 4.0).collect();
            whole.push(&window(number), &times).unwrap();
        }
        let whole = whole.finish().unwrap();
        let joined = join_windows(windows.iter().map(part), total, &config()).unwrap();
        assert_eq!((&joined.codebook, &joined.index_map), (&whole.codebook, &whole.index_map));
        let (a, b) = (joined.stats.inertia, whole.stats.inertia);
        assert!((a - b).abs() < 1e-4 * b, "from codes alone, but for rounding: {a} {b}");
    }
}

#[test]
fn frames_that_are_not_taken_leave_nothing_behind() {
    let windows: Vec<Quantization> = (0..2).map(quantized).collect();
    let last = WindowPart { frames: 2..3, ..part(&windows[0]) };
    let none = WindowPart { frames: 1..1, ..part(&windows[1]) };
    let joined = join_windows([last.clone(), none], None, &config()).unwrap();
    assert_eq!(joined.index_map.shape().frames, 1);
    let used: std::collections::BTreeSet<u32> = windows[0].index_map.frame(2).iter().copied().collect();
    assert_eq!(joined.codebook.codes(), used.len());
    for (&before, &after) in windows[0].index_map.frame(2).iter().zip(joined.index_map.labels()) {
        assert_eq!(windows[0].codebook.code(before as usize), joined.codebook.code(after as usize));
    }
    // A total above the codes that there are is cut to them.
    let joined = join_windows([last], Some(Budget::Fixed(1000)), &config()).unwrap();
    assert_eq!(joined.codebook.codes(), used.len());
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let windows = [quantized(0)];
    let join = |parts: Vec<WindowPart<'_>>| join_windows(parts, None, &config()).unwrap_err();
    assert_eq!(join(vec![]), QuantizeError::EmptyStream);
    let behind = WindowPart { frames: 2..4, ..part(&windows[0]) };
    assert!(matches!(join(vec![behind]), QuantizeError::Timestamps { frames: 3, times: 4 }));
    let mut stream = QuantizerStream::new(config()).unwrap();
    stream.push(&grid(1, 2, 2, CHANNELS, vec![1.0; 4 * CHANNELS])).unwrap();
    let small = stream.finish_within().unwrap();
    let small = WindowPart { frames: 0..1, ..part(&small) };
    assert!(matches!(join(vec![part(&windows[0]), small]), QuantizeError::ChunkSize { frames: 3, .. }));
    let mut stream = QuantizerStream::new(config()).unwrap();
    stream.push(&grid(1, SIDE, SIDE, 2, vec![1.0; SIDE * SIDE * 2])).unwrap();
    let narrow = stream.finish_within().unwrap();
    let narrow = WindowPart { frames: 0..1, ..part(&narrow) };
    assert!(matches!(
        join(vec![part(&windows[0]), narrow]),
        QuantizeError::ChunkDimension { frames: 3, expected: CHANNELS, found: 2 }
    ));
}
