//! From a path to a clip: opening, sampling, and what is known about both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::clip::Clip;
use crate::error::VideoError;
use crate::ffmpeg;
use crate::frame::Frame;
use crate::info::{Decoder, OpenOptions, VideoInfo};
use crate::open::open_source;
use crate::sampling::Sampling;
use crate::source::{Opened, Pass, Source, Wanted};

/// A video file, an animated GIF or a folder of images. Holds headers only; frames are decoded by
/// [`Video::sample`].
pub struct Video {
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
        Ok(Video { info, source })
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
            Err(error) if self.info.decoder == Decoder::Native => {
                let (info, source) = self.ffmpeg_instead(error)?;
                self.sample_from(source.as_ref(), sampling, info)
            }
            result => result,
        }
    }

    /// How many frames a sampling gives, as far as the headers tell.
    ///
    /// # Errors
    /// [`VideoError::BadSampling`] for a sampling without frames, or with more than ten million.
    pub fn sampled_frames(&self, sampling: Sampling) -> Result<Option<usize>, VideoError> {
        sampling.check()?;
        match self.source.expected_timestamps() {
            Some(timestamps) => Ok(Some(sampling.indices(&timestamps)?.len())),
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
            Err(error) if self.info.decoder == Decoder::Native && taken == 0 => {
                let (info, source) = self.ffmpeg_instead(error)?;
                self.each_from(source.as_ref(), sampling, info, take)
            }
            result => result,
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
            None => source.pass(&Wanted::These(Vec::new()), &mut |_, _| ())?.timestamps,
        };
        let indices = sampling.indices(&expected)?;
        let mut taken = Vec::new();
        let pass = source.pass(&Wanted::These(unique(&indices)), &mut |index, frame| {
            (info.width, info.height) = (frame.width(), frame.height());
            let first = indices.partition_point(|&sampled| sampled < index);
            for _ in indices[first..].iter().take_while(|&&sampled| sampled == index) {
                taken.push(index);
                take(frame.clone(), expected[index]);
            }
        })?;
        if taken.is_empty() {
            return Err(no_frames(info.path, &pass));
        }
        Ok(Clip {
            frames: Vec::new(),
            timestamps: taken.iter().map(|&index| pass.timestamps[index]).collect(),
            indices: taken,
            info,
            decoded_frames: pass.timestamps.len(),
            damage: pass.damage,
        })
    }

    /// `ffmpeg` may know a feature that native decoding does not, and conceals damage.
    fn ffmpeg_instead(&self, failure: VideoError) -> Result<Opened, VideoError> {
        let codec = match &failure {
            VideoError::UnsupportedCodec { codec, .. } => codec.clone(),
            VideoError::NoFrames { .. } => self.info.codec.clone(),
            _ => return Err(failure),
        };
        let known = VideoInfo { codec, ..self.info.clone() };
        ffmpeg::open(known, self.source.expected_timestamps()).map_err(|_| failure)
    }

    fn sample_from(
        &self,
        source: &dyn Source,
        sampling: Sampling,
        mut info: VideoInfo,
    ) -> Result<Clip, VideoError> {
        let mut kept = BTreeMap::new();
        let expected = match source.expected_timestamps() {
            Some(timestamps) => sampling.indices(&timestamps)?,
            None => Vec::new(),
        };
        let wanted = if sampling == Sampling::All { Wanted::All } else { Wanted::These(unique(&expected)) };
        let mut pass = run(source, &wanted, &mut kept)?;
        let mut indices = sampling.indices(&pass.timestamps)?;
        if sampling != Sampling::All && indices != expected {
            kept.clear();
            pass = run(source, &Wanted::These(unique(&indices)), &mut kept)?;
            indices = sampling.indices(&pass.timestamps)?;
        }
        // A source that changed its mind between two passes gives fewer frames, never wrong ones.
        indices.retain(|index| kept.contains_key(index));
        let Some(first) = indices.first().and_then(|index| kept.get(index)) else {
            return Err(no_frames(info.path, &pass));
        };
        (info.width, info.height) = (first.width(), first.height());
        Ok(Clip {
            frames: indices.iter().filter_map(|index| kept.get(index).cloned()).collect(),
            timestamps: indices.iter().map(|&index| pass.timestamps[index]).collect(),
            indices,
            info,
            decoded_frames: pass.timestamps.len(),
            damage: pass.damage,
        })
    }
}

fn run(source: &dyn Source, wanted: &Wanted, kept: &mut BTreeMap<usize, Frame>) -> Result<Pass, VideoError> {
    source.pass(wanted, &mut |index, frame| {
        kept.insert(index, frame);
    })
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
