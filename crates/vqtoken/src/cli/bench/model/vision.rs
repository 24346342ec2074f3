//! `vqtoken bench vision`: pixels to the token grid.

use crate::figures;
use clap::Args;
use serde_json::{Value, json};
use vqtoken_video::Pixels;

use super::record::Runs;
use super::subject::{Repetitions, Subject, describe};
use crate::cli::GlobalArguments;
use crate::cli::bench::peer;
use crate::cli::stages::Stages;
use crate::cli::{at_least_one, output};

#[derive(Args, Debug)]
pub(crate) struct VisionArguments {
    #[command(flatten)]
    subject: Subject,

    #[command(flatten)]
    repetitions: Repetitions,

    /// Frames that go through the tower
    #[arg(long, value_name = "T", default_value_t = 4, value_parser = at_least_one)]
    frames: usize,
}

pub(crate) fn run(arguments: &VisionArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    arguments.subject.set_threads()?;
    let mut stages = Stages::default();
    let vision = arguments.subject.load_vision(&mut stages)?;
    let config = vision.config();
    let (frames, size) = (arguments.frames, config.image_size);
    // Any values cost the same.
    let data = (0..frames * 3 * size * size).map(|i| (i % 511) as f32 / 255.0 - 1.0).collect();
    let pixels = Pixels { frames, size, data };
    let runs = Runs::measure(arguments.repetitions.repeat, || {
        vision.embed_pixels(&pixels)?;
        Ok(())
    })?;
    let flops = config.flops(frames) + config.projector_flops(vision.features(), frames);
    let mut record = runs.record("vision", flops, vision.precision().tower_weight_kind());
    describe(vision.id(), vision.precision(), vision.packed_bytes(), &mut record);
    record.insert("frames".to_owned(), json!(frames));
    record.insert("seconds_per_frame".to_owned(), json!(runs.median() / frames as f64));
    record.insert("load_seconds".to_owned(), json!(stages.seconds("load")));
    let peer = arguments.subject.has_peer().then(|| {
        let precision = peer::precision(vision.precision());
        peer::command(
            &format!("vision --precision {precision} --frames {frames}"),
            rayon::current_num_threads(),
        )
    });
    peer::insert(peer.as_deref(), &mut record);
    if global.json {
        return Ok(output::line(Value::from(record))?);
    }
    output::line(format_args!(
        "{} in {}: {:.3} s a frame, {:.3} TFLOP/s, {} of the peak; {} of memory",
        vision.id(),
        vision.precision(),
        runs.median() / frames as f64,
        flops / runs.median() / 1e12,
        figures::percent(record["share_of_peak"].as_f64().unwrap_or_default()),
        figures::bytes(record["peak_memory_bytes"].as_f64().unwrap_or_default()),
    ))?;
    peer::print(peer.as_deref())
}
