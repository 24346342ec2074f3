//! One case, measured in this process.

use std::time::{Duration, Instant};

use crate::{GridShape, IndexMap, QuantizerConfig, TokenGrid, VideoTokens, figures, quantize};
use anyhow::bail;
use serde_json::{Map, Value, json};
use vqtoken_core::{Quality, Quantization, QuantizerStream, quantizer_flops};

use super::case::{Case, Way};
use super::quality::quality;
use super::tokens::{BLOCK, Tokens};
use crate::cli::stages::peak_memory;

/// Runs a case `repeat` times; gives everything about it but where the tokens came from.
///
/// Seconds are those of the quantizer: reading or making tokens and coding the file are not in it.
pub(super) fn measure(
    tokens: &Tokens,
    case: Case,
    config: &QuantizerConfig,
    repeat: usize,
) -> anyhow::Result<Map<String, Value>> {
    let (count, dim) = (tokens.count(), tokens.dim());
    let held = match case.way {
        Way::Stream => BLOCK.min(count),
        _ => count,
    } * dim
        * size_of::<f32>();
    check_memory(tokens, case, held)?;
    let grid = match case.way {
        Way::Stream => None,
        _ => Some(tokens.grid()?),
    };
    let run = || match &grid {
        Some(grid) => whole(tokens, grid, config),
        None => stream(tokens, config),
    };
    let (quantization, first) = run()?;
    let peak = peak_memory();
    let mut runs = vec![first];
    for _ in 1..repeat {
        runs.push(run()?.1);
    }
    drop(grid);

    let stats = &quantization.stats;
    let quality = quality(tokens, quantization.index_map.labels(), stats.codes)?;
    // The count is of fits on tokens, which a stream makes only if it is short.
    let counted = !stats.iterations.is_empty();
    let gflop = counted.then(|| quantizer_flops(count, dim, stats).total() as f64 / 1e9);
    let mut record = Map::new();
    let mut put = |key: &str, value: Value| record.insert(key.to_owned(), value);
    put("case", json!(case.to_string()));
    put("n", json!(count));
    put("dim", json!(dim));
    put("k", json!(stats.codes));
    put("seconds", json!(rounded(median(&runs), 4)));
    put("runs", runs.iter().map(|run| rounded(run.as_secs_f64(), 4)).collect());
    put("inertia", json!(rounded(quality.inertia, 2)));
    put("distortion", json!(rounded(quality.distortion, 2)));
    put("iterations", json!(counted.then_some(stats.iterations.len())));
    put("gflop", json!(gflop.map(|gflop| rounded(gflop, 3))));
    put("peak_memory_bytes", json!(peak));
    put("tokens_bytes", json!(held));
    put("threads", json!(rayon::current_num_threads()));
    let (bytes, index_map_bytes) = stored(quantization, tokens.shape(), config)?;
    put("bytes", json!(bytes));
    put("index_map_bytes", json!(index_map_bytes));
    Ok(record)
}

/// Refuses what this machine cannot hold, before it is asked to: tokens, and their copies of length 1.
fn check_memory(tokens: &Tokens, case: Case, held: usize) -> anyhow::Result<()> {
    let needed = 2.0 * held as f64;
    match available_memory() {
        Some(available) if needed > available as f64 => bail!(
            "{}: the case {case} needs about {} of memory and {} are free: quantize fewer tokens, or use --case stream-fixed",
            tokens.name(),
            figures::bytes(needed),
            figures::bytes(available as f64)
        ),
        _ => Ok(()),
    }
}

/// Memory that can be had without swapping, in bytes, where the system tells it (Linux).
fn available_memory() -> Option<u64> {
    let about = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = about.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn whole(
    tokens: &Tokens,
    grid: &TokenGrid,
    config: &QuantizerConfig,
) -> anyhow::Result<(Quantization, Duration)> {
    let start = Instant::now();
    let quantization =
        quantize(grid, config).map_err(|error| anyhow::anyhow!("{}: {error}", tokens.name()))?;
    Ok((quantization, start.elapsed()))
}

/// Tokens one after the other, each a frame of its own: so chunks may be cut anywhere.
fn stream(tokens: &Tokens, config: &QuantizerConfig) -> anyhow::Result<(Quantization, Duration)> {
    let named = |error| anyhow::anyhow!("{}: {error}", tokens.name());
    let mut stream = QuantizerStream::new(*config)?;
    let mut elapsed = Duration::ZERO;
    for block in tokens.blocks() {
        let shape = GridShape { frames: block.len(), height: 1, width: 1 };
        let chunk = TokenGrid::new(shape, tokens.dim(), tokens.rows(block)?)?;
        let start = Instant::now();
        stream.push(&chunk).map_err(named)?;
        elapsed += start.elapsed();
    }
    let start = Instant::now();
    let quantization = stream.finish().map_err(named)?;
    Ok((quantization, elapsed + start.elapsed()))
}

/// Bytes of the `.vqt` file with a bf16 codebook, and of the coded index map in it.
fn stored(
    quantization: Quantization,
    shape: GridShape,
    config: &QuantizerConfig,
) -> anyhow::Result<(usize, usize)> {
    let labels = quantization.index_map.labels().to_vec();
    let index_map = IndexMap::new(shape, quantization.index_map.codes(), labels)?;
    let index_map_bytes = index_map.encode().len();
    let tokens = VideoTokens {
        codebook: quantization.codebook,
        index_map,
        timestamps: (0..shape.frames).map(|frame| frame as f64).collect(),
        model: "bench".to_owned(),
        source: None,
        budget: config.budget,
        windows: None,
        quality: Quality::Bf16,
    };
    Ok((tokens.to_bytes()?.len(), index_map_bytes))
}

/// The middle of the runs, in seconds; the mean of the two middle ones if they are even in number.
fn median(runs: &[Duration]) -> f64 {
    let mut seconds: Vec<f64> = runs.iter().map(Duration::as_secs_f64).collect();
    seconds.sort_by(f64::total_cmp);
    let middle = seconds.len() / 2;
    if seconds.len().is_multiple_of(2) {
        (seconds[middle - 1] + seconds[middle]) / 2.0
    } else {
        seconds[middle]
    }
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_run_counts() {
        let seconds = |seconds: &[u64]| {
            median(&seconds.iter().map(|&run| Duration::from_secs(run)).collect::<Vec<_>>())
        };
        assert_eq!(seconds(&[9, 1, 2]), 2.0);
        assert_eq!(seconds(&[9, 1, 2, 4]), 3.0);
        assert_eq!(seconds(&[7]), 7.0);
    }
}
