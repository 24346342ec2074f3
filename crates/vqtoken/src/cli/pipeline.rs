//! The way from a file to video tokens, one timed stage after the other.

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use vqtoken::{
    Clip, Frame, QuantizerConfig, TokenGrid, Video, VideoLlm, VideoTokens, WindowedQuantizer, builtin,
    quantize,
};
use vqtoken_core::Quantization;
use vqtoken_model::FRAMES_AT_ONCE;

use super::output;
use super::stages::Stages;
use super::{EncodingArguments, ModelArguments};

/// The model that was asked for, or the built-in one.
pub(crate) fn load_model(arguments: &ModelArguments, stages: &mut Stages) -> anyhow::Result<VideoLlm> {
    let spinner = output::spinner("model");
    let model = stages.time("load", || match &arguments.model {
        Some(path) => VideoLlm::load_as(path, arguments.precision),
        None => builtin::load(arguments.precision),
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
    warn_of_damage(video, &clip);
    Ok(clip)
}

fn warn_of_damage(video: &Path, clip: &Clip) {
    for damage in &clip.damage {
        output::note(format_args!("warning: {}: {damage}", video.display()));
    }
}

/// The token grid of a clip.
pub(crate) fn embed(model: &VideoLlm, clip: &Clip, stages: &mut Stages) -> anyhow::Result<TokenGrid> {
    let bar = output::bar("vision", clip.frames.len());
    let mut tokens = Vec::new();
    for frames in clip.frames.chunks(FRAMES_AT_ONCE) {
        tokens.extend(embed_frames(model, frames, stages)?);
        bar.inc(frames.len() as u64);
    }
    bar.finish_and_clear();
    Ok(model.token_grid(clip.frames.len(), tokens)?)
}

fn embed_frames(model: &VideoLlm, frames: &[Frame], stages: &mut Stages) -> anyhow::Result<Vec<f32>> {
    let pixels = stages.time("pixels", || model.pixel_spec().pixels(frames));
    Ok(stages.time("vision", || model.embed_pixels(&pixels))?)
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

/// Video tokens of a clip.
pub(crate) fn encode(
    model: &VideoLlm,
    clip: &Clip,
    arguments: &EncodingArguments,
    stages: &mut Stages,
) -> anyhow::Result<VideoTokens> {
    let mut encoder = Encoder::new(model, arguments, Some(clip.frames.len()), stages)?;
    clip.frames
        .iter()
        .zip(&clip.timestamps)
        .for_each(|(frame, &seconds)| encoder.take(frame.clone(), seconds));
    encoder.finish(clip)
}

/// Video tokens of a video of any length: frames are encoded as they are decoded, a few at a time.
pub(crate) fn encode_video(
    model: &VideoLlm,
    path: &Path,
    arguments: &EncodingArguments,
    stages: &mut Stages,
) -> anyhow::Result<VideoTokens> {
    let (start, before) = (Instant::now(), stages.total());
    let video = Video::open(path)?;
    let frames = video.sampled_frames(arguments.sampling())?;
    let mut encoder = Encoder::new(model, arguments, frames, stages)?;
    let clip = video.sample_each(arguments.sampling(), &mut |frame, seconds| encoder.take(frame, seconds))?;
    warn_of_damage(path, &clip);
    let tokens = encoder.finish(&clip)?;
    // What is not spent on frames that are there is spent on getting them.
    let others = Duration::from_secs_f64(stages.total() - before);
    stages.add("decode", start.elapsed().saturating_sub(others));
    Ok(tokens)
}

/// Frames in, video tokens out.
struct Encoder<'a> {
    model: &'a VideoLlm,
    arguments: &'a EncodingArguments,
    stages: &'a mut Stages,
    quantizer: WindowedQuantizer,
    /// Frames that wait for company.
    frames: Vec<Frame>,
    times: Vec<f64>,
    bar: ProgressBar,
    /// What went wrong with a frame; those after it are not looked at.
    failure: Option<anyhow::Error>,
}

impl<'a> Encoder<'a> {
    fn new(
        model: &'a VideoLlm,
        arguments: &'a EncodingArguments,
        frames: Option<usize>,
        stages: &'a mut Stages,
    ) -> anyhow::Result<Self> {
        let config = QuantizerConfig { seed: arguments.seed(), ..model.quantizer(arguments.budget()) };
        let quantizer = WindowedQuantizer::new(config, arguments.windows())?;
        let bar = frames.map_or_else(|| output::spinner("vision"), |frames| output::bar("vision", frames));
        let (frames, times) = (Vec::new(), Vec::new());
        Ok(Self { model, arguments, stages, quantizer, frames, times, bar, failure: None })
    }

    fn take(&mut self, frame: Frame, seconds: f64) {
        self.frames.push(frame);
        self.times.push(seconds);
        if self.failure.is_none() && self.frames.len() == FRAMES_AT_ONCE {
            self.failure = self.encode_waiting().err();
        }
    }

    fn encode_waiting(&mut self) -> anyhow::Result<()> {
        let (frames, times) = (std::mem::take(&mut self.frames), std::mem::take(&mut self.times));
        if frames.is_empty() {
            return Ok(());
        }
        let tokens = embed_frames(self.model, &frames, self.stages)?;
        let grid = self.model.token_grid(frames.len(), tokens)?;
        self.stages.time("quantize", || self.quantizer.push(&grid, &times))?;
        self.bar.inc(frames.len() as u64);
        Ok(())
    }

    fn finish(mut self, clip: &Clip) -> anyhow::Result<VideoTokens> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.encode_waiting()?;
        self.bar.finish_and_clear();
        let spinner = output::spinner("quantize");
        let quantization = self.stages.time("quantize", || self.quantizer.finish())?;
        spinner.finish_and_clear();
        let tokens = self.model.video_tokens(clip, quantization, self.arguments.budget());
        Ok(VideoTokens { windows: self.arguments.windows(), ..tokens })
    }
}
