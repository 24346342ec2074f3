//! Moments: the stretches of a video that texts are compared with, a second or a shot each.

use super::error::RetrievalError;
use super::retriever::Retriever;
use super::vectors::{cosine, normalize_rows};
use crate::error::ModelError;

/// Frames whose hidden states are kept for one moment; of longer ones every second frame is dropped, as often as it takes.
const MOST_FRAMES: usize = 32;

/// Where one moment ends and the next begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MomentOptions {
    /// At every multiple of so many seconds.
    Seconds(f64),
    /// Where the picture changes.
    Shots {
        /// A cut is where the cosine of the vectors of neighbouring frames is below this.
        threshold: f32,
        /// A shot that lasts so many seconds is cut, too.
        longest: f64,
    },
}

impl Default for MomentOptions {
    /// A moment a second.
    fn default() -> Self {
        Self::Seconds(1.0)
    }
}

/// A stretch of a video.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Moment {
    /// The time of its first frame, in seconds.
    pub start: f64,
    /// The time of the next moment's first frame, or the end of the video, in seconds.
    pub end: f64,
    /// Frames in it.
    pub frames: usize,
    /// The hidden states of its frames pooled together, `[E]`, of length 1.
    pub vector: Vec<f32>,
}

/// Takes frames in order of time and returns moments, each as soon as the next one begins.
#[derive(Debug)]
pub struct MomentCutter {
    retriever: Retriever,
    options: MomentOptions,
    open: Option<OpenMoment>,
}

/// The moment that the last frame belongs to.
#[derive(Debug)]
struct OpenMoment {
    start: f64,
    last: f64,
    frames: usize,
    /// Hidden states of every `stride`th frame.
    hidden: Vec<f32>,
    stride: usize,
    /// The last frame's vector, if cuts depend on it.
    last_vector: Vec<f32>,
}

impl MomentCutter {
    /// A cutter that has taken no frame.
    ///
    /// # Errors
    ///
    /// If a length is not a positive number or a threshold is no cosine.
    pub fn new(retriever: &Retriever, options: MomentOptions) -> Result<Self, ModelError> {
        let (what, length) = match options {
            MomentOptions::Seconds(length) => ("the length of a moment", length),
            MomentOptions::Shots { longest, .. } => ("the longest shot", longest),
        };
        if !(length.is_finite() && length > 0.0) {
            let expected = "give seconds above 0";
            return Err(RetrievalError::Moments { what, value: length, expected }.into());
        }
        if let MomentOptions::Shots { threshold, .. } = options
            && !(-1.0..=1.0).contains(&threshold)
        {
            let (what, value) = ("the threshold of a cut", f64::from(threshold));
            return Err(
                RetrievalError::Moments { what, value, expected: "give a cosine from -1 to 1" }.into()
            );
        }
        Ok(Self { retriever: retriever.clone(), options, open: None })
    }

    /// Takes the hidden states `[N, Dv]` of the frame at `time` seconds. Returns the moment before it if the frame begins a new one.
    ///
    /// # Errors
    ///
    /// If `time` is before that of the last frame, or the values are not those of one frame.
    pub fn push(&mut self, time: f64, hidden: &[f32]) -> Result<Option<Moment>, ModelError> {
        let last = self.open.as_ref().map_or(f64::NEG_INFINITY, |open| open.last);
        if !time.is_finite() || time < last {
            return Err(RetrievalError::Order { time, last }.into());
        }
        let (patches, features) = (self.retriever.patches(), self.retriever.hidden_features());
        if hidden.len() != patches * features {
            return Err(RetrievalError::HiddenStates { values: hidden.len(), rows: patches, features }.into());
        }
        let vector = match self.options {
            MomentOptions::Seconds(_) => Vec::new(),
            MomentOptions::Shots { .. } => self.retriever.pool_tokens(hidden, patches)?,
        };
        let is_cut = self.open.as_ref().is_some_and(|open| self.is_cut(open, time, &vector));
        let closed = if is_cut { self.finish(time)? } else { None };
        let open = self.open.get_or_insert_with(|| OpenMoment {
            start: time,
            last: time,
            frames: 0,
            hidden: Vec::new(),
            stride: 1,
            last_vector: Vec::new(),
        });
        open.add(time, hidden, vector);
        Ok(closed)
    }

    /// The moment that no frame follows, if there is one; it ends with the video at `end` seconds.
    ///
    /// # Errors
    ///
    /// If its vector cannot be computed.
    pub fn finish(&mut self, end: f64) -> Result<Option<Moment>, ModelError> {
        let Some(open) = self.open.take() else { return Ok(None) };
        let rows = open.hidden.len() / self.retriever.hidden_features();
        let mut vector = self.retriever.pool_tokens(&open.hidden, rows)?;
        normalize_rows(&mut vector, self.retriever.features());
        Ok(Some(Moment { start: open.start, end: end.max(open.last), frames: open.frames, vector }))
    }

    /// Whether the frame at `time` begins a new moment.
    fn is_cut(&self, open: &OpenMoment, time: f64, vector: &[f32]) -> bool {
        match self.options {
            MomentOptions::Seconds(length) => (time / length).floor() > (open.start / length).floor(),
            MomentOptions::Shots { threshold, longest } => {
                time - open.start >= longest || cosine(&open.last_vector, vector) < threshold
            }
        }
    }
}

impl OpenMoment {
    fn add(&mut self, time: f64, hidden: &[f32], vector: Vec<f32>) {
        if self.frames.is_multiple_of(self.stride) {
            if self.hidden.len() == MOST_FRAMES * hidden.len() {
                let kept = self.hidden.chunks_exact(hidden.len()).step_by(2).flatten().copied().collect();
                self.hidden = kept;
                self.stride *= 2;
            }
            self.hidden.extend_from_slice(hidden);
        }
        self.frames += 1;
        self.last = time;
        self.last_vector = vector;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_moments_keep_evenly_spread_frames() {
        let mut open = OpenMoment {
            start: 0.0,
            last: 0.0,
            frames: 0,
            hidden: Vec::new(),
            stride: 1,
            last_vector: Vec::new(),
        };
        for frame in 0..1000 {
            open.add(frame as f64, &[frame as f32], Vec::new());
        }
        assert_eq!((open.frames, open.stride), (1000, 32));
        let expected: Vec<f32> = (0..1000).step_by(32).map(|frame| frame as f32).collect();
        assert_eq!(open.hidden, expected);
    }
}
