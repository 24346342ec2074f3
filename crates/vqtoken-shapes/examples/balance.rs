//! How well the questions of a data set can be guessed:
//! `cargo run --release -p vqtoken-shapes --example balance -- CLIPS [SEED]`.

use std::io::Write;

use vqtoken_shapes::{BaselineReport, Settings, clips};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<u64> =
        std::env::args().skip(1).map(|argument| argument.parse()).collect::<Result<_, _>>()?;
    let settings = Settings {
        clips: numbers.first().map_or(2000, |&clips| clips as usize),
        seed: numbers.get(1).copied().unwrap_or(0),
        ..Settings::default()
    };
    let report = BaselineReport::of(&clips(&settings)?);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{report}")?;
    writeln!(
        out,
        "types {:?}\npositions {:?}\nclasses {:?}",
        report.types, report.positions, report.classes
    )?;
    Ok(())
}
