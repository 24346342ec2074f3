//! Writes a data set: `cargo run --release -p vqtoken-shapes --example write -- FOLDER CLIPS [SEED [easy|normal|hard]]`.

use std::io::Write;
use std::time::Instant;

use vqtoken_shapes::{Difficulty, Settings, write_data_set};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, clips, rest @ ..] = arguments.as_slice() else {
        return Err("give a folder and a number of clips".into());
    };
    let seed = rest.first().map_or(Ok(0), |seed| seed.parse())?;
    let difficulty = rest.get(1).map_or(Ok(Difficulty::Normal), |word| word.parse())?;
    let settings = Settings { clips: clips.parse()?, seed, ..Settings::at(difficulty) };
    let start = Instant::now();
    let written = write_data_set(&settings, folder.as_ref(), |_, _| ())?;
    let milliseconds = start.elapsed().as_millis() as f64 / (written.clips - written.kept).max(1) as f64;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} clips, {milliseconds:.0} ms each\n\n{}", written.clips, written.report)?;
    Ok(())
}
