//! The quantizer of streams against the one that sees all tokens at once.

#![allow(clippy::unwrap_used)]

mod common;

use std::f32::consts::FRAC_1_SQRT_2;

use common::grid;
use vqtoken_core::{
    Budget, Procedure, Quantization, QuantizeError, QuantizerConfig, QuantizerStream, Rule, TokenGrid,
    UnitTokens, WindowedQuantizer, Windows, quantize,
};

/// Longer than what a stream keeps.
const FRAMES: usize = 60;
const SIDE: usize = 30;

fn config(budget: Budget) -> QuantizerConfig {
    QuantizerConfig::new(budget)
}

fn uniform(state: &mut u64) -> f32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
}

/// 54,000 tokens of 24 channels around 37 directions that come and go; `spread` is their noise.
fn tokens(spread: f32) -> Vec<f32> {
    let mut state = 3;
    let centers: Vec<f32> = (0..37 * 24).map(|_| uniform(&mut state)).collect();
    let mut data = Vec::with_capacity(FRAMES * SIDE * SIDE * 24);
    for token in 0..FRAMES * SIDE * SIDE {
        // Every frame has some of the directions, later ones others.
        let frame = token / (SIDE * SIDE);
        let center = (frame / 2 + (8.0 * (uniform(&mut state) + 0.5)) as usize).min(36);
        data.extend(centers[center * 24..][..24].iter().map(|value| value + spread * uniform(&mut state)));
    }
    data
}

fn whole(data: &[f32]) -> TokenGrid {
    grid(FRAMES, SIDE, SIDE, 24, data.to_vec())
}

fn streamed(data: &[f32], frames_at_once: usize, config: QuantizerConfig) -> Quantization {
    let mut stream = QuantizerStream::new(config).unwrap();
    for chunk in data.chunks(frames_at_once * SIDE * SIDE * 24) {
        stream.push(&grid(chunk.len() / (SIDE * SIDE * 24), SIDE, SIDE, 24, chunk.to_vec())).unwrap();
    }
    assert_eq!(stream.frames(), FRAMES);
    stream.finish().unwrap()
}

/// The inertia of the partition that an index map says, and how far the codes are from its means.
fn exact(grid: &TokenGrid, quantization: &Quantization) -> (f64, f64) {
    let (tokens, labels) = (UnitTokens::new(grid), quantization.index_map.labels());
    let mut inertia = 0.0;
    let mut farthest = 0.0f64;
    for code in 0..quantization.codebook.codes() {
        let members: Vec<usize> = (0..labels.len()).filter(|&token| labels[token] as usize == code).collect();
        let mut distance = 0.0;
        for channel in 0..grid.dim() {
            let values = members.iter().map(|&token| f64::from(tokens.token(token)[channel]));
            let mean = values.clone().sum::<f64>() / members.len() as f64;
            inertia += values.map(|value| (value - mean).powi(2)).sum::<f64>();
            distance += (f64::from(quantization.codebook.code(code)[channel]) - mean).powi(2);
        }
        farthest = farthest.max(distance.sqrt());
    }
    (inertia, farthest)
}

#[test]
fn tokens_that_separate_are_quantized_as_if_all_were_there() {
    let data = tokens(0.02);
    let of_whole = quantize(&whole(&data), &config(Budget::Fixed(37))).unwrap();
    let of_stream = streamed(&data, 7, config(Budget::Fixed(37)));
    let differ = of_stream.index_map.labels().iter().zip(of_whole.index_map.labels()).filter(|(a, b)| a != b);
    assert_eq!(differ.count(), 0, "{} {}", of_stream.stats.inertia, of_whole.stats.inertia);
    let codes = of_stream.codebook.data().iter().zip(of_whole.codebook.data());
    assert!(codes.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 1e-6);
    assert!((of_stream.stats.inertia - of_whole.stats.inertia).abs() < 1e-6 * 54_000.0);
    assert!((of_stream.stats.distortion - of_whole.stats.distortion).abs() < 1e-6 * 54_000.0);
    for rule in [Rule::Elbow, Rule::Silhouette, Rule::Distortion(0.99), Rule::Bits(0.05)] {
        let budget = Budget::Adaptive { min: 30, max: 60, rule };
        let all = quantize(&whole(&data), &config(budget)).unwrap();
        assert_eq!(streamed(&data, 4, config(budget)).codebook.codes(), all.codebook.codes(), "{rule}");
    }
}

#[test]
fn tokens_that_do_not_separate_cost_at_most_2_percent_more() {
    let data = tokens(1.5);
    let all = whole(&data);
    for budget in [Budget::Fixed(16), Budget::Fixed(48)] {
        let of_whole = quantize(&all, &config(budget)).unwrap();
        let of_stream = streamed(&data, 4, config(budget));
        let (inertia, farthest) = exact(&all, &of_stream);
        assert!(inertia <= 1.02 * of_whole.stats.inertia, "{inertia} {}", of_whole.stats.inertia);
        // What it says of itself is true, though it has not seen the tokens again.
        assert!(
            (inertia / of_stream.stats.inertia - 1.0).abs() < 0.005,
            "{inertia} {}",
            of_stream.stats.inertia
        );
        assert!(farthest < 0.06, "{farthest}");
    }
}

#[test]
fn chunks_and_threads_do_not_show() {
    let data = tokens(0.8);
    let budget = Budget::Adaptive { min: 5, max: 20, rule: Rule::Silhouette };
    let one = streamed(&data, 1, config(budget));
    assert_eq!(one.stats.curve.len(), 16);
    assert!(one.stats.curve.windows(2).all(|pair| pair[1].distortion <= pair[0].distortion));
    assert!(one == streamed(&data, 13, config(budget)));
    assert!(one == streamed(&data, FRAMES, config(budget)));
    for threads in [1, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(one == pool.install(|| streamed(&data, 4, config(budget))));
    }
}

#[test]
fn short_streams_are_quantized_whole() {
    let data: Vec<f32> = (0..3 * 4 * 4 * 5).map(|value| ((value * 37) % 23) as f32 - 11.0).collect();
    for budget in [Budget::Fixed(6), Budget::Adaptive { min: 2, max: 9, rule: Rule::Elbow }] {
        let mut stream = QuantizerStream::new(config(budget)).unwrap();
        for frame in data.chunks(4 * 4 * 5) {
            stream.push(&grid(1, 4, 4, 5, frame.to_vec())).unwrap();
        }
        assert_eq!(
            stream.finish().unwrap(),
            quantize(&grid(3, 4, 4, 5, data.clone()), &config(budget)).unwrap()
        );
    }
}

#[test]
fn zero_and_equal_tokens_stream_too() {
    let frame = |value: f32| grid(1, 200, 200, 2, vec![value; 80_000]);
    let mut stream = QuantizerStream::new(config(Budget::Fixed(3))).unwrap();
    stream.push(&frame(0.0)).unwrap();
    stream.push(&frame(0.0)).unwrap();
    let zeros = stream.finish().unwrap();
    assert_eq!((zeros.codebook.codes(), zeros.codebook.data()), (1, &[0.0, 0.0][..]));
    let mut stream = QuantizerStream::new(config(Budget::Fixed(3))).unwrap();
    for value in [0.0, 2.0, -1.0, 3.0] {
        stream.push(&frame(value)).unwrap();
    }
    let three = stream.finish().unwrap();
    assert_eq!(three.codebook.codes(), 2);
    let labels: Vec<u32> = (0..4).map(|frame| three.index_map.frame(frame)[777]).collect();
    assert_eq!(labels, [0, 0, 1, 0]);
    // 40,000 zeros pull the 80,000 tokens of code 0 a third of the way to zero.
    assert!((three.codebook.code(0)[0] - FRAC_1_SQRT_2 * 2.0 / 3.0).abs() < 1e-6);
    assert!((three.codebook.code(1)[0] + FRAC_1_SQRT_2).abs() < 1e-6);
}

#[test]
fn what_cannot_be_streamed_is_refused() {
    let new = |budget| QuantizerStream::new(config(budget));
    assert_eq!(new(Budget::Fixed(2)).unwrap().finish(), Err(QuantizeError::EmptyStream));
    assert!(matches!(new(Budget::Fixed(0)), Err(QuantizeError::Budget(_))));
    let published = QuantizerConfig::default().with_procedure(Procedure::Published);
    assert!(matches!(QuantizerStream::new(published), Err(QuantizeError::PublishedStream)));

    let mut stream = new(Budget::Fixed(9)).unwrap();
    stream.push(&grid(2, 1, 2, 3, vec![1.0; 12])).unwrap();
    let channels = stream.push(&grid(1, 1, 2, 4, vec![1.0; 8])).unwrap_err();
    assert_eq!(channels, QuantizeError::ChunkDimension { frames: 2, expected: 3, found: 4 });
    let size = stream.push(&grid(1, 2, 1, 3, vec![1.0; 6])).unwrap_err();
    assert_eq!(size, QuantizeError::ChunkSize { frames: 2, expected: (1, 2), found: (2, 1) });
    let value = stream.push(&grid(1, 1, 2, 3, vec![1.0, 1.0, 1.0, f32::NAN, 1.0, 1.0])).unwrap_err();
    assert!(matches!(value, QuantizeError::NotFinite { frame: 2, row: 0, column: 1, channel: 0, .. }));
    for error in [channels, size, value] {
        assert!(!error.to_string().contains('\n'));
    }
    let mut fresh = new(Budget::Fixed(1)).unwrap();
    fresh.push(&grid(1, 1, 1, 2, vec![f32::NAN; 2])).unwrap_err();
    fresh.push(&grid(1, 1, 2, 3, vec![1.0; 6])).unwrap();
    // Nothing of the refused chunks was taken.
    assert_eq!(stream.frames(), 2);
    assert_eq!(stream.finish(), Err(QuantizeError::TooFewTokens { codes: 9, tokens: 4 }));
}

/// Two scenes of 3 s with 4 directions each, a frame a second, 10 x 10 tokens; the second scene has a direction of the first.
fn scenes() -> (Vec<TokenGrid>, Vec<f64>) {
    let frame = |scene: usize| {
        let token = |token: usize| {
            let mut values = [0.01 * (token % 3) as f32; 8];
            values[[[0, 1, 2, 3], [3, 4, 5, 6]][scene][token % 4]] = 1.0;
            values
        };
        grid(1, 10, 10, 8, (0..100).flat_map(token).collect())
    };
    ((0..6).map(|second| frame(second / 3)).collect(), (0..6).map(f64::from).collect())
}

fn windowed(budget: Budget, total: Option<Budget>) -> Result<Quantization, QuantizeError> {
    let (frames, times) = scenes();
    let mut windows = WindowedQuantizer::new(config(budget), Some(Windows { seconds: 3.0, total }))?;
    for (frame, time) in frames.iter().zip(&times) {
        windows.push(frame, &[*time])?;
    }
    windows.finish()
}

#[test]
fn windows_have_codebooks_of_their_own() {
    let two = windowed(Budget::Fixed(4), None).unwrap();
    assert_eq!((two.codebook.codes(), two.stats.codes), (8, 8));
    assert!((0..3).all(|frame| two.index_map.frame(frame).iter().all(|&code| code < 4)));
    assert!((3..6).all(|frame| two.index_map.frame(frame).iter().all(|&code| (4..8).contains(&code))));
    let (frames, _) = scenes();
    let data: Vec<f32> = frames[..3].iter().flat_map(|frame| frame.data()).copied().collect();
    let first = quantize(&grid(3, 10, 10, 8, data), &config(Budget::Fixed(4))).unwrap();
    assert_eq!(two.codebook.data()[..32], *first.codebook.data());
    // A budget that follows the content finds the four directions of each.
    let rule = Rule::Distortion(0.99);
    assert_eq!(windowed(Budget::Adaptive { min: 1, max: 20, rule }, None).unwrap().codebook.codes(), 8);
}

#[test]
fn a_total_budget_quantizes_the_codes_of_all_windows() {
    let seven = windowed(Budget::Fixed(4), Some(Budget::Fixed(7))).unwrap();
    assert_eq!(seven.codebook.codes(), 7);
    // The direction of both scenes became one code, and everything else is as in one window of all.
    let (frames, _) = scenes();
    let data: Vec<f32> = frames.iter().flat_map(|frame| frame.data()).copied().collect();
    let whole = quantize(&grid(6, 10, 10, 8, data), &config(Budget::Fixed(7))).unwrap();
    assert_eq!(seven.index_map, whole.index_map);
    let difference = seven.codebook.data().iter().zip(whole.codebook.data()).map(|(a, b)| (a - b).abs());
    assert!(difference.fold(0.0, f32::max) < 1e-6);
    assert!((seven.stats.inertia - whole.stats.inertia).abs() < 1e-4);
    assert!((seven.stats.variance - whole.stats.variance).abs() < 1e-3);
    let adaptive = Budget::Adaptive { min: 2, max: 8, rule: Rule::Elbow };
    let adaptive = windowed(Budget::Fixed(4), Some(adaptive)).unwrap();
    assert_eq!(adaptive.stats.curve.len(), 7);
}

#[test]
fn without_windows_it_is_a_stream() {
    let (frames, times) = scenes();
    let mut one = WindowedQuantizer::new(config(Budget::Fixed(5)), None).unwrap();
    let mut stream = QuantizerStream::new(config(Budget::Fixed(5))).unwrap();
    for (frame, time) in frames.iter().zip(&times) {
        one.push(frame, &[*time]).unwrap();
        stream.push(frame).unwrap();
    }
    assert!(one.finish().unwrap() == stream.finish().unwrap());
}

#[test]
fn windows_that_make_no_sense_are_refused() {
    for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let windows =
            WindowedQuantizer::new(QuantizerConfig::default(), Some(Windows { seconds, total: None }));
        assert!(matches!(windows, Err(QuantizeError::Window { .. })));
    }
    let error = windowed(Budget::Fixed(4), Some(Budget::Fixed(9))).unwrap_err();
    assert_eq!(error, QuantizeError::TotalTooLarge { total: 9, of_windows: 8 });
    assert!(matches!(windowed(Budget::Fixed(4), Some(Budget::Fixed(0))), Err(QuantizeError::Budget(_))));
    let new = || {
        WindowedQuantizer::new(config(Budget::Fixed(2)), Some(Windows { seconds: 1.0, total: None })).unwrap()
    };
    assert_eq!(new().finish(), Err(QuantizeError::EmptyStream));
    let mut windows = new();
    let frame = |width: usize, value: f32| grid(1, 1, width, 1, vec![value; width]);
    assert_eq!(windows.push(&frame(3, 1.0), &[]), Err(QuantizeError::Timestamps { frames: 1, times: 0 }));
    windows.push(&frame(3, 1.0), &[0.0]).unwrap();
    let error = windows.push(&frame(2, 1.0), &[1.5]).unwrap_err();
    assert_eq!(error, QuantizeError::ChunkSize { frames: 1, expected: (1, 3), found: (1, 2) });
    let error = windows.push(&frame(3, f32::NAN), &[1.5]).unwrap_err();
    assert!(matches!(error, QuantizeError::NotFinite { frame: 1, .. }), "{error}");
    // A window of fewer tokens than codes has as many codes as tokens.
    windows.push(&frame(3, -1.0), &[1.5]).unwrap();
    assert_eq!(windows.finish().unwrap().codebook.codes(), 2);
}
