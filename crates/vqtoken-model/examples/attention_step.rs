//! Seconds of a training step's VQ-attention, forward and backward, in the shapes that the built-in model was trained in.
//!
//!     cargo run --release -p vqtoken-model --example attention_step -- [CLIPS] [FRAMES] [RUNS]
//!
//! Codes of 128 features, 32 of each clip, over grids of 27 x 27. `RAYON_NUM_THREADS` sets the number of threads. The least of the runs is
//! what the machine can do, the median what it did.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::error::Error;
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::{GridShape, IndexMap};
use vqtoken_model::config::VqAttentionConfig;
use vqtoken_nn::in_thread_pool;

const D_MODEL: usize = 128;
const CODES: usize = 32;
const SIDE: usize = 27;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|number| number.parse::<usize>());
    let mut next = |default| arguments.next().unwrap_or(Ok(default));
    let (clips, frames, runs) = (next(8)?, next(8)?, next(20)?);
    let device = Device::flex().autodiff();
    device.seed(0);
    let config = VqAttentionConfig::Hash { heads: 4, frequencies: 4, bins: 16, feed_forward: 256 };
    let attention = config.init(D_MODEL, &device);
    let maps = (0..clips).map(|clip| map(clip, frames)).collect::<Result<Vec<IndexMap>, _>>()?;
    let values = (0..clips * CODES * D_MODEL).map(|i| (i as f32 * 0.37).sin() * 0.1).collect();
    let codebooks = TensorData::new::<f32, _>(values, [clips, CODES, D_MODEL]);
    let codebooks = Tensor::<3>::from_data(codebooks, &device).require_grad();

    let mut seconds = Vec::new();
    for _ in 0..=runs {
        let start = Instant::now();
        in_thread_pool(|| -> Result<(), Box<dyn Error + Send + Sync>> {
            let tokens = attention.forward_batch(codebooks.clone(), &maps)?;
            let gradients = tokens.powi_scalar(2).mean().backward();
            codebooks.grad(&gradients).ok_or("the codes have no gradient")?;
            Ok(())
        })
        .map_err(|error| error.to_string())?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    // The first run warms up.
    let seconds = &mut seconds[1..];
    seconds.sort_by(f64::total_cmp);
    println!(
        r#"{{"clips": {clips}, "frames": {frames}, "least_ms": {:.2}, "median_ms": {:.2}}}"#,
        1e3 * seconds[0],
        1e3 * seconds[seconds.len() / 2]
    );
    Ok(())
}

/// Regions that stay and one that moves.
fn map(clip: usize, frames: usize) -> Result<IndexMap, Box<dyn Error>> {
    let label = |i: usize| {
        let (frame, row, column) = (i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
        let moves = row / 4 == 3 && column.abs_diff(frame * 3 % SIDE) < 3;
        if moves { CODES - 1 } else { (row / 5 * 6 + column / 5 + clip + i * i % 3) % (CODES - 1) }
    };
    let shape = GridShape { frames, height: SIDE, width: SIDE };
    Ok(IndexMap::new(shape, CODES, (0..shape.len()).map(|i| label(i) as u32).collect())?)
}
