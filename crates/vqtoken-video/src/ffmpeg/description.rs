//! What is known of a file before it is decoded.

use std::time::SystemTime;

/// A video stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stream {
    /// Among all streams of the file.
    pub(super) index: usize,
    /// FFmpeg's name of the codec.
    pub(super) codec: String,
    /// Width in pixels as coded.
    pub(super) width: usize,
    /// Height in pixels as coded.
    pub(super) height: usize,
    /// Degrees clockwise.
    pub(super) rotation: u16,
    /// The transfer function, where it is one of high dynamic range.
    pub(super) transfer: Option<String>,
    /// Whether players are to take it first.
    pub(super) is_default: bool,
    /// Whether it is a cover or another still picture.
    pub(super) is_attached: bool,
}

impl Stream {
    /// From degrees counterclockwise.
    pub(super) fn set_rotation(&mut self, degrees: &str) {
        let degrees: f64 = degrees.parse().unwrap_or(0.0);
        self.rotation = (-degrees.round() as i32).rem_euclid(360) as u16;
    }
}

/// What is known of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Description {
    /// FFmpeg's name of the container; none if it cannot open the file.
    pub(super) container: Option<String>,
    /// Seconds.
    pub(super) duration: Option<f64>,
    /// When it was recorded.
    pub(super) created: Option<SystemTime>,
    /// Video streams, in the order of the file.
    pub(super) streams: Vec<Stream>,
    /// The last complaint.
    pub(super) complaint: Option<String>,
    /// Width and height of a picture that is larger than the limit.
    pub(super) oversized: Option<(usize, usize)>,
}

impl Description {
    pub(super) fn complain(&mut self, text: String) {
        self.oversized = self.oversized.or(oversized(&text));
        self.complaint = Some(text);
    }
}

/// Width and height of a picture that was refused because of `-max_pixels`.
pub(super) fn oversized(complaint: &str) -> Option<(usize, usize)> {
    let (before, _) = complaint.split_once(" exceeds specified max pixel count")?;
    let (width, height) = before.rsplit(' ').next()?.split_once('x')?;
    Some((width.parse().ok()?, height.parse().ok()?))
}
