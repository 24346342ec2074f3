//! Writing small H.264 MP4 files from RGB frames, for tests, demos and data sets.

mod mux;

use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use rusty_h264_common::YuvFrame;
use rusty_h264_common::nal::split_annex_b;
use rusty_h264_encoder::{Encoder, EncoderConfig, Preset};
use vqtoken_files::{NewFile, WriteError};

use self::mux::{MEDIA_OFFSET, TIMESCALE, TrackFacts};
use crate::colour;
use crate::error::VideoError;
use crate::frame::Frame;

/// How to encode.
#[derive(Clone, Debug, PartialEq)]
pub struct Mp4Options {
    /// Quantizer of constant quality, 0 (largest file) to 51; about 6 more halve the file.
    pub quantizer: u8,
    /// Bits a second to aim at instead of constant quality.
    pub bitrate: Option<u32>,
    /// A keyframe at least every so many frames.
    pub keyframe_interval: u32,
    /// Degrees clockwise by which players are to turn the picture: 0, 90, 180 or 270.
    pub rotation: u16,
}

impl Default for Mp4Options {
    fn default() -> Self {
        Self { quantizer: 23, bitrate: None, keyframe_interval: 250, rotation: 0 }
    }
}

/// Writes frames of one size to an H.264 MP4 file: keyframes and P-frames, BT.601 limited range, tagged so.
///
/// The file appears under its name when [`Mp4Writer::finish`] succeeds, and not before. The same frames and
/// options give the same bytes.
pub struct Mp4Writer {
    file: NewFile,
    encoder: Encoder,
    width: usize,
    height: usize,
    rotation: u16,
    frame_seconds: f64,
    /// Start of the next frame.
    seconds: f64,
    ticks: u64,
    durations: Vec<u32>,
    sizes: Vec<u32>,
    keyframes: Vec<u32>,
    sequence_set: Vec<u8>,
    picture_set: Vec<u8>,
}

impl std::fmt::Debug for Mp4Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mp4Writer").field("path", &self.file.path()).finish_non_exhaustive()
    }
}

impl Mp4Writer {
    /// Starts a file of `width` x `height` pixels and `fps` frames a second.
    ///
    /// # Errors
    /// [`VideoError::Encode`] for odd or empty sizes (4:2:0 pictures have even sides), a rate that is not above
    /// 0 or options out of range; [`VideoError::Write`] when the file cannot be created.
    pub fn create(
        path: impl AsRef<Path>,
        width: usize,
        height: usize,
        fps: f64,
        options: Mp4Options,
    ) -> Result<Mp4Writer, VideoError> {
        let path = path.as_ref();
        let encoder = check(width, height, fps, &options)
            .and_then(|()| encoder(width, height, fps, &options))
            .map_err(|reason| VideoError::Encode { path: path.to_owned(), reason })?;
        let mut file = NewFile::create(path)?;
        file.write_all(&mux::opening(0)).map_err(|source| WriteError::io(path, source))?;
        Ok(Mp4Writer {
            file,
            encoder,
            width,
            height,
            rotation: options.rotation,
            frame_seconds: 1.0 / fps,
            seconds: 0.0,
            ticks: 0,
            durations: Vec::new(),
            sizes: Vec::new(),
            keyframes: Vec::new(),
            sequence_set: Vec::new(),
            picture_set: Vec::new(),
        })
    }

    /// Adds a frame that is shown for `1 / fps` seconds.
    ///
    /// # Errors
    /// [`VideoError::Encode`] for a frame of another size, [`VideoError::Write`] when writing fails.
    pub fn push(&mut self, frame: &Frame) -> Result<(), VideoError> {
        self.push_for(frame, self.frame_seconds)
    }

    /// Adds a frame that is shown for so many seconds.
    ///
    /// # Errors
    /// Those of [`Mp4Writer::push`], and [`VideoError::Encode`] for a duration under a tick (1/90000 s) or over
    /// twelve hours.
    pub fn push_for(&mut self, frame: &Frame, seconds: f64) -> Result<(), VideoError> {
        if (frame.width(), frame.height()) != (self.width, self.height) {
            return Err(self.refuse(format!(
                "a frame of {} x {} pixels in a file of {} x {}: resize it first",
                frame.width(),
                frame.height(),
                self.width,
                self.height
            )));
        }
        // The end is rounded, not the duration, so that errors do not add up.
        let end = ((self.seconds + seconds) * f64::from(TIMESCALE)).round();
        let duration = end - self.ticks as f64;
        if !(1.0..=f64::from(u32::MAX)).contains(&duration) {
            return Err(self.refuse(format!("a frame that lasts {seconds} s")));
        }
        let (y, u, v) = colour::to_yuv420(frame);
        let planes = YuvFrame { width: self.width, height: self.height, y, u, v };
        let stream = self.encoder.try_encode(&planes).map_err(|error| self.refuse(error.to_string()))?;
        self.add_sample(&stream)?;
        self.durations.push(duration as u32);
        self.ticks = end as u64;
        self.seconds += seconds;
        Ok(())
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// [`VideoError::Encode`] when no frame was pushed, [`VideoError::Write`] when writing fails.
    pub fn finish(mut self) -> Result<(), VideoError> {
        if self.sizes.is_empty() {
            return Err(self.refuse("no frame was pushed".into()));
        }
        let movie = mux::movie(&TrackFacts {
            width: self.width,
            height: self.height,
            rotation: self.rotation,
            sequence_set: &self.sequence_set,
            picture_set: &self.picture_set,
            sizes: &self.sizes,
            durations: &self.durations,
            keyframes: &self.keyframes,
        });
        complete(&mut self.file, &movie).map_err(|source| WriteError::io(self.file.path(), source))?;
        Ok(self.file.finish()?)
    }

    /// Writes the NAL units of one access unit with length prefixes; parameter sets go to the header.
    fn add_sample(&mut self, stream: &[u8]) -> Result<(), VideoError> {
        const IDR: u8 = 5;
        const SEQUENCE_SET: u8 = 7;
        const PICTURE_SET: u8 = 8;
        let mut sample = Vec::with_capacity(stream.len() + 16);
        let mut keyframe = false;
        for nal in split_annex_b(stream) {
            match nal.first().map(|header| header & 31) {
                None => {}
                Some(SEQUENCE_SET) => self.sequence_set = nal.to_vec(),
                Some(PICTURE_SET) => self.picture_set = nal.to_vec(),
                Some(kind) => {
                    keyframe |= kind == IDR;
                    sample.extend((nal.len() as u32).to_be_bytes());
                    sample.extend_from_slice(nal);
                }
            }
        }
        self.sizes.push(sample.len() as u32);
        if keyframe {
            self.keyframes.push(self.sizes.len() as u32);
        }
        let written = self.file.write_all(&sample);
        Ok(written.map_err(|source| WriteError::io(self.file.path(), source))?)
    }

    fn refuse(&self, reason: String) -> VideoError {
        VideoError::Encode { path: self.file.path().to_owned(), reason }
    }
}

fn check(width: usize, height: usize, fps: f64, options: &Mp4Options) -> Result<(), String> {
    /// The longest side that the track header can state.
    const LONGEST: usize = 16_384;
    if width == 0 || height == 0 || width % 2 == 1 || height % 2 == 1 || width.max(height) > LONGEST {
        return Err(format!(
            "{width} x {height} pixels: H.264 with 4:2:0 chroma takes even sides from 2 to {LONGEST}, crop or pad"
        ));
    }
    if !(fps.is_finite() && fps > 0.0 && fps <= f64::from(TIMESCALE)) {
        return Err(format!("{fps} frames a second: give a number above 0 and up to {TIMESCALE}"));
    }
    if options.quantizer > 51 {
        return Err(format!("quantizer {}: give 0 to 51", options.quantizer));
    }
    if !matches!(options.rotation, 0 | 90 | 180 | 270) {
        return Err(format!("rotation by {} degrees: give 0, 90, 180 or 270", options.rotation));
    }
    Ok(())
}

fn encoder(width: usize, height: usize, fps: f64, options: &Mp4Options) -> Result<Encoder, String> {
    let mut config = EncoderConfig::new(width, height);
    config.preset = Preset::Balanced;
    config.qp = options.quantizer;
    config.bitrate = options.bitrate.unwrap_or(0);
    config.framerate = fps as f32;
    config.gop_size = options.keyframe_interval.max(1);
    // No looking ahead: each call returns the access unit of its own frame.
    config.mbtree = false;
    config.scenecut = 0;
    Encoder::new(config).map_err(|error| error.to_string())
}

/// Adds the movie's header after the samples, and says at the beginning how long these are.
fn complete(file: &mut NewFile, movie: &[u8]) -> io::Result<()> {
    let media_len = file.stream_position()? - MEDIA_OFFSET;
    file.write_all(movie)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&mux::opening(media_len))
}
