//! The engine: what takes work and hands it to its threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::mpsc::unbounded_channel;
use vqtoken_model::VideoLlm;
use vqtoken_video::Cancellation;

use crate::encode::{EncodeJob, Encoding};
use crate::error::EngineError;
use crate::question::{Answering, Question};
use crate::reading::Asked;
use crate::shared::{Shared, State};
use crate::vision::{Vision, Waiting};
use crate::words::{Words, read_default_text};

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
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    model: VideoLlm,
    options: EngineOptions,
    shared: Arc<Shared>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.change(|state| state.closed = true);
    }
}

/// How much the threads give way to others, in steps of the system's scheduler: whoever serves requests comes first, then words, then
/// videos.
const WORDS_NICE: i32 = 1;
const VISION_NICE: i32 = 4;

impl Engine {
    /// Starts the threads, after the text before the video that most questions share has been read.
    ///
    /// # Errors
    ///
    /// If an option is 0 or a thread cannot be started.
    pub fn start(model: VideoLlm, options: EngineOptions) -> Result<Self, EngineError> {
        let limits = [("rows", options.rows), ("questions", options.questions), ("videos", options.videos)];
        if let Some((name, _)) = limits.into_iter().find(|(_, limit)| *limit == 0) {
            return Err(EngineError::Options { name });
        }
        let shared = Arc::new(Shared::new(options));
        let (language, words_pool) = (model.language().clone(), pool("words", WORDS_NICE)?);
        let default_text = words_pool.install(|| read_default_text(&language)).ok();
        let words = Words { language, shared: shared.clone(), options, pool: words_pool, default_text };
        let vision =
            Vision { model: model.clone(), shared: shared.clone(), pool: pool("vision", VISION_NICE)? };
        spawn("words", move || words.run())?;
        spawn("vision", move || vision.run())?;
        Ok(Self(Arc::new(Inner { model, options, shared })))
    }

    /// The model.
    pub fn model(&self) -> &VideoLlm {
        &self.0.model
    }

    /// Takes a question.
    ///
    /// # Errors
    ///
    /// If too many wait, or the engine takes no new work.
    pub fn ask(&self, question: Question) -> Result<Answering, EngineError> {
        let (sender, events) = unbounded_channel();
        let cancellation = Cancellation::new();
        let client = question.client.clone();
        let asked =
            Asked { question, events: sender, asked: Instant::now(), cancellation: cancellation.clone() };
        self.0.shared.change(|state| {
            state.questions.retain(Asked::is_wanted);
            self.check(state, state.questions.is_full(), state.questions.len())?;
            state.questions.push(&client, asked);
            Ok(Answering { events, cancellation })
        })
    }

    /// Takes a video.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub fn encode(&self, job: EncodeJob) -> Result<Encoding, EngineError> {
        let (sender, events) = unbounded_channel();
        let cancellation = Cancellation::new();
        let client = job.client.clone();
        let waiting = Waiting { job, events: sender, cancellation: cancellation.clone() };
        self.0.shared.change(|state| {
            state.videos.retain(|waiting| !waiting.cancellation.is_cancelled());
            self.check(state, state.videos.is_full(), state.videos.len())?;
            state.videos.push(&client, waiting);
            Ok(Encoding { events, cancellation })
        })
    }

    fn check(&self, state: &State, is_full: bool, waiting: usize) -> Result<(), EngineError> {
        match () {
            () if state.draining => Err(EngineError::Draining),
            () if is_full => Err(EngineError::Busy { waiting, retry_after: self.retry_after(waiting) }),
            () => Ok(()),
        }
    }

    /// A guess: a second for each batch of answers that is in front.
    fn retry_after(&self, waiting: usize) -> Duration {
        Duration::from_secs((waiting / self.0.options.rows).clamp(1, 60) as u64)
    }

    /// What is being done, and what waits.
    pub fn load(&self) -> Load {
        self.0.shared.load()
    }

    /// Refuses new work from now on; what was taken is done.
    pub fn drain(&self) {
        self.0.shared.change(|state| state.draining = true);
    }
}

/// Threads for the kernels, as many as the machine has.
fn pool(name: &'static str, nice: i32) -> Result<ThreadPool, EngineError> {
    let built = ThreadPoolBuilder::new()
        .num_threads(rayon::current_num_threads())
        .thread_name(move |index| format!("{name} {index}"))
        .start_handler(move |_| give_way(nice))
        .build();
    built.map_err(|error| EngineError::Thread(std::io::Error::other(error)))
}

/// Lets other threads go first. Systems that refuse are left as they are: this is about latency alone.
fn give_way(nice: i32) {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, nice);
    #[cfg(not(target_os = "linux"))]
    let _ = nice;
}

/// A thread that takes up its work again after a panic. Whoever waited for what it had in hand sees its events end.
fn spawn(name: &str, work: impl Fn() + Send + 'static) -> Result<(), EngineError> {
    let forever = move || while catch_unwind(AssertUnwindSafe(&work)).is_err() {};
    thread::Builder::new().name(name.to_owned()).spawn(forever).map(drop).map_err(EngineError::Thread)
}
