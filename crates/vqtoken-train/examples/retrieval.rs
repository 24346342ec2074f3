//! Runs a configuration and stops in time: `cargo run --release --example retrieval -- CONFIG OUT [SECONDS]`.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use vqtoken_train::{EarlierRun, Event, RunFolders, TrainConfig, run};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let config = PathBuf::from(arguments.next().ok_or("give a configuration")?);
    let out = PathBuf::from(arguments.next().ok_or("give a folder for results")?);
    let seconds = arguments.next().map(|word| word.parse()).transpose()?.unwrap_or(u64::MAX);
    let (started, limit) = (Instant::now(), Duration::from_secs(seconds));
    let folders = RunFolders::new(&out, out.join("../features"));
    let config = TrainConfig::read(&config)?;
    let mut observe = |event: Event<'_>| {
        let elapsed = started.elapsed().as_secs();
        match event {
            Event::Step { step, measures, .. } if step % 50 == 0 || step < 5 => {
                println!("{elapsed} s, step {step}: {measures:?}");
            }
            Event::Validation { step, measures } => println!("{elapsed} s, validation {step}: {measures:?}"),
            Event::Preparing { what, done, total } if done % 512 == 0 => {
                println!("{elapsed} s, {what} {done} of {total}");
            }
            _ => {}
        }
        if started.elapsed() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    println!("{:?}", run(&config, &folders, EarlierRun::Resume, &mut observe)?);
    Ok(())
}
