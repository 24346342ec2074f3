//! Prints how many bytes the index map of a file of tokens takes, coded in several ways, and how fast that is.
//!
//!     cargo run --release -p vqtoken-core --example map_sizes -- TOKENS.safetensors T H W [K...]
//!
//! The file holds `tokens`, f32 `[T * H * W, D]`. `raw` is one byte a label, or two above 256 codes; `zstd` is level 19 of that.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::error::Error;
use std::time::Instant;

use safetensors::{Dtype, SafeTensors};
use vqtoken_core::{Budget, GridShape, IndexMap, QuantizerConfig, TokenGrid, quantize};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, frames, height, width, codes @ ..] = arguments.as_slice() else {
        return Err("give TOKENS.safetensors T H W [K...]".into());
    };
    let shape = GridShape { frames: frames.parse()?, height: height.parse()?, width: width.parse()? };
    let grid = read(file, shape)?;
    let default = ["12", "32", "64", "256"].map(str::to_owned);
    println!("    K      raw     zstd    coded  bits/label  encode  decode (million labels a second)");
    for codes in if codes.is_empty() { &default[..] } else { codes } {
        let config = QuantizerConfig { budget: Budget::Fixed(codes.parse()?), ..Default::default() };
        print(&quantize(&grid, &config)?.index_map)?;
    }
    Ok(())
}

fn print(map: &IndexMap) -> Result<(), Box<dyn Error>> {
    let width = if map.codes() <= 256 { 1 } else { 2 };
    let raw: Vec<u8> =
        map.labels().iter().flat_map(|label| label.to_le_bytes().into_iter().take(width)).collect();
    let zstd = zstd::bulk::compress(&raw, 19)?;
    let start = Instant::now();
    let coded = map.to_coded();
    let encoded = start.elapsed().as_secs_f64();
    let start = Instant::now();
    if IndexMap::from_coded(map.shape(), map.codes(), &coded)? != *map {
        return Err("the decoded map is another one".into());
    }
    let decoded = start.elapsed().as_secs_f64();
    let labels = map.labels().len() as f64;
    println!(
        "{:5} {:8} {:8} {:8} {:11.3} {:7.2} {:7.2}",
        map.codes(),
        raw.len(),
        zstd.len(),
        coded.len(),
        coded.len() as f64 * 8.0 / labels,
        labels / encoded / 1e6,
        labels / decoded / 1e6
    );
    Ok(())
}

fn read(file: &str, shape: GridShape) -> Result<TokenGrid, Box<dyn Error>> {
    let bytes = std::fs::read(file)?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let tokens = tensors.tensor("tokens")?;
    let (Dtype::F32, &[_, dim]) = (tokens.dtype(), tokens.shape()) else {
        return Err(format!("`tokens` in {file} are not f32 [T * H * W, D]: write them as such").into());
    };
    let values = tokens.data().as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
    Ok(TokenGrid::new(shape, dim, values)?)
}
