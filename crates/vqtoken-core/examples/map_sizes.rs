//! Prints how many bytes the video tokens of a file of tokens take: the index map coded in several ways and how fast that
//! is, and the whole `.vqt` file at each quality.
//!
//!     cargo run --release -p vqtoken-core --example map_sizes -- TOKENS.safetensors T H W [K...]
//!
//! The file holds `tokens`, f32 `[T * H * W, D]`. `raw` is one byte a label, or two above 256 codes; `zstd` is level 19 of that. With
//! `VQT_FOLDER` set, the `.vqt` files are kept there.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::error::Error;
use std::time::Instant;

use safetensors::{Dtype, SafeTensors};
use vqtoken_core::{
    Budget, GridShape, IndexMap, Quality, Quantization, QuantizerConfig, TokenGrid, VideoTokens, quantize,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, frames, height, width, codes @ ..] = arguments.as_slice() else {
        return Err("give TOKENS.safetensors T H W [K...]".into());
    };
    let shape = GridShape { frames: frames.parse()?, height: height.parse()?, width: width.parse()? };
    let grid = read(file, shape)?;
    let default = ["12", "32", "64", "256"].map(str::to_owned);
    println!(
        "    K      raw     zstd    coded  bits/label  encode  decode    exact     bf16     int8 (million labels/s; file bytes)"
    );
    for codes in if codes.is_empty() { &default[..] } else { codes } {
        let config = QuantizerConfig::new(Budget::Fixed(codes.parse()?));
        print(quantize(&grid, &config)?, config.budget)?;
    }
    Ok(())
}

fn print(quantization: Quantization, budget: Budget) -> Result<(), Box<dyn Error>> {
    let map = &quantization.index_map;
    let width = if map.codes() <= 256 { 1 } else { 2 };
    let raw: Vec<u8> =
        map.labels().iter().flat_map(|label| label.to_le_bytes().into_iter().take(width)).collect();
    let zstd = zstd::bulk::compress(&raw, 19)?;
    let start = Instant::now();
    let coded = map.encode();
    let encoded = start.elapsed().as_secs_f64();
    let start = Instant::now();
    if IndexMap::decode(map.shape(), map.codes(), &coded)? != *map {
        return Err("the decoded map is another one".into());
    }
    let decoded = start.elapsed().as_secs_f64();
    let labels = map.labels().len() as f64;
    let (frames, name) = (map.shape().frames, map.codes().to_string());
    let mut tokens = VideoTokens {
        codebook: quantization.codebook,
        index_map: map.clone(),
        timestamps: (0..frames).map(|frame| frame as f64).collect(),
        model: "llava-onevision-qwen2-0.5b@00000000".to_owned(),
        source: None,
        budget,
        windows: None,
        quality: Quality::Exact,
    };
    let mut files = [0; 3];
    for (file, quality) in files.iter_mut().zip([Quality::Exact, Quality::Bf16, Quality::Int8]) {
        tokens.quality = quality;
        let bytes = tokens.to_bytes()?;
        *file = bytes.len();
        if let Some(folder) = std::env::var_os("VQT_FOLDER") {
            std::fs::write(std::path::Path::new(&folder).join(format!("{name}-{quality}.vqt")), bytes)?;
        }
    }
    println!(
        "{:5} {:8} {:8} {:8} {:11.3} {:7.2} {:7.2} {:8} {:8} {:8}",
        map.codes(),
        raw.len(),
        zstd.len(),
        coded.len(),
        coded.len() as f64 * 8.0 / labels,
        labels / encoded / 1e6,
        labels / decoded / 1e6,
        files[0],
        files[1],
        files[2]
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
