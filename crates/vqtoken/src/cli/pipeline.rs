//! The way from a file to video tokens, with a progress bar and the seconds of each stage.

use std::path::Path;
use std::time::Duration;

use crate::{
    Clip, Encoded, EncoderOptions, EncodingEvent, Quantization, TokenGrid, Video, VideoLlm, VisionSide,
    builtin, quantize,
};
use vqtoken_model::ModelError;
use vqtoken_model::checkpoint::Checkpoint;

use vqtoken_files::quoted;

use super::output;
use super::stages::Stages;
use super::{BaseArguments, EncodingArguments, GlobalArguments, ModelArguments};

/// What is said where a video is read as pooled patches though nobody asked for that.
pub(crate) const POOLED_BY_DEFAULT: &str = "note: this checkpoint was trained on pooled patches, so the video is read as these. Fewer tokens: \
     --reducer dpc-knn:10% (needs no training), or --tokens 32 with a checkpoint trained on codes (`vqtoken train`)";

/// What is said where a checkpoint reads codes that it was not trained on.
pub(crate) const UNTRAINED_CODES: &str = "warning: this checkpoint was trained on pooled patches and has never seen codes, so its answers \
     about codes are worse: ask about the video with --reducer pooled, or train a checkpoint on codes with `vqtoken train`";

/// The checkpoint that was asked for, or the built-in one.
pub(crate) fn checkpoint(arguments: &ModelArguments, base: &BaseArguments) -> Result<Checkpoint, ModelError> {
    match &arguments.model {
        Some(model) => Checkpoint::open_with(model, base.base.as_deref(), &arguments.limits()),
        None => builtin::checkpoint(),
    }
}

/// The model that was asked for, or the built-in one. Its vision side is loaded by [`vision`].
pub(crate) fn load_model(
    arguments: &ModelArguments,
    base: &BaseArguments,
    stages: &mut Stages,
) -> anyhow::Result<VideoLlm> {
    let spinner = output::spinner("model");
    let model = stages
        .time("load", || VideoLlm::from_checkpoint(checkpoint(arguments, base)?, arguments.precision))?;
    spinner.finish_and_clear();
    Ok(model)
}

/// The vision side of a model, loaded by the first call.
pub(crate) fn vision<'a>(model: &'a VideoLlm, stages: &mut Stages) -> anyhow::Result<&'a VisionSide> {
    let spinner = output::spinner("model");
    let vision = stages.time("load", || model.vision())?;
    spinner.finish_and_clear();
    Ok(vision)
}

/// The vision side alone of the model that was asked for, or of the built-in one.
pub(crate) fn load_vision(
    arguments: &ModelArguments,
    base: &BaseArguments,
    stages: &mut Stages,
) -> anyhow::Result<VisionSide> {
    let spinner = output::spinner("model");
    let vision = stages
        .time("load", || VisionSide::from_checkpoint(&checkpoint(arguments, base)?, arguments.precision))?;
    spinner.finish_and_clear();
    Ok(vision)
}

/// Whether a path names video tokens rather than a video.
pub(crate) fn is_video_tokens(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("vqt"))
}

/// Sampled frames; what is wrong with them is told to the user.
pub(crate) fn sample(
    video: &Path,
    arguments: &EncodingArguments,
    stages: &mut Stages,
    global: &GlobalArguments,
) -> anyhow::Result<Clip> {
    let video = stages.time("decode", || Video::open_with(video, &global.open_options()))?;
    sample_video(&video, arguments, stages, global)
}

/// Sampled frames of an open video; what is wrong with them is told to the user.
pub(crate) fn sample_video(
    video: &Video,
    arguments: &EncodingArguments,
    stages: &mut Stages,
    global: &GlobalArguments,
) -> anyhow::Result<Clip> {
    let spinner = output::spinner("decode");
    let clip = stages.time("decode", || video.sample(arguments.sampling()))?;
    spinner.finish_and_clear();
    warn(&video.info().path, &clip.messages(), global);
    Ok(clip)
}

/// A line for each warning on standard error; with `--json` they are part of the result.
pub(crate) fn warn(video: &Path, messages: &[String], global: &GlobalArguments) {
    if !global.json {
        for message in messages {
            output::note(format_args!("warning: {}: {message}", quoted(video)));
        }
    }
}

/// The token grid of a clip.
pub(crate) fn embed(
    vision: &VisionSide,
    clip: &Clip,
    arguments: &EncodingArguments,
    stages: &mut Stages,
) -> anyhow::Result<TokenGrid> {
    let bar = output::bar("vision", clip.frames.len());
    let frames = clip.frames.iter().inspect(|_| bar.inc(1)).cloned();
    let embedded = vision.embed_frames(frames, arguments.encoder_options().near_repeats)?;
    bar.finish_and_clear();
    stages.add("pixels", Duration::from_secs_f64(embedded.seconds.pixels));
    stages.add("vision", Duration::from_secs_f64(embedded.seconds.vision));
    Ok(embedded.grid)
}

/// The quantization of a token grid, with how K was chosen.
pub(crate) fn quantization(
    vision: &VisionSide,
    grid: &TokenGrid,
    arguments: &EncodingArguments,
    stages: &mut Stages,
) -> anyhow::Result<Quantization> {
    let EncoderOptions { budget, seed, .. } = arguments.encoder_options();
    let config = vision.quantizer(budget).with_seed(seed);
    let spinner = output::spinner("quantize");
    let quantization = stages.time("quantize", || quantize(grid, &config))?;
    spinner.finish_and_clear();
    Ok(quantization)
}

/// Video tokens of a video of any length. Frames are decoded while those before them are encoded.
///
/// The time of the stage "decode" is what the others had to wait for.
pub(crate) fn encode_video(
    vision: &VisionSide,
    video: &Video,
    arguments: &EncodingArguments,
    stages: &mut Stages,
    global: &GlobalArguments,
) -> anyhow::Result<Encoded> {
    let bar = output::spinner("vision");
    let mut expected = None;
    let encoded =
        vision.encode_video(video, arguments.sampling(), arguments.encoder_options(), &mut |event| {
            let EncodingEvent::Progress(progress) = event else { return };
            if progress.expected_frames != expected {
                expected = progress.expected_frames;
                output::set_length(&bar, expected);
            }
            bar.set_position(progress.frames as u64);
        })?;
    bar.finish_and_clear();
    warn(&video.info().path, &encoded.messages(), global);
    add_seconds(&encoded, stages);
    Ok(encoded)
}

/// Video tokens of a clip whose frames are held.
pub(crate) fn encode_clip(
    vision: &VisionSide,
    clip: &Clip,
    arguments: &EncodingArguments,
    stages: &mut Stages,
) -> anyhow::Result<Encoded> {
    let spinner = output::spinner("vision");
    let encoded = vision.encode_clip(clip, arguments.encoder_options())?;
    spinner.finish_and_clear();
    // Warnings were told when the clip was sampled.
    add_seconds(&encoded, stages);
    Ok(encoded)
}

fn add_seconds(encoded: &Encoded, stages: &mut Stages) {
    for (stage, seconds) in [
        ("decode", encoded.decode_seconds),
        ("pixels", encoded.vision_seconds.pixels),
        ("vision", encoded.vision_seconds.vision),
        ("quantize", encoded.quantizer_seconds),
    ] {
        stages.add(stage, Duration::from_secs_f64(seconds));
    }
}
