//! Videos to encode, and what becomes of them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use vqtoken_core::{Reducer, VideoTokens};
use vqtoken_model::{Encoded, EncoderOptions, ModelError, VisualTokens};
use vqtoken_video::{Cancellation, Frame, OpenOptions, Sampling, Span};

/// Takes a sampled frame and the time at which it is shown, in seconds. Times ascend; where one goes back to the first, all frames come
/// once more, and those so far do not count.
pub type OnFrame = Box<dyn FnMut(&Frame, f64) + Send>;

/// A video to encode.
#[non_exhaustive]
pub struct EncodeJob {
    /// Who asks: clients take turns.
    pub client: Arc<str>,
    /// The video.
    pub source: EncodeSource,
    /// Which of its frames are looked at.
    pub sampling: Sampling,
    /// Which part of it is looked at.
    pub span: Span,
    /// What is made of them.
    pub output: EncodeOutput,
    /// Called with each sampled frame.
    pub on_frame: Option<OnFrame>,
}

impl fmt::Debug for EncodeJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodeJob").field("source", &self.source).field("output", &self.output).finish()
    }
}

impl EncodeJob {
    /// All of a video, in 32 frames.
    pub fn new(client: impl Into<Arc<str>>, source: EncodeSource, output: EncodeOutput) -> Self {
        Self {
            client: client.into(),
            source,
            sampling: Sampling::Uniform(32),
            span: Span::default(),
            output,
            on_frame: None,
        }
    }

    /// The same, sampled in another way.
    #[must_use]
    pub fn with_sampling(self, sampling: Sampling) -> Self {
        Self { sampling, ..self }
    }

    /// The same for a part of the video.
    #[must_use]
    pub fn with_span(self, span: Span) -> Self {
        Self { span, ..self }
    }

    /// The same; `on_frame` is called with each sampled frame.
    #[must_use]
    pub fn with_on_frame(self, on_frame: OnFrame) -> Self {
        Self { on_frame: Some(on_frame), ..self }
    }
}

/// Where frames come from.
pub enum EncodeSource {
    /// A file, or a folder of pictures.
    Video(PathBuf, OpenOptions),
    /// Frames, each with the time at which it is shown, in seconds.
    Frames(Vec<(Frame, f64)>),
}

impl fmt::Debug for EncodeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Video(path, _) => f.debug_tuple("Video").field(path).finish(),
            Self::Frames(frames) => f.debug_tuple("Frames").field(&frames.len()).finish(),
        }
    }
}

/// What is made of frames.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EncodeOutput {
    /// Video tokens.
    Codes {
        /// How.
        options: EncoderOptions,
        /// A second set of so many codes (or as many as there can be), from which any smaller number is made by joining.
        fine: Option<usize>,
    },
    /// Visual tokens of another reducer.
    Reduced(Arc<dyn Reducer>),
    /// Visual tokens of the unreduced baseline.
    Pooled,
}

/// What happens to a video.
#[derive(Debug)]
#[non_exhaustive]
pub enum EncodeEvent {
    /// It no longer waits.
    Started,
    /// How far it is.
    Progress {
        /// Frames encoded so far.
        frames: usize,
        /// Frames that the headers promise, if they tell.
        expected: Option<usize>,
    },
    /// It is encoded; nothing follows.
    Done(Box<EncodedVideo>),
    /// It cannot be encoded; nothing follows.
    Failed(ModelError),
}

/// An encoded video.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EncodedVideo {
    /// Its video tokens and how they came about; none for other reducers.
    pub encoded: Option<Encoded>,
    /// The second set of codes.
    pub fine: Option<VideoTokens>,
    /// Visual tokens of another reducer.
    pub visual: Option<VisualTokens>,
    /// Tokens of all frames before reduction.
    pub grid_tokens: usize,
    /// What the user has to be told, a line each.
    pub messages: Vec<String>,
    /// Seconds of work, waiting not counted.
    pub seconds: f64,
}

/// A video being encoded. Dropping it stops the work.
#[derive(Debug)]
pub struct Encoding {
    pub(crate) events: UnboundedReceiver<EncodeEvent>,
    pub(crate) cancellation: Cancellation,
}

impl Drop for Encoding {
    fn drop(&mut self) {
        self.cancellation.cancel();
    }
}

impl Encoding {
    /// The next event; none after the last.
    pub async fn next(&mut self) -> Option<EncodeEvent> {
        self.events.recv().await
    }

    /// [`Self::next`] for threads that may block.
    pub fn blocking_next(&mut self) -> Option<EncodeEvent> {
        self.events.blocking_recv()
    }
}
