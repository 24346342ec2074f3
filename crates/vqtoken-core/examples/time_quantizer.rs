//! Times the quantizer on a file of tokens; one JSON line a fit.
//!
//!     cargo run --release -p vqtoken-core --example time_quantizer -- TOKENS.safetensors [K [RESTARTS [REPEATS]]]
//!
//! The file holds `tokens`, f32 `[N, D]`. Seconds are those of [`quantize`]: from the token grid, not yet scaled to
//! length 1, to codebook and index map. Inertia is the sum of squared distances from each unit token to its code.
//! `RAYON_NUM_THREADS` sets the number of threads.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::error::Error;
use std::time::Instant;

use safetensors::{Dtype, SafeTensors};
use vqtoken_core::{Budget, GridShape, QuantizerConfig, TokenGrid, quantize};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let file = arguments.first().ok_or("give a safetensors file that holds `tokens`, f32 [N, D]")?;
    let number = |place: usize, default: usize| arguments.get(place).map_or(Ok(default), |text| text.parse());
    let (codes, restarts, repeats) = (number(1, 32)?, number(2, 1)?, number(3, 1)?);
    let grid = read(file)?;
    for seed in 0..repeats as u64 {
        let config = QuantizerConfig { budget: Budget::Fixed(codes), seed, restarts, ..Default::default() };
        let start = Instant::now();
        let stats = quantize(&grid, &config)?.stats;
        let seconds = start.elapsed().as_secs_f64();
        println!(
            r#"{{"case": "fixed", "k": {}, "seed": {seed}, "restarts": {restarts}, "seconds": {seconds:.4}, "inertia": {:.2}, "iterations": {}}}"#,
            stats.codes,
            stats.inertia,
            stats.iterations.len()
        );
    }
    Ok(())
}

/// The tokens as one frame of one row: their places do not matter here.
fn read(file: &str) -> Result<TokenGrid, Box<dyn Error>> {
    let bytes = std::fs::read(file)?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let tokens = tensors.tensor("tokens")?;
    let (Dtype::F32, &[count, dim]) = (tokens.dtype(), tokens.shape()) else {
        return Err(format!("`tokens` in {file} are not f32 [N, D]: write them as such").into());
    };
    let values = tokens.data().as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
    Ok(TokenGrid::new(GridShape { frames: 1, height: 1, width: count }, dim, values)?)
}
