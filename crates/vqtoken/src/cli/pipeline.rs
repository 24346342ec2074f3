//! The way from a file to video tokens, one timed stage after the other.

use std::path::Path;

use vqtoken::{Clip, QuantizerConfig, TokenGrid, Video, VideoLlm, VideoTokens, builtin, quantize};
use vqtoken_core::Quantization;
use vqtoken_model::FRAMES_AT_ONCE;

use super::output;
use super::stages::Stages;
use super::{EncodingArguments, ModelArguments};

/// The model that was asked for, or the built-in one.
pub(crate) fn load_model(arguments: &ModelArguments, stages: &mut Stages) -> anyhow::Result<VideoLlm> {
    let spinner = output::spinner("model");
    let model = stages.time("load", || match &arguments.model {
        Some(path) => VideoLlm::load(path),
        None => builtin::load(),
    })?;
    spinner.finish_and_clear();
    Ok(model)
}

/// Whether a path names video tokens rather than a video.
pub(crate) fn is_video_tokens(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("vqt"))
}

/// Sampled frames; damage to the stream is told to the user.
pub(crate) fn sample(
    video: &Path,
    arguments: &EncodingArguments,
    stages: &mut Stages,
) -> anyhow::Result<Clip> {
    let spinner = output::spinner("decode");
    let clip = stages.time("decode", || Video::open(video)?.sample(arguments.sampling()))?;
    spinner.finish_and_clear();
    for damage in &clip.damage {
        output::note(format_args!("warning: {}: {damage}", video.display()));
    }
    Ok(clip)
}

/// The token grid of a clip.
pub(crate) fn embed(model: &VideoLlm, clip: &Clip, stages: &mut Stages) -> anyhow::Result<TokenGrid> {
    let bar = output::bar("vision", clip.frames.len());
    let mut tokens = Vec::new();
    for frames in clip.frames.chunks(FRAMES_AT_ONCE) {
        let pixels = stages.time("pixels", || model.pixel_spec().pixels(frames));
        tokens.extend(stages.time("vision", || model.embed_pixels(&pixels))?);
        bar.inc(frames.len() as u64);
    }
    bar.finish_and_clear();
    Ok(model.token_grid(clip.frames.len(), tokens)?)
}

/// The quantization of a token grid, with how K was chosen.
pub(crate) fn quantization(
    model: &VideoLlm,
    grid: &TokenGrid,
    arguments: &EncodingArguments,
    stages: &mut Stages,
) -> anyhow::Result<Quantization> {
    let config = QuantizerConfig { seed: arguments.seed(), ..model.quantizer(arguments.budget()) };
    let spinner = output::spinner("quantize");
    let quantization = stages.time("quantize", || quantize(grid, &config))?;
    spinner.finish_and_clear();
    Ok(quantization)
}

/// Video tokens of a clip's token grid.
pub(crate) fn quantize_grid(
    model: &VideoLlm,
    clip: &Clip,
    grid: &TokenGrid,
    arguments: &EncodingArguments,
    stages: &mut Stages,
) -> anyhow::Result<VideoTokens> {
    let quantization = quantization(model, grid, arguments, stages)?;
    Ok(model.video_tokens(clip, quantization, arguments.budget()))
}

/// Video tokens of a video.
pub(crate) fn encode(
    model: &VideoLlm,
    clip: &Clip,
    arguments: &EncodingArguments,
    stages: &mut Stages,
) -> anyhow::Result<VideoTokens> {
    let grid = embed(model, clip, stages)?;
    quantize_grid(model, clip, &grid, arguments, stages)
}
