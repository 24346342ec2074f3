//! Why a live stream gives no more frames.

use vqtoken_files::LimitError;

/// Why a live stream gives no more frames. Every message is one line: what, where, remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveVideoError {
    /// There is no `ffmpeg`.
    #[error(
        "{source_name}: reading a stream needs ffmpeg, and `{program}` was not found: install ffmpeg and put it on PATH, or name \
         it in VQTOKEN_FFMPEG"
    )]
    NoFfmpeg {
        /// The source, without passwords.
        source_name: String,
        /// The program that was looked for.
        program: String,
    },
    /// A rate that is not above 0.
    #[error("{rate} frames a second: give a number above 0 and at most 1000")]
    Rate {
        /// What was asked.
        rate: f64,
    },
    /// No frame came for too long.
    #[error("{source_name}: no frame for {seconds} s: the source has stalled, or cannot be reached")]
    Stalled {
        /// The source, without passwords.
        source_name: String,
        /// How long it was waited for.
        seconds: f64,
    },
    /// `ffmpeg` could not read it, or failed later.
    #[error("{source_name}: ffmpeg failed: {said}")]
    Failed {
        /// The source, without passwords.
        source_name: String,
        /// Its last complaint.
        said: String,
    },
    /// The frames are larger than is allowed.
    #[error("{source_name}: {source}")]
    Limit {
        /// The source, without passwords.
        source_name: String,
        /// What they are, and the limit.
        source: LimitError,
    },
    /// [`OpenOptions::cancellation`](crate::OpenOptions::cancellation) was set.
    #[error("{source_name}: reading was cancelled")]
    Cancelled {
        /// The source, without passwords.
        source_name: String,
    },
}
