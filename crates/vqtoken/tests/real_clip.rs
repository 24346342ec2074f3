//! The quantizer, its streams and the coded index map on the patches of a real clip, where clips lie beside the checkout.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../../golden/locate.rs"]
mod locate;

use vqtoken::{Budget, GridShape, IndexMap, QuantizerConfig, Rule, Sampling, TokenGrid, Video, quantize};
use vqtoken_video::PixelSpec;

/// Pixels of a patch's side; 27 x 27 patches a frame.
const PATCH: usize = 14;
const SIDE: usize = 27;

/// The raw patches of 32 frames, `[32, 27, 27, 588]`.
fn patches() -> Option<TokenGrid> {
    let clip = Video::open(locate::clips()?.join("foreman_h264.mp4")).unwrap();
    let clip = clip.sample(Sampling::Uniform(32)).unwrap();
    let spec = PixelSpec { size: PATCH * SIDE, ..PixelSpec::default() };
    let pixels = spec.pixels(&clip.frames);
    let size = pixels.size;
    let mut data = Vec::with_capacity(pixels.data.len());
    for frame in pixels.data.chunks_exact(3 * size * size) {
        for (row, column) in (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column))) {
            for (channel, y) in (0..3).flat_map(|channel| (0..PATCH).map(move |y| (channel, y))) {
                let start = (channel * size + row * PATCH + y) * size + column * PATCH;
                data.extend_from_slice(&frame[start..start + PATCH]);
            }
        }
    }
    let shape = GridShape { frames: 32, height: SIDE, width: SIDE };
    Some(TokenGrid::new(shape, 3 * PATCH * PATCH, data).unwrap())
}

#[test]
fn the_index_map_is_smaller_than_zstd_makes_it() {
    let Some(grid) = patches() else { return };
    let map = quantize(&grid, &QuantizerConfig::default()).unwrap().index_map;
    let raw: Vec<u8> = map.labels().iter().map(|&label| label as u8).collect();
    let (coded, zstd) = (map.encode(), zstd::encode_all(&raw[..], 19).unwrap().len());
    println!("{} labels: zstd -19 {zstd} bytes, coded {} bytes", raw.len(), coded.len());
    assert!(coded.len() < zstd);
    assert!(IndexMap::decode(map.shape(), map.codes(), &coded).unwrap() == map);
}

#[test]
fn the_chosen_k_is_fitted_within_1_percent_of_the_best_of_ten() {
    let Some(grid) = patches() else { return };
    let of = |budget, seed| quantize(&grid, &QuantizerConfig::new(budget).with_seed(seed)).unwrap().stats;
    let adaptive = of(Budget::Adaptive { min: 12, max: 32, rule: Rule::Elbow }, 0);
    let fixed = Budget::Fixed(adaptive.codes);
    let best = (0..10).map(|seed| of(fixed, seed).inertia).fold(f64::INFINITY, f64::min);
    println!("K = {}: {:.1}, the best of ten {best:.1}", adaptive.codes, adaptive.inertia);
    assert!(adaptive.inertia <= 1.01 * best);
    assert!(adaptive.curve.windows(2).all(|pair| pair[1].distortion <= pair[0].distortion));
}
