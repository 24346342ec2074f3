//! Films are found again after everything that editors do to them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{DIM, Film, Part, joined, video};
use vqtoken_similarity::{Alignment, Comparison, SimilarityError, align};

#[track_caller]
fn assert_line(found: Alignment, speed: f64, a: [f64; 2], b: [f64; 2]) {
    // Frames are a quarter of a second apart.
    let close = |found: f64, expected: f64| (found - expected).abs() < 0.3;
    assert!((found.speed / speed).ln().abs() < 0.04, "{found:?}");
    assert!(close(found.a.from, a[0]) && close(found.a.to, a[1]), "{found:?}");
    assert!(close(found.b.from, b[0]) && close(found.b.to, b[1]), "{found:?}");
    assert!(found.score > 0.7, "{found:?}");
}

#[test]
fn a_film_is_aligned_with_itself() {
    let film = Film::new(1).whole();
    let found = align(&film, &film).unwrap();
    assert_line(found, 1.0, [0.0, 7.75], [0.0, 7.75]);
    assert!(found.score > 0.99 && !found.mirrored, "{found:?}");
}

#[test]
fn a_cut_is_found_where_it_begins() {
    for seed in 0..5 {
        let film = Film::new(seed);
        // Between two sampled frames of the whole.
        let cut = film.tokens(Part { from: 1.6, seconds: 4.0, ..Part::default() });
        assert_line(align(&cut, &film.whole()).unwrap(), 1.0, [0.0, 3.75], [1.6, 5.35]);
        assert_line(align(&film.whole(), &cut).unwrap(), 1.0, [1.6, 5.35], [0.0, 3.75]);
    }
}

#[test]
fn a_mirrored_film_is_told_from_one_that_is_not() {
    for seed in 0..5 {
        let film = Film::new(seed);
        let mirrored = film.tokens(Part { mirrored: true, ..Part::default() });
        let found = align(&mirrored, &film.whole()).unwrap();
        assert!(found.mirrored, "{found:?}");
        assert_line(found, 1.0, [0.0, 7.75], [0.0, 7.75]);
    }
}

#[test]
fn other_speeds_are_measured() {
    for speed in [0.5_f64, 0.8, 1.25, 1.5, 2.0] {
        let film = Film::new(11);
        let whole = film.tokens(Part { seconds: 12.0, ..Part::default() });
        let seconds = (12.0 / speed).min(8.0);
        let changed = film.tokens(Part { speed, seconds, ..Part::default() });
        let end = seconds - 0.25;
        assert_line(align(&changed, &whole).unwrap(), speed, [0.0, end], [0.0, speed * end]);
    }
}

#[test]
fn other_frame_rates_are_no_other_speed() {
    let film = Film::new(5);
    let sparse = film.tokens(Part { fps: 2.5, ..Part::default() });
    assert_line(align(&sparse, &film.whole()).unwrap(), 1.0, [0.0, 7.6], [0.0, 7.6]);
}

#[test]
fn a_film_is_found_between_others() {
    let (film, before, after) = (Film::new(21), Film::new(22), Film::new(23));
    let all = joined(&[(&before, 0.0, 5.0), (&film, 0.0, 8.0), (&after, 0.0, 4.0)]);
    assert_line(align(&film.whole(), &all).unwrap(), 1.0, [0.0, 7.75], [5.0, 12.75]);
    assert_line(align(&all, &film.whole()).unwrap(), 1.0, [5.0, 12.75], [0.0, 7.75]);
}

#[test]
fn bars_above_and_below_do_not_matter() {
    let film = Film::new(31);
    let plain = film.whole();
    let shape = plain.index_map.shape();
    // A code for both bars, unlike the others, and two rows of it above and below.
    let bar = plain.codebook.codes() as u32;
    let codes = plain
        .codebook
        .data()
        .iter()
        .copied()
        .chain((0..DIM).map(|channel| if channel == 1 { 9.0 } else { 0.0 }));
    let bars = |count: usize| std::iter::repeat_n(bar, count * shape.width);
    let labels = (0..shape.frames)
        .flat_map(|frame| bars(2).chain(plain.index_map.frame(frame).iter().copied()).chain(bars(2)))
        .collect();
    let size = [shape.frames, shape.height + 4, shape.width];
    let letterboxed = video(codes.collect(), DIM, size, labels, plain.timestamps.clone());
    let found = align(&letterboxed, &plain).unwrap();
    assert_line(found, 1.0, [0.0, 7.75], [0.0, 7.75]);
    assert!(found.score > 0.97, "{found:?}");
}

#[test]
fn other_films_score_less() {
    let same = (0..10).map(|seed| {
        let film = Film::new(seed);
        align(&film.tokens(Part { from: 1.1, seconds: 5.0, ..Part::default() }), &film.whole()).unwrap().score
    });
    let other =
        (0..10).map(|seed| align(&Film::new(seed).whole(), &Film::new(seed + 50).whole()).unwrap().score);
    let (least, most) = (same.fold(1.0, f32::min), other.fold(0.0, f32::max));
    assert!(least > most + 0.2, "{least} of the same, {most} of others");
}

#[test]
fn films_that_differ_in_one_object_are_not_taken_for_copies() {
    for seed in 0..10 {
        let (film, twin) = (Film::new(seed), Film::new(seed).with_another_way(seed + 50));
        let part = Part { from: 1.1, seconds: 5.0, ..Part::default() };
        let copy = align(&film.tokens(part), &film.whole()).unwrap();
        let other = align(&twin.tokens(part), &film.whole()).unwrap();
        // The copy's instants lie between those of the film, so that it is not quite equal.
        assert!(copy.score > other.score + 0.2, "{seed}: {copy:?}, {other:?}");
    }
}

#[test]
fn a_crop_is_found_wherever_it_is() {
    let film = Film::new(41).whole();
    let shape = film.index_map.shape();
    for (top, left) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let rows = |frame| film.index_map.frame(frame).chunks_exact(shape.width).skip(top).take(11);
        let cells = (0..shape.frames).flat_map(rows).flat_map(|row| row[left..left + 11].to_vec());
        let codes = film.codebook.data().to_vec();
        let size = [shape.frames, 11, 11];
        let cropped = video(codes, DIM, size, cells.collect(), film.timestamps.clone());
        let found = align(&cropped, &film).unwrap();
        assert_line(found, 1.0, [0.0, 7.75], [0.0, 7.75]);
        assert!(found.score > 0.95, "{top}, {left}: {found:?}");
    }
}

#[test]
fn a_score_that_is_not_wanted_is_never_too_low() {
    let (film, other) = (Film::new(1).whole(), Film::new(2).whole());
    let comparison = Comparison::default();
    for video in [&film, &other] {
        let exact = comparison.align(video, &film).unwrap();
        for least in [0.0, exact.score, 1.0] {
            let found = comparison.align_at_least(video, &film, least).unwrap();
            assert!(found.score >= exact.score, "{least}: {found:?} {exact:?}");
            assert!(found.score < least || found == exact, "{least}: {found:?} {exact:?}");
        }
    }
}

#[test]
fn a_still_video_is_aligned_at_its_own_speed() {
    let still = |frames: usize| {
        let times = (0..frames).map(|frame| frame as f64).collect();
        video(vec![1.0, 0.0, 0.0, 1.0], 2, [frames, 1, 2], [0, 1].repeat(frames), times)
    };
    let found = align(&still(5), &still(9)).unwrap();
    assert!(found.speed == 1.0 && found.score > 0.99, "{found:?}");
}

#[test]
fn one_instant_has_no_course() {
    let one = |times: Vec<f64>| video(vec![1.0, 0.5], 2, [times.len(), 1, 1], vec![0; times.len()], times);
    let film = one(vec![0.0, 1.0]);
    for times in [vec![3.0], vec![3.0, 3.0]] {
        let frames = times.len();
        let expected = SimilarityError::OneFrame { frames };
        assert_eq!(align(&one(times.clone()), &film).unwrap_err(), expected);
        assert_eq!(align(&film, &one(times)).unwrap_err(), expected);
    }
}
