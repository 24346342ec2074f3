//! Which part of a video is looked at.

use std::fmt;
use std::ops::Range;

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

    /// Whether it is all of the video.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// The frames of ascending times that are shown in it: those that appear in it, or the one that is on the screen when it begins.
    /// Empty if it lies before the first frame or after the last, or a time is not a number.
    pub(crate) fn frames(&self, timestamps: &[f64]) -> Range<usize> {
        if [self.start, self.end].into_iter().flatten().any(f64::is_nan) {
            return 0..0;
        }
        let start = self.start.unwrap_or(f64::NEG_INFINITY);
        let from = timestamps.partition_point(|&seconds| seconds < start);
        let to = self.end.map_or(timestamps.len(), |end| timestamps.partition_point(|&time| time <= end));
        match from < to {
            true => from..to,
            false if from < timestamps.len() && self.end.is_none_or(|end| start <= end) => {
                from.saturating_sub(1)..from
            }
            false => from..from,
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.start, self.end) {
            (Some(start), Some(end)) => write!(f, "from {start} s to {end} s"),
            (Some(start), None) => write!(f, "from {start} s on"),
            (None, Some(end)) => write!(f, "up to {end} s"),
            (None, None) => f.write_str("at all"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_span_are_those_shown_in_it() {
        let times = [0.0, 1.0, 2.0, 3.0];
        let frames = |start: Option<f64>, end: Option<f64>| Span::new(start, end).frames(&times);
        assert_eq!(frames(None, None), 0..4);
        assert_eq!(frames(Some(1.0), Some(2.0)), 1..3);
        assert_eq!(frames(Some(1.5), None), 2..4);
        assert_eq!(frames(None, Some(0.5)), 0..1);
        assert_eq!(frames(Some(1.2), Some(1.3)), 1..2, "the frame on the screen");
        assert!(frames(Some(5.0), None).is_empty());
        assert!(frames(None, Some(-1.0)).is_empty());
        assert!(frames(Some(2.0), Some(1.0)).is_empty());
        assert!(frames(Some(f64::NAN), None).is_empty());
    }
}
