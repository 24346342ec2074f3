//! `vqtoken encode`: videos in, `.vqt` files out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Quality, TrainedInput, Video, VideoTokens, VisionSide, figures};
use clap::Args;
use vqtoken_files::quoted;

use super::stages::Stages;
use super::{BaseArguments, EncodingArguments, ModelArguments, UsageError, output, pipeline};
use crate::cli::GlobalArguments;

#[derive(Args, Debug)]
pub(crate) struct EncodeArguments {
    /// Videos or folders of images
    #[arg(value_name = "VIDEO", required = true)]
    videos: Vec<PathBuf>,

    /// A file for one video, or a folder, where each video gets its own name with .vqt
    #[arg(short, long, value_name = "OUT.vqt|DIR")]
    output: PathBuf,

    /// How precisely a file keeps the codes: exact (32 bits a value), bf16 (16) or int8 (8 and a scale a code)
    #[arg(long, value_name = "QUALITY", default_value_t = Quality::Bf16)]
    quality: Quality,

    #[command(flatten)]
    model: ModelArguments,

    #[command(flatten)]
    base: BaseArguments,

    #[command(flatten)]
    encoding: EncodingArguments,
}

pub(crate) fn run(arguments: &EncodeArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let jobs = jobs(arguments)?;
    let mut load = Stages::default();
    let vision = pipeline::load_vision(&arguments.model, &arguments.base, &mut load)?;
    if vision.trained_input() == TrainedInput::Pooled {
        output::note(pipeline::UNTRAINED_CODES);
    }
    if !output_is_file(arguments) {
        vqtoken_files::create_folder(&arguments.output)?;
    }

    // One bad video must not cost the others: it is reported at once, and the command fails at the end.
    let mut failed = Vec::new();
    for (target, video) in &jobs {
        if let Err(error) = encode(arguments, &vision, video, target, global) {
            if output::is_broken_pipe(&error) || jobs.len() == 1 {
                return Err(error);
            }
            output::report(&error, global.json);
            failed.push(video.display().to_string());
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        names => Err(anyhow::anyhow!(
            "{} of {} videos were not encoded: {}",
            names.len(),
            jobs.len(),
            names.join(", ")
        )),
    }
}

fn output_is_file(arguments: &EncodeArguments) -> bool {
    pipeline::is_video_tokens(&arguments.output) && !arguments.output.is_dir()
}

/// What is written where.
fn jobs(arguments: &EncodeArguments) -> anyhow::Result<BTreeMap<PathBuf, PathBuf>> {
    let output = &arguments.output;
    let is_new_folder = !output.exists() && !pipeline::is_video_tokens(output);
    let is_folder = output.is_dir() || is_new_folder;
    if !is_folder && !pipeline::is_video_tokens(output) {
        return Err(UsageError(format!(
            "{} is not a folder and does not end in .vqt: name a folder, or a .vqt file",
            quoted(output)
        ))
        .into());
    }
    if !is_folder {
        super::check_folder_of(output)?;
        return match arguments.videos.as_slice() {
            [video] => Ok([(output.clone(), video.clone())].into()),
            videos => Err(UsageError(format!(
                "{} videos do not go into the one file {}: name a folder",
                videos.len(),
                output.display()
            ))
            .into()),
        };
    }
    let mut jobs = BTreeMap::new();
    for video in &arguments.videos {
        let name = video.file_stem().map(|stem| stem.to_owned()).unwrap_or_else(|| "video".into());
        let mut file = name;
        file.push(".vqt");
        if let Some(other) = jobs.insert(output.join(&file), video.clone()) {
            return Err(UsageError(format!(
                "{} and {} would both become {}: encode them into different folders",
                other.display(),
                video.display(),
                output.join(&file).display()
            ))
            .into());
        }
    }
    Ok(jobs)
}

fn encode(
    arguments: &EncodeArguments,
    vision: &VisionSide,
    video: &Path,
    target: &Path,
    global: &GlobalArguments,
) -> anyhow::Result<()> {
    let mut stages = Stages::default();
    let source = stages.time("decode", || Video::open_with(video, &global.open_options()))?;
    let encoded = pipeline::encode_video(vision, &source, &arguments.encoding, &mut stages, global)?;
    let warnings = encoded.messages();
    let tokens = VideoTokens { quality: arguments.quality, ..encoded.tokens };
    tokens.save(target)?;
    let bytes = std::fs::metadata(target)?.len();
    output::line(match global.json {
        true => {
            let mut record = record(video, target, &tokens, bytes, &stages);
            record["repeated_frames"] = encoded.repeated_frames.into();
            record["trained_input"] = vision.trained_input().to_string().into();
            record["warnings"] = warnings.into();
            record.to_string()
        }
        false => summary(target, &tokens, bytes, &stages),
    })?;
    Ok(())
}

fn record(
    video: &Path,
    target: &Path,
    tokens: &VideoTokens,
    bytes: u64,
    stages: &Stages,
) -> serde_json::Value {
    serde_json::json!({
        "video": video,
        "output": target,
        "frames": tokens.index_map.shape().frames,
        "grid_tokens": tokens.index_map.labels().len(),
        "codes": tokens.codebook.codes(),
        "bytes": bytes,
        "quality": tokens.quality.to_string(),
        "seconds": stages.to_json(),
    })
}

fn summary(target: &Path, tokens: &VideoTokens, bytes: u64, stages: &Stages) -> String {
    format!(
        "{}: {} tokens -> {} codes, {}, {:.1} s",
        target.display(),
        figures::grouped(tokens.index_map.labels().len()),
        tokens.codebook.codes(),
        figures::bytes(bytes as f64),
        stages.total(),
    )
}
