//! Which part of a video is looked at.

/// A part of a video, from one time to another, in seconds from its start. The default is all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    /// The first instant; none for the start of the video.
    pub start: Option<f64>,
    /// The last instant, itself included; none for the end of the video.
    pub end: Option<f64>,
}

impl Span {
    /// From `start` to `end`, in seconds.
    pub fn new(start: impl Into<Option<f64>>, end: impl Into<Option<f64>>) -> Self {
        Self { start: start.into(), end: end.into() }
    }
}
