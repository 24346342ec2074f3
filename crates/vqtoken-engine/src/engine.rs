//! The engine: what takes work and hands it to its threads.

use vqtoken_model::VideoLlm;

use crate::encode::{EncodeJob, Encoding};
use crate::error::EngineError;
use crate::question::{Answering, Question};

/// How much is done at once, and how much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineOptions {
    /// Answers that are generated together.
    pub rows: usize,
    /// Questions that may wait.
    pub questions: usize,
    /// Videos that may wait.
    pub videos: usize,
    /// Bytes of keys and values of prompts that are kept for further questions.
    pub prefix_bytes: u64,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { rows: 16, questions: 256, videos: 32, prefix_bytes: 256 << 20 }
    }
}

impl EngineOptions {
    /// The same with so many answers generated together.
    #[must_use]
    pub fn with_rows(self, rows: usize) -> Self {
        Self { rows, ..self }
    }

    /// The same with so many questions that may wait.
    #[must_use]
    pub fn with_questions(self, questions: usize) -> Self {
        Self { questions, ..self }
    }

    /// The same with so many videos that may wait.
    #[must_use]
    pub fn with_videos(self, videos: usize) -> Self {
        Self { videos, ..self }
    }

    /// The same with so many bytes of prompts kept.
    #[must_use]
    pub fn with_prefix_bytes(self, prefix_bytes: u64) -> Self {
        Self { prefix_bytes, ..self }
    }
}

/// What is being done, and what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Questions that wait.
    pub questions_waiting: usize,
    /// Answers being generated, or whose prompt is being read.
    pub answering: usize,
    /// Videos that wait.
    pub videos_waiting: usize,
    /// Videos being encoded.
    pub encoding: usize,
}

/// Answers questions and encodes videos on threads of its own. Clones are the same engine; it ends with the last of them.
#[derive(Clone, Debug)]
pub struct Engine {
    model: VideoLlm,
}

impl Engine {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// If an option is 0 or a thread cannot be started.
    pub fn start(model: VideoLlm, _options: EngineOptions) -> Result<Self, EngineError> {
        Ok(Self { model })
    }

    /// The model.
    pub fn model(&self) -> &VideoLlm {
        &self.model
    }

    /// Takes a question.
    ///
    /// # Errors
    ///
    /// If too many wait, or the engine takes no new work.
    pub fn ask(&self, _question: Question) -> Result<Answering, EngineError> {
        Err(EngineError::Draining)
    }

    /// Takes a video.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub fn encode(&self, _job: EncodeJob) -> Result<Encoding, EngineError> {
        Err(EngineError::Draining)
    }

    /// What is being done, and what waits.
    pub fn load(&self) -> Load {
        Load::default()
    }

    /// Refuses new work from now on; what was taken is done.
    pub fn drain(&self) {}
}
