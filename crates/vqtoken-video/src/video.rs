//! From a path to a clip: opening, sampling, and what is known about both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vqtoken_files::{Limit, Limits};

use crate::clip::Clip;
use crate::error::VideoError;
use crate::frame::Frame;
use crate::info::{Decoder, OpenOptions, VideoInfo};
use crate::open::{ffmpeg_after, open_source};
use crate::sampling::Sampling;
use crate::source::{Opened, Pass, Source, Wanted};
use crate::warning::Warning;

/// A video file, an animation or a folder of images. Holds headers only; frames are decoded by [`Video::sample`].
pub struct Video {
    options: OpenOptions,
    info: VideoInfo,
    source: Box<dyn Source>,
}

impl std::fmt::Debug for Video {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Video").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Video {
    /// Opens a file or a folder of images, reading headers only.
    ///
    /// # Errors
    /// When there is nothing, when it is no video or holds none, or when it needs `ffmpeg` and there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Video, VideoError> {
        Video::open_with(path, &OpenOptions::default())
    }

    /// [`Video::open`] with options.
    ///
    /// # Errors
    /// Those of [`Video::open`], and [`VideoError::BadSampling`] for a rate that is not above 0.
    pub fn open_with(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Video, VideoError> {
        let (info, source) = open_source(path.as_ref(), options)?;
        Ok(Video { options: options.clone(), info, source })
    }

    /// What the headers say.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// Decodes the stream and keeps the sampled frames only.
    ///
    /// The indices count the frames that really decode, in display order. When those turn out to be others
    /// than the headers promised, the stream is gone through a second time.
    ///
    /// # Errors
    /// [`VideoError::BadSampling`] for a sampling without frames, [`VideoError::NoFrames`] when nothing decodes,
    /// and whatever reading and decoding run into.
    pub fn sample(&self, sampling: Sampling) -> Result<Clip, VideoError> {
        sampling.check()?;
        match self.sample_from(self.source.as_ref(), sampling, self.info.clone()) {
            Err(error) if self.is_worth_another_try(&error) => {
                let ((info, source), error) = self.ffmpeg_instead(error)?;
                let sampled = self.sample_from(source.as_ref(), sampling, info);
                sampled.map_err(|ffmpeg| self.both(error, ffmpeg))
            }
            result => result.map_err(|error| self.with_earlier(error)),
        }
    }

    /// How many frames a sampling gives, as far as the headers tell.
    ///
    /// # Errors
    /// [`VideoError::BadSampling`] for a sampling without frames, or with more than ten million.
    pub fn sampled_frames(&self, sampling: Sampling) -> Result<Option<usize>, VideoError> {
        sampling.check()?;
        match self.source.expected_timestamps() {
            Some(timestamps) => Ok(Some(self.indices(sampling, &timestamps)?.len())),
            None => Ok(None),
        }
    }

    /// Decodes the stream and hands out the sampled frames one by one, each with the time at which it is shown, so that no more than
    /// one is held. The clip that comes back says what was sampled but has no frames.
    ///
    /// Where the headers do not tell the frames, they are counted in a first pass. Where they tell others than those that
    /// decode (a damaged stream), frames are sampled as the headers say, as far as they decode.
    ///
    /// # Errors
    /// Those of [`Video::sample`].
    pub fn sample_each(
        &self,
        sampling: Sampling,
        take: &mut dyn FnMut(Frame, f64),
    ) -> Result<Clip, VideoError> {
        sampling.check()?;
        let mut taken = 0;
        let mut count = |frame: Frame, seconds: f64| {
            taken += 1;
            take(frame, seconds);
        };
        match self.each_from(self.source.as_ref(), sampling, self.info.clone(), &mut count) {
            Err(error) if taken == 0 && self.is_worth_another_try(&error) => {
                let ((info, source), error) = self.ffmpeg_instead(error)?;
                let sampled = self.each_from(source.as_ref(), sampling, info, take);
                sampled.map_err(|ffmpeg| self.both(error, ffmpeg))
            }
            result => result.map_err(|error| self.with_earlier(error)),
        }
    }

    fn each_from(
        &self,
        source: &dyn Source,
        sampling: Sampling,
        mut info: VideoInfo,
        take: &mut dyn FnMut(Frame, f64),
    ) -> Result<Clip, VideoError> {
        let expected = match source.expected_timestamps() {
            Some(timestamps) => timestamps,
            None => source.pass(&Wanted::These(Vec::new()), &mut |_, _| Ok(()))?.timestamps,
        };
        let indices = self.indices(sampling, &expected)?;
        let mut taken = Vec::new();
        let pass = source.pass(&Wanted::These(unique(&indices)), &mut |index, frame| {
            (info.width, info.height) = (frame.width(), frame.height());
            let first = indices.partition_point(|&sampled| sampled < index);
            for _ in indices[first..].iter().take_while(|&&sampled| sampled == index) {
                taken.push(index);
                take(frame.clone(), expected[index]);
            }
            Ok(())
        })?;
        if taken.is_empty() {
            return Err(no_frames(info.path, &pass));
        }
        Ok(clip(info, sampling, indices.len(), (taken, Vec::new()), pass))
    }

    /// The indices of the sampled frames among all frames of the video.
    fn indices(&self, sampling: Sampling, timestamps: &[f64]) -> Result<Vec<usize>, VideoError> {
        let span = self.options.span;
        if span.is_whole() {
            return sampling.indices(timestamps);
        }
        let frames = span.frames(timestamps);
        let (Some(&first), Some(&last)) = (timestamps.first(), timestamps.last()) else {
            return Ok(Vec::new());
        };
        if frames.is_empty() {
            return Err(VideoError::Span { path: self.info.path.clone(), span, first, last });
        }
        let indices = sampling.indices(&timestamps[frames.clone()])?;
        Ok(indices.into_iter().map(|index| frames.start + index).collect())
    }

    /// Another decoder may know a feature that this one does not, and conceals damage.
    fn is_worth_another_try(&self, error: &VideoError) -> bool {
        self.info.decoder != Decoder::Ffmpeg && error.depends_on_decoder() && self.info.path.is_file()
    }

    fn ffmpeg_instead(&self, failure: VideoError) -> Result<(Opened, VideoError), VideoError> {
        let codec = match &failure {
            VideoError::UnsupportedCodec { codec, .. } => codec.clone(),
            _ => self.info.codec.clone(),
        };
        let known = VideoInfo { codec, ..self.info.clone() };
        ffmpeg_after(failure, known, self.source.expected_timestamps(), &self.options)
    }

    /// Adds why the file was not read without `ffmpeg`, where that was found at opening.
    fn with_earlier(&self, error: VideoError) -> VideoError {
        let earlier = self.info.warnings.iter().find_map(|warning| match warning {
            Warning::ReadThroughFfmpeg { reason } => {
                Some(reason.strip_prefix("not a video: ").unwrap_or(reason).to_owned())
            }
            _ => None,
        });
        match earlier {
            Some(reason) => self.both(VideoError::NotAVideo { path: self.info.path.clone(), reason }, error),
            None => error,
        }
    }

    fn both(&self, native: VideoError, ffmpeg: VideoError) -> VideoError {
        if !ffmpeg.depends_on_decoder() && !matches!(ffmpeg, VideoError::Ffmpeg { .. }) {
            return ffmpeg;
        }
        VideoError::Both { path: self.info.path.clone(), native: Box::new(native), ffmpeg: Box::new(ffmpeg) }
    }

    fn sample_from(
        &self,
        source: &dyn Source,
        sampling: Sampling,
        info: VideoInfo,
    ) -> Result<Clip, VideoError> {
        let mut kept = Kept::new(&self.info.path, self.options.limits);
        let expected = match source.expected_timestamps() {
            Some(timestamps) => self.indices(sampling, &timestamps)?,
            None => Vec::new(),
        };
        kept.check(unique(&expected).len(), info.width, info.height)?;
        let all = sampling == Sampling::All && self.options.span.is_whole();
        let wanted = if all { Wanted::All } else { Wanted::These(unique(&expected)) };
        let mut pass = kept.fill(source, &wanted)?;
        let mut indices = self.indices(sampling, &pass.timestamps)?;
        if !all && indices != expected {
            let wanted = unique(&indices);
            kept.check(wanted.len(), info.width, info.height)?;
            pass = kept.fill(source, &Wanted::These(wanted))?;
            indices = sampling.indices(&pass.timestamps)?;
        }
        let asked = indices.len();
        // A source that changed its mind between two passes gives fewer frames, never wrong ones.
        indices.retain(|index| kept.frames.contains_key(index));
        if indices.is_empty() {
            return Err(no_frames(info.path, &pass));
        }
        let frames = indices.iter().filter_map(|index| kept.frames.get(index).cloned()).collect();
        Ok(clip(info, sampling, asked, (indices, frames), pass))
    }
}

/// A clip out of what a pass gave; `asked` is how many frames the sampling asked for.
fn clip(
    mut info: VideoInfo,
    sampling: Sampling,
    asked: usize,
    (indices, frames): (Vec<usize>, Vec<Frame>),
    pass: Pass,
) -> Clip {
    if let Some(first) = frames.first() {
        (info.width, info.height) = (first.width(), first.height());
    }
    let decoded = pass.timestamps.len();
    let mut warnings: Vec<Warning> = info.warnings.iter().cloned().chain(pass.warnings).collect();
    let lost: usize = pass.damage.iter().map(|damage| damage.lost).sum();
    if let Some(promised) = info.frames.filter(|&promised| decoded + lost < promised) {
        warnings.push(Warning::FewerFrames { promised, decoded });
    }
    match sampling {
        Sampling::Uniform(asked) if asked > decoded => {
            warnings.push(Warning::RepeatedFrames { asked, frames: decoded });
        }
        _ => {}
    }
    if indices.len() < asked {
        warnings.push(Warning::MissingFrames { missing: asked - indices.len(), sampled: asked });
    }
    let timestamps = indices.iter().filter_map(|&index| pass.timestamps.get(index).copied()).collect();
    Clip { frames, timestamps, indices, info, decoded_frames: decoded, damage: pass.damage, warnings }
}

/// Frames that are held, by display index, and how much they may take.
struct Kept<'a> {
    path: &'a Path,
    limits: Limits,
    frames: BTreeMap<usize, Frame>,
}

impl<'a> Kept<'a> {
    fn new(path: &'a Path, limits: Limits) -> Self {
        Self { path, limits, frames: BTreeMap::new() }
    }

    /// Refuses so many frames of a size before any is decoded. A size that is not known is 0.
    fn check(&self, frames: usize, width: usize, height: usize) -> Result<(), VideoError> {
        too_large(self.path, &self.limits, (frames as u64).saturating_mul(bytes(width, height)))
    }

    fn fill(&mut self, source: &dyn Source, wanted: &Wanted) -> Result<Pass, VideoError> {
        self.frames.clear();
        let Self { path, limits, frames } = self;
        let mut held = 0_u64;
        source.pass(wanted, &mut |index, frame| {
            held = held.saturating_add(bytes(frame.width(), frame.height()));
            frames.insert(index, frame);
            too_large(path, limits, held)
        })
    }
}

fn bytes(width: usize, height: usize) -> u64 {
    (width as u64).saturating_mul(height as u64).saturating_mul(3)
}

fn too_large(path: &Path, limits: &Limits, bytes: u64) -> Result<(), VideoError> {
    let checked = limits.check(Limit::Bytes, bytes);
    checked.map_err(|source| VideoError::SampleTooLarge { path: path.to_path_buf(), source })
}

fn no_frames(path: PathBuf, pass: &Pass) -> VideoError {
    let reason = match pass.damage.first() {
        Some(damage) => damage.to_string(),
        None => "the stream is empty".into(),
    };
    VideoError::NoFrames { path, reason }
}

fn unique(ascending: &[usize]) -> Vec<usize> {
    let mut unique = ascending.to_vec();
    unique.dedup();
    unique
}
