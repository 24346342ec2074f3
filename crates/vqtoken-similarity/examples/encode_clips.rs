//! Makes video tokens of clips of moving shapes, and of eight transformations of the first of them, for `measure.rs`:
//!
//!     cargo run --release -p vqtoken-similarity --example encode_clips -- FOLDER CLIPS OTHERS [CODES [MODEL]]
//!
//! FOLDER gets `N_original.vqt` for N below CLIPS + OTHERS, and `N_TRANSFORMATION.vqt` for N below CLIPS. What is there already is
//! kept, so a run that was broken off goes on.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

mod common;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{CUT, FASTER, SECONDS, TRANSFORMATIONS, line};
use rayon::prelude::*;
use vqtoken_core::{Budget, VideoTokens, quantize};
use vqtoken_model::VisionSide;
use vqtoken_random::SplitMix64;
use vqtoken_shapes::{Scene, Settings};
use vqtoken_video::{Frame, Mp4Options, Mp4Writer, Sampling, Video, resize_bicubic};

/// The frames a second that are encoded.
const SAMPLED: f64 = 4.0;
/// The frames a second that a scene is drawn at, so that a cut falls between two sampled frames.
const DRAWN: f64 = 20.0;
const SIDE: usize = 378;
/// Seconds of another scene after a clip.
const AFTERWARDS: f64 = 4.0;
/// Scenes from here on stand before and after others.
const SURROUNDINGS: usize = 1_000_000;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, clips, others, rest @ ..] = &arguments[..] else {
        return Err("encode_clips FOLDER CLIPS OTHERS [CODES [MODEL]]".into());
    };
    let (folder, clips, others) = (Path::new(folder), clips.parse::<usize>()?, others.parse::<usize>()?);
    let codes: usize = rest.first().map_or(Ok(32), |codes| codes.parse())?;
    let model = rest.get(1).map_or("models/mini", String::as_str);
    let encoder = ClipEncoder { vision: VisionSide::load(model)?, budget: Budget::Fixed(codes) };
    fs::create_dir_all(folder)?;
    let done = AtomicUsize::new(0);
    let encode = |index: usize| -> Result<(), Failure> {
        encoder.encode(folder, index, "original")?;
        for transformation in TRANSFORMATIONS.into_iter().filter(|_| index < clips) {
            encoder.encode(folder, index, transformation)?;
        }
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(20) {
            println!("{done} of {}", clips + others);
        }
        Ok(())
    };
    (0..clips + others).into_par_iter().try_for_each(encode).map_err(|error| error.to_string())?;
    Ok(())
}

struct ClipEncoder {
    vision: VisionSide,
    budget: Budget,
}

impl ClipEncoder {
    fn encode(&self, folder: &Path, index: usize, transformation: &str) -> Result<(), Failure> {
        let path = folder.join(format!("{index}_{transformation}.vqt"));
        if path.exists() {
            return Ok(());
        }
        let frames = frames(index, transformation, folder)?;
        let mut embedded = Vec::new();
        for frames in frames.chunks(2) {
            embedded.extend(self.vision.embed_pixels(&self.vision.pixel_spec().pixels(frames))?);
        }
        let grid = self.vision.token_grid(frames.len(), embedded)?;
        let quantization = quantize(&grid, &self.vision.quantizer(self.budget))?;
        let tokens = VideoTokens {
            codebook: quantization.codebook,
            index_map: quantization.index_map,
            timestamps: (0..frames.len()).map(|frame| frame as f64 / SAMPLED).collect(),
            model: self.vision.id().to_owned(),
            source: None,
            budget: self.budget,
            windows: None,
            quality: vqtoken_core::Quality::Bf16,
        };
        Ok(tokens.save(path)?)
    }
}

/// A scene with a picture for every instant.
struct Film {
    scene: Scene,
}

impl Film {
    fn new(index: usize) -> Self {
        let settings = Settings {
            seconds: SECONDS as f32,
            fps: DRAWN as f32,
            size: SIDE,
            seed: 77,
            ..Settings::default()
        };
        Self { scene: Scene::of_clip(index, &settings) }
    }

    /// Frames from `from` seconds on, `fps` a second at `speed`, until `to`.
    fn frames(&self, from: f64, to: f64, fps: f64, speed: f64) -> Result<Vec<Frame>, Failure> {
        let renderer = self.scene.renderer();
        let count = ((to - from) / speed * fps).round() as usize;
        let times = (0..count).map(|frame| from + frame as f64 * speed / fps);
        Ok(times.map(|time| renderer.frame((time * DRAWN).floor() as usize)).collect::<Result<_, _>>()?)
    }
}

fn frames(index: usize, transformation: &str, folder: &Path) -> Result<Vec<Frame>, Failure> {
    let film = Film::new(index);
    let mut random = SplitMix64::new(index as u64);
    let whole = || film.frames(0.0, SECONDS, SAMPLED, 1.0);
    let each = |change: &mut dyn FnMut(&Frame) -> Frame| -> Result<Vec<Frame>, Failure> {
        Ok(whole()?.iter().map(change).collect())
    };
    match transformation {
        "original" => whole(),
        "cut" => {
            let [_, from] = line(index, transformation);
            film.frames(from, from + CUT * SECONDS, SAMPLED, 1.0)
        }
        "inside" => {
            let (before, after) =
                (Film::new(SURROUNDINGS + 2 * index), Film::new(SURROUNDINGS + 2 * index + 1));
            let parts = [(&before, -line(index, transformation)[1]), (&film, SECONDS), (&after, AFTERWARDS)];
            let renderers = parts.map(|(part, _)| part.scene.renderer());
            let drawn = parts.iter().zip(&renderers).flat_map(|((_, seconds), renderer)| {
                (0..(seconds * DRAWN).round() as usize).map(move |frame| (renderer, frame))
            });
            let sampled = drawn.step_by((DRAWN / SAMPLED) as usize);
            Ok(sampled.map(|(renderer, frame)| renderer.frame(frame)).collect::<Result<_, _>>()?)
        }
        "recoded" => recoded(&film, &folder.join(format!("{index}_recoded.mp4"))),
        "cropped" => {
            let side = (0.88 * SIDE as f64).round() as usize;
            let [left, top] = [(); 2].map(|()| (random.unit() * (SIDE - side) as f64) as usize);
            each(&mut |frame| resize_bicubic(&window(frame, left, top, side, side), SIDE, SIDE))
        }
        "mirrored" => each(&mut |frame| map_pixels(frame, |row, column| [row, SIDE - 1 - column])),
        "faster" => film.frames(0.0, SECONDS, SAMPLED, FASTER),
        "brightness" => {
            let contrast = 0.7 + 0.6 * random.unit();
            let shift = -30.0 + 60.0 * random.unit();
            each(&mut |frame| map_values(frame, |value| (value - 128.0) * contrast + 128.0 + shift))
        }
        "bars_or_noise" if index.is_multiple_of(2) => each(&mut |frame| {
            let height = (0.8 * SIDE as f64) as usize;
            let (top, small) = ((SIDE - height) / 2, resize_bicubic(frame, SIDE, height));
            let mut rgb = vec![0; SIDE * SIDE * 3];
            rgb[top * SIDE * 3..][..height * SIDE * 3].copy_from_slice(small.rgb());
            new_frame(SIDE, SIDE, rgb)
        }),
        "bars_or_noise" => each(&mut |frame| {
            map_values(frame, |value| {
                // About a normal distribution with a standard deviation of 12 levels.
                value + 12.0 * ((0..12).map(|_| random.unit()).sum::<f64>() - 6.0)
            })
        }),
        other => Err(format!("{other} is no transformation").into()),
    }
}

/// Scaled to 60 % and written as H.264 with a quantizer of 40 to `path`, read again.
fn recoded(film: &Film, path: &Path) -> Result<Vec<Frame>, Failure> {
    const SMALL: usize = 226;
    let options = Mp4Options { quantizer: 40, ..Mp4Options::default() };
    let mut writer = Mp4Writer::create(path, SMALL, SMALL, 2.0 * SAMPLED, options)?;
    for frame in film.frames(0.0, SECONDS, 2.0 * SAMPLED, 1.0)? {
        writer.push(&resize_bicubic(&frame, SMALL, SMALL))?;
    }
    writer.finish()?;
    let clip = Video::open(path)?.sample(Sampling::Fps(SAMPLED))?;
    fs::remove_file(path)?;
    Ok(clip.frames)
}

fn window(frame: &Frame, left: usize, top: usize, width: usize, height: usize) -> Frame {
    let rows =
        (top..top + height).flat_map(|row| &frame.rgb()[(row * frame.width() + left) * 3..][..width * 3]);
    new_frame(width, height, rows.copied().collect())
}

fn map_pixels(frame: &Frame, from: impl Fn(usize, usize) -> [usize; 2]) -> Frame {
    let mut rgb = Vec::with_capacity(frame.rgb().len());
    for row in 0..frame.height() {
        for column in 0..frame.width() {
            let [row, column] = from(row, column);
            rgb.extend_from_slice(&frame.rgb()[(row * frame.width() + column) * 3..][..3]);
        }
    }
    new_frame(frame.width(), frame.height(), rgb)
}

fn map_values(frame: &Frame, mut change: impl FnMut(f64) -> f64) -> Frame {
    let rgb = frame.rgb().iter().map(|&value| change(f64::from(value)).round().clamp(0.0, 255.0) as u8);
    new_frame(frame.width(), frame.height(), rgb.collect())
}

#[allow(clippy::expect_used, reason = "callers make the bytes for the size")]
fn new_frame(width: usize, height: usize, rgb: Vec<u8>) -> Frame {
    Frame::new(width, height, rgb).expect("as many bytes as the size needs")
}
