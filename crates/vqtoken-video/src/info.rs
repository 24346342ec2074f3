//! What is known of a video before it is decoded.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use vqtoken_files::Limits;

use crate::cancellation::Cancellation;
use crate::span::Span;
use crate::warning::Warning;

/// Who turns the bytes into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decoder {
    /// This crate: H.264 in MP4 and MOV.
    Native,
    /// The `ffmpeg` program.
    Ffmpeg,
    /// Still pictures, animated GIF, WebP and PNG.
    Images,
}

/// What the headers of a video say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VideoInfo {
    /// Where it lies.
    pub path: PathBuf,
    /// Name of the container.
    pub container: String,
    /// Name of the codec.
    pub codec: String,
    /// Width in pixels as displayed, after rotation; 0 when not known before decoding.
    pub width: usize,
    /// Height in pixels as displayed, after rotation; 0 when not known before decoding.
    pub height: usize,
    /// How many frames the headers promise, if they do.
    pub frames: Option<usize>,
    /// Seconds, if the headers say.
    pub duration: Option<f64>,
    /// When it was recorded, if the container says so and the time is no impossible one: neither before 1970 nor more than a day ahead of the clock.
    pub created: Option<SystemTime>,
    /// Degrees clockwise by which decoded pictures are turned for display; already applied to every frame.
    pub rotation: u16,
    /// Size of the file, or of all images together.
    pub file_bytes: u64,
    /// Who decodes it.
    pub decoder: Decoder,
    /// What is read otherwise than the file has it, as far as the headers tell.
    pub warnings: Vec<Warning>,
}

impl VideoInfo {
    /// Nothing known but where the bytes lie and how many there are.
    pub(crate) fn unknown(path: PathBuf, file_bytes: u64) -> Self {
        Self {
            path,
            container: String::new(),
            codec: String::new(),
            width: 0,
            height: 0,
            frames: None,
            duration: None,
            created: None,
            rotation: 0,
            file_bytes,
            decoder: Decoder::Ffmpeg,
            warnings: Vec::new(),
        }
    }
}

/// Whether other programs may be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Programs {
    /// `ffmpeg`, for what is not decoded here.
    #[default]
    Ffmpeg,
    /// None.
    None,
}

/// How to open a video: what a file may ask for, and what it does not say itself.
///
/// ```
/// use std::time::Duration;
/// use vqtoken_files::{Limit, Limits};
/// use vqtoken_video::OpenOptions;
///
/// let options = OpenOptions::default()
///     .with_images_per_second(25.0)
///     .with_limits(Limits::default().with(Limit::FramePixels, 1 << 22))
///     .with_patience(Duration::from_secs(10));
/// assert_eq!(options.images_per_second, 25.0);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenOptions {
    /// Frames a second of a folder of images. Default 1.
    pub images_per_second: f64,
    /// How large a thing the file may ask for.
    pub limits: Limits,
    /// Which programs may be run.
    pub programs: Programs,
    /// How long `ffmpeg` may take without any sign of progress before it is stopped. Default 60 seconds.
    pub patience: Duration,
    /// Times of a live stream's frames are when they arrive, for streams without times of their own, such as MJPEG. Default no.
    pub arrival_times: bool,
    /// Which part of the video is looked at. Default all of it.
    pub span: Span,
    /// Ends decoding with [`VideoError::Cancelled`](crate::VideoError::Cancelled) once it is set.
    pub cancellation: Cancellation,
}

impl OpenOptions {
    /// The same with another rate for folders of images, in frames a second.
    #[must_use]
    pub fn with_images_per_second(mut self, rate: f64) -> Self {
        self.images_per_second = rate;
        self
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same with other programs that may be run.
    #[must_use]
    pub fn with_programs(mut self, programs: Programs) -> Self {
        self.programs = programs;
        self
    }

    /// The same with another time that `ffmpeg` may take without progress.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The same, with frames of a live stream timed by their arrival.
    #[must_use]
    pub fn with_arrival_times(mut self, arrival_times: bool) -> Self {
        self.arrival_times = arrival_times;
        self
    }

    /// The same for a part of the video.
    #[must_use]
    pub fn with_span(mut self, span: Span) -> Self {
        self.span = span;
        self
    }

    /// The same with a flag that ends decoding.
    #[must_use]
    pub fn with_cancellation(mut self, cancellation: Cancellation) -> Self {
        self.cancellation = cancellation;
        self
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            images_per_second: 1.0,
            limits: Limits::default(),
            programs: Programs::default(),
            patience: Duration::from_secs(60),
            arrival_times: false,
            span: Span::default(),
            cancellation: Cancellation::default(),
        }
    }
}
