//! What can go wrong between a path and its frames.

use std::path::PathBuf;

use vqtoken_files::{LimitError, WriteError, quoted};

use crate::span::Span;

/// Why a video could not be opened, decoded, sampled or written. Every message is one line: what, where, remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VideoError {
    /// There is nothing at this path.
    #[error("{}: no such file or folder", quoted(path))]
    NotFound {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The path exists, but reading it failed.
    #[error("{}: cannot be read: {source}", quoted(path))]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Neither a file nor a folder: reading it might block, or never end.
    #[error("{}: it is {what}, not a file: copy its contents into a file first", quoted(path))]
    NotAFile {
        /// What was asked for.
        path: PathBuf,
        /// What it is, such as `a named pipe`.
        what: &'static str,
    },
    /// A file that names other files or addresses where the video is, which are not opened.
    #[error("{}: it is {what}, which refers to other files: give the video file itself", quoted(path))]
    RefersToOthers {
        /// The file.
        path: PathBuf,
        /// What it is, such as `an HLS playlist`.
        what: String,
    },
    /// The file asks for more than a limit allows.
    #[error("{}: {source}", quoted(path))]
    Limit {
        /// The file.
        path: PathBuf,
        /// What it asks for, and the limit.
        source: LimitError,
    },
    /// A picture claims far more pixels than a file of its size holds in any format.
    #[error(
        "{}: {width} x {height} pixels in {bytes} bytes: the file is damaged or made to exhaust memory, save it anew",
        quoted(path)
    )]
    Implausible {
        /// The picture.
        path: PathBuf,
        /// Width in pixels that it claims.
        width: usize,
        /// Height in pixels that it claims.
        height: usize,
        /// Size of the file.
        bytes: u64,
    },
    /// The sampled frames take more memory than the limit `bytes` allows.
    #[error(
        "{}: the sampled frames take {} bytes, and the limit is {}: sample fewer frames, or raise the limit `{}`",
        quoted(path), source.found, source.bound, source.limit.name()
    )]
    SampleTooLarge {
        /// The file or folder.
        path: PathBuf,
        /// What they take, and the limit.
        source: LimitError,
    },
    /// Two ways of reading a file both failed.
    #[error(
        "{}: neither this program can read it ({}) nor ffmpeg ({})",
        quoted(path), native.without(path), ffmpeg.without(path)
    )]
    Both {
        /// The file.
        path: PathBuf,
        /// Why it could not be read without `ffmpeg`.
        native: Box<VideoError>,
        /// Why `ffmpeg` could not read it.
        ffmpeg: Box<VideoError>,
    },
    /// `ffmpeg` made no progress.
    #[error(
        "{}: ffmpeg made no progress for {seconds} s and was stopped: the file is damaged, or its disk does not answer",
        quoted(path)
    )]
    Stalled {
        /// The file.
        path: PathBuf,
        /// How long it was waited for.
        seconds: f64,
    },
    /// The video track is encrypted. Without its key there is only noise in it.
    #[error("{}: the video track is encrypted: decrypt the file first", quoted(path))]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// Neither a known container, nor an image folder, nor anything `ffmpeg` could read.
    #[error("{}: not a video: {reason}", quoted(path))]
    NotAVideo {
        /// The file or folder.
        path: PathBuf,
        /// What was found instead.
        reason: String,
    },
    /// The container is readable and holds no video track.
    #[error("{}: the {container} file has no video track", quoted(path))]
    NoVideoTrack {
        /// The file.
        path: PathBuf,
        /// Name of the container.
        container: String,
    },
    /// Its [`Cancellation`](crate::Cancellation) was set.
    #[error("{}: decoding was cancelled", quoted(path))]
    Cancelled {
        /// The file or folder.
        path: PathBuf,
    },
    /// No frame lies in the part of the video that is asked for.
    #[error(
        "{}: no frame is shown {span}: the video has frames from {first:.3} s to {last:.3} s",
        quoted(path)
    )]
    Span {
        /// The file or folder.
        path: PathBuf,
        /// The part.
        span: Span,
        /// Seconds of the first frame.
        first: f64,
        /// Seconds of the last frame.
        last: f64,
    },
    /// There is a video track, or a folder, but no frame comes out of it.
    #[error("{}: no frame could be decoded: {reason}", quoted(path))]
    NoFrames {
        /// The file or folder.
        path: PathBuf,
        /// Why there are none.
        reason: String,
    },
    /// A codec, or a feature of H.264, that needs `ffmpeg` when there is none.
    #[error(
        "{}: {codec} in {container} needs ffmpeg, and `{program}` was not found: install ffmpeg and put it \
         on PATH, or name it in VQTOKEN_FFMPEG",
        quoted(path)
    )]
    UnsupportedCodec {
        /// The file.
        path: PathBuf,
        /// The codec as far as it is known, with the feature in question.
        codec: String,
        /// Name of the container.
        container: String,
        /// The program that was looked for.
        program: String,
    },
    /// The stream is damaged in a way that leaves nothing to use.
    #[error("{}: {what} at frame {frame}: the file is damaged, try a new copy of it", quoted(path))]
    Decode {
        /// The file.
        path: PathBuf,
        /// Which frame, counted in file order.
        frame: usize,
        /// What the decoder said.
        what: String,
    },
    /// `ffmpeg` ran and failed.
    #[error("{}: ffmpeg failed: {said}", quoted(path))]
    Ffmpeg {
        /// The file.
        path: PathBuf,
        /// The last words on its standard error.
        said: String,
    },
    /// A sampling that asks for nothing or for nonsense.
    #[error("bad sampling: {0}")]
    BadSampling(String),
    /// Times of frames that cannot be sampled by.
    #[error("the time of frame {frame} is {seconds} s: frames need finite times that do not go back")]
    BadTime {
        /// Which frame, in display order.
        frame: usize,
        /// Its time.
        seconds: f64,
    },
    /// A frame whose bytes do not fit its size.
    #[error("a frame of {width} x {height} RGB pixels needs {} bytes, got {got}", width.saturating_mul(*height).saturating_mul(3))]
    BadFrame {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// How many bytes there were.
        got: usize,
    },
    /// The images of one folder are not all of one size.
    #[error(
        "{}: image is {} x {}, but the first of the folder is {} x {}: a clip needs frames of one size",
        quoted(path), found.0, found.1, expected.0, expected.1
    )]
    MixedSizes {
        /// The image that differs.
        path: PathBuf,
        /// Its width and height.
        found: (usize, usize),
        /// Width and height of the first image.
        expected: (usize, usize),
    },
    /// Encoding or muxing was asked for something that it cannot do.
    #[error("{}: cannot be written: {reason}", quoted(path))]
    Encode {
        /// The file to be written.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl VideoError {
    /// The message without the path before it.
    pub(crate) fn without(&self, path: &std::path::Path) -> String {
        let text = self.to_string();
        match text.strip_prefix(&format!("{}: ", quoted(path))) {
            Some(rest) => rest.to_owned(),
            None => text,
        }
    }

    /// Whether another decoder may do better with the file.
    pub(crate) fn depends_on_decoder(&self) -> bool {
        matches!(
            self,
            VideoError::NotAVideo { .. }
                | VideoError::NoVideoTrack { .. }
                | VideoError::NoFrames { .. }
                | VideoError::UnsupportedCodec { .. }
                | VideoError::Decode { .. }
        )
    }
}

/// What a program or a library says, safe to print and in one line.
pub(crate) fn one_line(text: &str) -> String {
    vqtoken_files::visible(text.trim()).replace(['\n', '\t'], " ")
}
