//! The way from a file to video tokens, one timed stage after the other.

use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use indicatif::ProgressBar;
use vqtoken::{
    Clip, Frame, QuantizerConfig, Sampling, TokenGrid, Video, VideoLlm, VideoTokens, WindowedQuantizer,
    builtin, quantize,
};
use vqtoken_core::Quantization;
use vqtoken_model::{FRAMES_AT_ONCE, FrameEncoder};

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
pub(crate) fn embed(
    model: &VideoLlm,
    clip: &Clip,
    arguments: &EncodingArguments,
    stages: &mut Stages,
) -> anyhow::Result<TokenGrid> {
    let bar = output::bar("vision", clip.frames.len());
    let mut tokens = Vec::new();
    let mut encoder = FrameEncoder::new(model, arguments.repeat_threshold());
    for (index, frame) in clip.frames.iter().enumerate() {
        if encoder.take(frame.clone()) || index + 1 == clip.frames.len() {
            bar.inc(encoder.due() as u64);
            tokens.extend(encode_waiting(&mut encoder, stages)?);
        }
    }
    bar.finish_and_clear();
    Ok(model.token_grid(clip.frames.len(), tokens)?)
}

fn encode_waiting(encoder: &mut FrameEncoder<'_>, stages: &mut Stages) -> anyhow::Result<Vec<f32>> {
    let pixels = stages.time("pixels", || encoder.pixels());
    Ok(stages.time("vision", || encoder.encode_pixels(&pixels))?)
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

/// Video tokens, and how much of the video was a repeat.
pub(crate) struct Encoded {
    pub(crate) tokens: VideoTokens,
    /// Frames that were not computed because they repeat one before them.
    pub(crate) repeated_frames: usize,
}

/// Video tokens of a clip.
pub(crate) fn encode(
    model: &VideoLlm,
    clip: &Clip,
    arguments: &EncodingArguments,
    stages: &mut Stages,
) -> anyhow::Result<Encoded> {
    let mut encoder = Encoder::new(model, arguments, Some(clip.frames.len()), stages)?;
    for (frame, &seconds) in clip.frames.iter().zip(&clip.timestamps) {
        encoder.take(frame.clone(), seconds)?;
    }
    encoder.finish(clip)
}

/// Video tokens of a video of any length. Frames are decoded while those before them are encoded; few are held at a time.
///
/// The time of the stage "decode" is what the others had to wait for.
pub(crate) fn encode_video(
    model: &VideoLlm,
    path: &Path,
    arguments: &EncodingArguments,
    stages: &mut Stages,
) -> anyhow::Result<Encoded> {
    let video = stages.time("decode", || Video::open(path))?;
    let sampling = arguments.sampling();
    let frames = stages.time("decode", || video.sampled_frames(sampling))?;
    let mut encoder = Encoder::new(model, arguments, frames, stages)?;
    let (sender, receiver) = sync_channel::<(Frame, f64)>(FRAMES_AT_ONCE);
    let clip = thread::scope(|scope| -> anyhow::Result<Clip> {
        let decoder = scope.spawn(move || {
            // Nobody listens any more once encoding has failed.
            video.sample_each(sampling, &mut |frame, seconds| drop(sender.send((frame, seconds))))
        });
        while let Ok((frame, seconds)) = encoder.stages.time("decode", || receiver.recv()) {
            encoder.take(frame, seconds)?;
        }
        drop(receiver);
        decoder
            .join()
            .map_err(|_| anyhow::anyhow!("{}: the decoder stopped", path.display()))?
            .map_err(Into::into)
    })?;
    let lost = matches!(sampling, Sampling::Uniform(wanted) if clip.timestamps.len() < wanted.min(clip.decoded_frames));
    if lost && !clip.damage.is_empty() {
        // The headers promised frames that do not decode: sample evenly over those that do.
        let clip = sample(path, arguments, stages)?;
        return encode(model, &clip, arguments, stages);
    }
    warn_of_damage(path, &clip);
    encoder.finish(&clip)
}

/// Frames in, video tokens out.
struct Encoder<'a> {
    model: &'a VideoLlm,
    arguments: &'a EncodingArguments,
    stages: &'a mut Stages,
    frames: FrameEncoder<'a>,
    quantizer: WindowedQuantizer,
    /// Of the frames whose tokens are due.
    times: Vec<f64>,
    bar: ProgressBar,
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
        let frames = FrameEncoder::new(model, arguments.repeat_threshold());
        Ok(Self { model, arguments, stages, frames, quantizer, times: Vec::new(), bar })
    }

    fn take(&mut self, frame: Frame, seconds: f64) -> anyhow::Result<()> {
        self.times.push(seconds);
        if self.frames.take(frame) {
            self.encode_waiting()?;
        }
        Ok(())
    }

    fn encode_waiting(&mut self) -> anyhow::Result<()> {
        let times = std::mem::take(&mut self.times);
        if times.is_empty() {
            return Ok(());
        }
        let tokens = encode_waiting(&mut self.frames, self.stages)?;
        let grid = self.model.token_grid(times.len(), tokens)?;
        self.stages.time("quantize", || self.quantizer.push(&grid, &times))?;
        self.bar.inc(times.len() as u64);
        Ok(())
    }

    fn finish(mut self, clip: &Clip) -> anyhow::Result<Encoded> {
        self.encode_waiting()?;
        self.bar.finish_and_clear();
        let spinner = output::spinner("quantize");
        let quantization = self.stages.time("quantize", || self.quantizer.finish())?;
        spinner.finish_and_clear();
        let tokens = self.model.video_tokens(clip, quantization, self.arguments.budget());
        let tokens = VideoTokens { windows: self.arguments.windows(), ..tokens };
        Ok(Encoded { tokens, repeated_frames: self.frames.repeats() })
    }
}
