//! Video tokens of a made-up video of any length, for measuring what quantizing and asking it costs.
//!
//!     cargo run --release -p vqtoken-core --example long_video -- MODEL_ID FRAMES CHANNELS OUT.vqt WINDOW_SECONDS [TOTAL]
//!
//! The video has a frame a second of 27 x 27 tokens: scenes of ten minutes, each with regions that stay and things that move, and noise
//! in every token. WINDOW_SECONDS is 0 for no windows; the budget is 32 codes a window, or for the whole. The tokens name the model MODEL_ID, so
//! that it takes them. One JSON line tells the seconds and the peak memory of quantizing and of writing the file.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::error::Error;
use std::time::Instant;

use vqtoken_core::{Budget, GridShape, QuantizerConfig, TokenGrid, VideoTokens, WindowedQuantizer, Windows};

const SIDE: usize = 27;
const FRAMES_AT_ONCE: usize = 2;
const SCENE_SECONDS: usize = 600;
/// Directions that tokens can have, and those of them in one scene.
const KINDS: usize = 300;
const KINDS_OF_A_SCENE: usize = 30;
const NOISE: f32 = 0.3;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, frames, channels, file, seconds, total @ ..] = arguments.as_slice() else {
        return Err("give MODEL_ID FRAMES CHANNELS OUT.vqt WINDOW_SECONDS [TOTAL]".into());
    };
    let (frames, channels, seconds) = (frames.parse()?, channels.parse()?, seconds.parse::<f64>()?);
    let total = total.first().map(|total| total.parse::<Budget>()).transpose()?;
    let windows = (seconds > 0.0).then_some(Windows { seconds, total });
    let config = QuantizerConfig::default();

    let mut video = MadeUp::new(channels);
    let mut quantizer = WindowedQuantizer::new(config, windows)?;
    let start = Instant::now();
    for first in (0..frames).step_by(FRAMES_AT_ONCE) {
        let times: Vec<f64> = (first..frames.min(first + FRAMES_AT_ONCE)).map(|frame| frame as f64).collect();
        quantizer.push(&video.frames(first, times.len())?, &times)?;
    }
    let pushed = (start.elapsed().as_secs_f64(), peak_megabytes()?);
    let quantization = quantizer.finish()?;
    let finished = (start.elapsed().as_secs_f64() - pushed.0, peak_megabytes()?);
    let stats = quantization.stats;
    let tokens = VideoTokens {
        codebook: quantization.codebook,
        index_map: quantization.index_map,
        timestamps: (0..frames).map(|frame| frame as f64).collect(),
        model: model.clone(),
        source: None,
        budget: config.budget,
        windows,
        quality: Default::default(),
    };
    tokens.save(file)?;
    println!(
        r#"{{"frames": {frames}, "channels": {channels}, "codes": {}, "distortion": {:.1}, "seconds": {:.1}, "finish_seconds": {:.2}, "peak_mb": [{}, {}, {}]}}"#,
        stats.codes,
        stats.distortion,
        pushed.0,
        finished.0,
        pushed.1,
        finished.1,
        peak_megabytes()?,
    );
    Ok(())
}

/// The most memory that this process has held.
fn peak_megabytes() -> Result<usize, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? / 1000)
}

struct MadeUp {
    channels: usize,
    /// `[KINDS, channels]`.
    kinds: Vec<f32>,
    state: u64,
}

impl MadeUp {
    fn new(channels: usize) -> Self {
        let mut video = Self { channels, kinds: Vec::new(), state: 1 };
        video.kinds = (0..KINDS * channels).map(|_| video.draw()).collect();
        video
    }

    /// In [-0.5, 0.5).
    fn draw(&mut self) -> f32 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    }

    fn frames(&mut self, first: usize, count: usize) -> Result<TokenGrid, Box<dyn Error>> {
        let mut data = Vec::with_capacity(count * SIDE * SIDE * self.channels);
        for frame in first..first + count {
            for cell in 0..SIDE * SIDE {
                let kind = kind(frame, cell / SIDE, cell % SIDE);
                for channel in 0..self.channels {
                    let noise = NOISE * self.draw();
                    data.push(self.kinds[kind * self.channels + channel] + noise);
                }
            }
        }
        Ok(TokenGrid::new(GridShape { frames: count, height: SIDE, width: SIDE }, self.channels, data)?)
    }
}

/// What is at a cell: regions of 5 x 5 cells, and before them three things that cross the picture.
fn kind(frame: usize, row: usize, column: usize) -> usize {
    let scene = frame / SCENE_SECONDS;
    let region = row / 5 * 6 + column / 5;
    let thing = (0..3).find(|thing| {
        let along = (frame * (thing + 1) / 2) % SIDE;
        (row / 4 == 2 * thing) && column.abs_diff(along) < 2
    });
    let of_scene = thing.map_or(region % (KINDS_OF_A_SCENE - 3), |thing| KINDS_OF_A_SCENE - 3 + thing);
    (scene * 37 + of_scene * of_scene * 11) % KINDS
}
