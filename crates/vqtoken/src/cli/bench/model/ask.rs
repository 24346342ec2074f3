//! `vqtoken bench ask`: from a file to the first word.

use std::path::PathBuf;
use std::time::Instant;

use crate::{Chat, GenerationOptions, Video, figures};
use clap::Args;
use serde_json::{Value, json};

use super::record::Runs;
use super::subject::{Repetitions, Subject, describe, video_or_demo};
use crate::cli::GlobalArguments;
use crate::cli::stages::{Stages, peak_memory};
use crate::cli::{EncodingArguments, output, pipeline};

#[derive(Args, Debug)]
pub(crate) struct AskArguments {
    /// A video [default: the demonstration clip]
    video: Option<PathBuf>,

    #[command(flatten)]
    subject: Subject,

    #[command(flatten)]
    repetitions: Repetitions,

    #[command(flatten)]
    encoding: EncodingArguments,
}

pub(crate) fn run(arguments: &AskArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    arguments.subject.set_threads()?;
    let (video, _folder) = video_or_demo(arguments.video.as_deref())?;
    let mut loading = Stages::default();
    let model = arguments.subject.load(&mut loading)?;
    let vision = pipeline::vision(&model, &mut loading)?;
    let chat = Chat::new("Which way does the red circle move?");
    let options = GenerationOptions::default().with_max_tokens(1).with_end_tokens(vec![]);
    let mut runs = Runs::none();
    let mut stages = Stages::default();
    let (mut frames, mut codes, mut prompt, mut repeated) = (0, 0, 0, 0);
    for _ in 0..arguments.repetitions.repeat {
        let start = Instant::now();
        stages = Stages::default();
        let source = stages.time("decode", || Video::open_with(&video, &global.open_options()))?;
        let encoded = pipeline::encode_video(vision, &source, &arguments.encoding, &mut stages, global)?;
        let tokens = encoded.tokens;
        repeated = encoded.repeated_frames;
        let visual = stages.time("attention", || model.language().visual_tokens(&tokens))?;
        let answer = stages.time("prefill", || -> anyhow::Result<_> {
            let mut answer = model.language().chat(Some(&visual), &chat, &options)?;
            answer.next().transpose()?;
            Ok(answer)
        })?;
        runs.push(start.elapsed());
        frames = tokens.timestamps.len();
        codes = tokens.codebook.codes();
        prompt = answer.prompt_tokens();
    }
    let config = model.config();
    // Repeats cost nothing.
    let flops = config.vision.flops(frames - repeated)
        + config.vision.projector_flops(config.text.hidden_size, frames)
        + config.text.flops(prompt, 0);
    let mut record = runs.record("ask", flops, model.precision().tower_weight_kind());
    describe(model.id(), model.precision(), model.packed_bytes(), &mut record);
    for (key, value) in [
        ("frames", json!(frames)),
        ("repeated_frames", json!(repeated)),
        ("codes", json!(codes)),
        ("prompt_tokens", json!(prompt)),
        ("stages", stages.to_json()),
        ("load_seconds", json!(loading.seconds("load"))),
    ] {
        record.insert(key.to_owned(), value);
    }
    if global.json {
        return Ok(output::line(Value::from(record))?);
    }
    let shares: Vec<String> = stages.iter().map(|(name, seconds)| format!("{name} {seconds:.2} s")).collect();
    Ok(output::line(format_args!(
        "{} in {}: {frames} frames to the first word in {:.2} s ({}); {} of memory",
        model.id(),
        model.precision(),
        runs.median(),
        shares.join(", "),
        figures::bytes(peak_memory().unwrap_or_default() as f64),
    ))?)
}
