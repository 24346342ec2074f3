//! Frames to video tokens, and to token grids.

use pyo3::prelude::*;
use vqtoken::{
    Encoded, Encoder, EncoderOptions, EncodingEvent, Frame, ModelError, OpenOptions, Sampling, TokenGrid,
    Video, VideoLlm, VisionSide, Windows,
};

use crate::errors::{Exception, OrRaise};
use crate::frames::{FrameStream, feed};
use crate::quantize::budget_of;
use crate::video_source::VideoSource;
use crate::work::{self, Watch};

/// Video tokens, and what has to be said of the video.
pub(crate) type TokensAndWarnings = (vqtoken::VideoTokens, Vec<String>);

/// How frames become video tokens.
pub(crate) fn encoder_options(
    tokens: Option<&Bound<'_, PyAny>>,
    window: Option<f64>,
    total: Option<&Bound<'_, PyAny>>,
    near_repeats: f64,
    seed: u64,
) -> PyResult<EncoderOptions> {
    let options = tokens.map_or(Ok(EncoderOptions::default()), |tokens| {
        Ok::<_, PyErr>(EncoderOptions::new(budget_of(tokens)?))
    })?;
    let total = total.map(budget_of).transpose()?;
    if total.is_some() && window.is_none() {
        return Err(
            Exception::Reduce.error("total= needs window=: it quantizes the codes of windows once more")
        );
    }
    if !(near_repeats.is_finite() && near_repeats >= 0.0) {
        return Err(
            Exception::Reduce.error(format!("near_repeats is a number of at least 0, not {near_repeats}"))
        );
    }
    let windows = window.map(|seconds| Windows { seconds, total });
    Ok(options.with_windows(windows).with_near_repeats(near_repeats).with_seed(seed))
}

/// Video tokens of a source.
pub(crate) fn encode(
    py: Python<'_>,
    model: &VideoLlm,
    source: VideoSource<'_>,
    options: EncoderOptions,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<TokensAndWarnings> {
    let model = model.clone();
    match source {
        VideoSource::Path(path, sampling) => work::run(py, progress, move |watch| {
            let video = Video::open_with(path, &opening(watch)).or_raise()?;
            let encoded =
                encode_file(&vision(&model, watch)?, &video, sampling, options, watch).or_raise()?;
            Ok((encoded.tokens.clone(), encoded.messages()))
        }),
        VideoSource::Frames(frames, times) => feed(&frames, &times, progress, move |watch, frames| {
            let mut encoder = vision(&model, watch)?.encoder(options).or_raise()?;
            let tokens = encode_frames(&mut encoder, frames, watch).or_raise()?;
            Ok((tokens, Vec::new()))
        }),
    }
}

/// The token grid of a source, and what has to be said of the video.
pub(crate) fn token_grid(
    py: Python<'_>,
    model: &VideoLlm,
    source: VideoSource<'_>,
    near_repeats: f64,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<(TokenGrid, Vec<String>)> {
    let model = model.clone();
    match source {
        VideoSource::Path(path, sampling) => work::run(py, progress, move |watch| {
            let clip = Video::open_with(path, &opening(watch)).and_then(|video| video.sample(sampling));
            let clip = clip.or_raise()?;
            let expected = Some(clip.frames.len());
            let frames = clip.frames.iter().cloned();
            let grid = embed(&vision(&model, watch)?, frames, near_repeats, expected, watch).or_raise()?;
            Ok((grid, clip.messages()))
        }),
        VideoSource::Frames(frames, times) => feed(&frames, &times, progress, move |watch, frames| {
            let frames = frames.map(|(frame, _)| frame);
            let grid = embed(&vision(&model, watch)?, frames, near_repeats, None, watch).or_raise()?;
            Ok((grid, Vec::new()))
        }),
    }
}

fn opening(watch: &Watch) -> OpenOptions {
    OpenOptions::default().with_cancellation(watch.cancellation.clone())
}

fn vision(model: &VideoLlm, watch: &Watch) -> PyResult<VisionSide> {
    Ok(model.vision().or_raise()?.clone().with_cancellation(watch.cancellation.clone()))
}

fn encode_file(
    vision: &VisionSide,
    video: &Video,
    sampling: Sampling,
    options: EncoderOptions,
    watch: &Watch,
) -> Result<Encoded, ModelError> {
    vision.encode_video(video, sampling, options, &mut |event| {
        if let EncodingEvent::Progress(progress) = event {
            watch.tell((progress.frames, progress.expected_frames));
        }
    })
}

fn encode_frames(
    encoder: &mut Encoder,
    frames: FrameStream,
    watch: &Watch,
) -> Result<vqtoken::VideoTokens, ModelError> {
    for (frame, seconds) in frames {
        encoder.push(frame, seconds)?;
        watch.tell((encoder.quantized_frames(), None));
    }
    if watch.cancellation.is_cancelled() {
        return Err(ModelError::Cancelled);
    }
    encoder.finish()
}

fn embed(
    vision: &VisionSide,
    frames: impl Iterator<Item = Frame>,
    near_repeats: f64,
    expected: Option<usize>,
    watch: &Watch,
) -> Result<TokenGrid, ModelError> {
    let frames = frames.enumerate().map(|(index, frame)| {
        watch.tell((index, expected));
        frame
    });
    Ok(vision.embed_frames(frames, near_repeats)?.grid)
}
