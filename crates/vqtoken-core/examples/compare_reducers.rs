//! Runs every reducer on a file of tokens; one JSON line each.
//!
//!     cargo run --release -p vqtoken-core --example compare_reducers -- TOKENS.safetensors T H W [REDUCER...]
//!
//! The file holds `tokens`, f32 `[T H W, D]`. Distortion is the mean squared distance of a token to what it became, both scaled to
//! length 1. `RAYON_NUM_THREADS` sets the number of threads.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::error::Error;
use std::time::Instant;

use safetensors::{Dtype, SafeTensors};
use vqtoken_core::{GridShape, TokenGrid, reducer};

const COMPARED: [&str; 24] = [
    "uniform:32",
    "random:32",
    "norm:32",
    "bilinear",
    "average",
    "tome:32",
    "video-tome:32",
    "dpc-knn:32",
    "dpc-knn:10%",
    "dycoke:p=0.7",
    "dycoke:30%",
    "evs:32",
    "evs:q=0.9",
    "vidcom2:32",
    "vidcom2:10%",
    "fastvid:32",
    "fastvid:10%",
    "holitom:32",
    "holitom:10%",
    "scissor:tau=0.9",
    "scissor:32",
    "sttm:th=0.8",
    "sttm:32",
    "vqtoken:32",
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, frames, height, width, reducers @ ..] = arguments.as_slice() else {
        return Err("give a safetensors file that holds `tokens`, f32 [T H W, D], and T, H and W".into());
    };
    let shape = GridShape { frames: frames.parse()?, height: height.parse()?, width: width.parse()? };
    let grid = read(file, shape)?;
    let compared = COMPARED.map(str::to_owned);
    for text in if reducers.is_empty() { &compared } else { reducers } {
        let start = Instant::now();
        let reduction = reducer(text)?.reduce(&grid)?;
        let seconds = start.elapsed().as_secs_f64();
        println!(
            r#"{{"reducer": "{text}", "tokens": {}, "seconds": {seconds:.3}, "gflop": {:.3}, "distortion": {:.4}}}"#,
            reduction.tokens.len(),
            reduction.flops as f64 / 1e9,
            reduction.distortion(&grid)
        );
    }
    Ok(())
}

fn read(file: &str, shape: GridShape) -> Result<TokenGrid, Box<dyn Error>> {
    let bytes = std::fs::read(file)?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let tokens = tensors.tensor("tokens")?;
    let (Dtype::F32, &[_, dim]) = (tokens.dtype(), tokens.shape()) else {
        return Err(format!("`tokens` in {file} are not f32 [N, D]: write them as such").into());
    };
    let values = tokens.data().as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
    Ok(TokenGrid::new(shape, dim, values)?)
}
