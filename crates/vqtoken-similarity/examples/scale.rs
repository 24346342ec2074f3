//! How long it takes to look through many signatures, of made-up values:
//!
//!     cargo run --release -p vqtoken-similarity --example scale -- SIGNATURES

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::error::Error;
use std::time::Instant;

use vqtoken_random::SplitMix64;
use vqtoken_similarity::{Comparison, DuplicateOptions, Signature, candidates, duplicates};

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = std::env::args().nth(1).ok_or("scale SIGNATURES")?.parse()?;
    let mut random = SplitMix64::new(1);
    let signatures = (0..count).map(|_| made_up(&mut random)).collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = signatures.iter().map(Signature::memory).sum();
    println!("{count} signatures of 32 frames: {:.0} MB", bytes as f64 / 1e6);
    let start = Instant::now();
    const QUERIES: usize = 10;
    for query in &signatures[..QUERIES.min(count)] {
        candidates(query, &signatures, 24)?;
    }
    println!("{:.1} ms for the candidates of one", 1e3 * start.elapsed().as_secs_f64() / QUERIES as f64);
    let start = Instant::now();
    let load = |_| Err("made up");
    let mut looked_up = start.elapsed();
    let progress = |done, _| {
        if done == count {
            looked_up = start.elapsed();
        }
    };
    duplicates(&Comparison::default(), &signatures, load, DuplicateOptions::new(0.9), progress, || false)?;
    let pairs = count as f64 * (count as f64 - 1.0) / 2.0;
    println!(
        "{:.2} s for all {pairs:e} pairs: {:.0} ns a pair",
        looked_up.as_secs_f64(),
        looked_up.as_secs_f64() * 1e9 / pairs
    );
    Ok(())
}

/// A signature of random frames that follow each other slowly, by way of its bytes.
fn made_up(random: &mut SplitMix64) -> Result<Signature, Box<dyn Error>> {
    let mut bytes = Vec::from(*b"VQSG\x01\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x41");
    let mut frame: [f64; 96] = std::array::from_fn(|_| random.unit() - 0.5);
    for _ in 0..32 {
        frame.iter_mut().for_each(|value| *value = 0.9 * *value + 0.2 * (random.unit() - 0.5));
        bytes.extend(frame.map(|value| ((value * 254.0) as i8).cast_unsigned()));
    }
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    Ok(Signature::from_bytes(&bytes)?)
}
