//! A stream under way on a thread of its own: frames and questions in, events out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use vqtoken_core::VideoTokens;
use vqtoken_model::VisionSide;
use vqtoken_video::Frame;

use crate::answerer::Answerer;
use crate::answers::{Answers, Job};
use crate::error::LiveError;
use crate::event::LiveEvent;
use crate::options::LiveOptions;
use crate::queue::{Ending, Next, Queue, Request};
use crate::standing::{Schedule, StandingQuestions};
use crate::stream::{ClosedWindow, LiveStream};

/// Questions that may wait for the first frame.
const MOST_EARLY: usize = 64;

/// Takes events; called from the threads of the stream, so it should not take long.
pub(crate) type OnEvent = Arc<dyn Fn(LiveEvent) + Send + Sync>;

/// What became of a frame that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offered {
    /// It will be encoded.
    Taken,
    /// It is left out because encoding is slower than the stream.
    LeftOut,
    /// It comes sooner after the one before than the rate of the options says, and is passed over.
    Early,
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LiveStatus {
    /// The time of day at second 0, in seconds since 1970.
    pub started: f64,
    /// Seconds of the last frame that was encoded, since the start of the stream.
    pub seconds: f64,
    /// Frames encoded in this run.
    pub frames: usize,
    /// Frames left out in this run.
    pub left_out: usize,
    /// Frames that wait to be encoded.
    pub waiting: usize,
    /// Windows that are over and kept.
    pub windows: usize,
    /// Whether it takes frames no more and has told all events.
    pub has_ended: bool,
}

/// A stream under way. Clones are the same stream; it is stopped when the last of them is dropped.
#[derive(Clone)]
pub struct Live {
    inner: Arc<Inner>,
}

struct Inner {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
    on_event: OnEvent,
    offset: f64,
    next_id: AtomicU64,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.end(Ending::Stop);
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Live {
    /// Starts a stream, or goes on with the one whose windows are in the folder of the options. `on_event` is called from the threads
    /// of the stream; the first event comes before this returns.
    ///
    /// # Errors
    /// As [`LiveStream::new`], if a standing question's time is not above 0, or a thread cannot be started.
    pub fn start(
        vision: &VisionSide,
        options: LiveOptions,
        questions: StandingQuestions,
        answerer: Arc<dyn Answerer>,
        on_event: impl Fn(LiveEvent) + Send + Sync + 'static,
    ) -> Result<Self, LiveError> {
        for (name, value) in [("every", Some(questions.every)), ("last", questions.last)] {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return Err(LiveError::Option { name, value });
            }
        }
        let stream = LiveStream::new(vision, options)?;
        let on_event: OnEvent = Arc::new(on_event);
        let offset = stream.offset(SystemTime::now());
        let started = stream.started().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let status = LiveStatus {
            started,
            seconds: stream.last_seconds().unwrap_or(0.0),
            windows: stream.windows().len(),
            ..LiveStatus::default()
        };
        let queue = Arc::new(Queue::new(stream.options().fps, offset, status));
        let answers = Answers::start(answerer, Arc::clone(&on_event))?;
        on_event(LiveEvent::Start {
            name: stream.options().name.clone(),
            started,
            resumed_windows: stream.resumed_windows(),
            offset,
        });
        for message in stream.messages() {
            on_event(LiveEvent::Warning { message: message.clone() });
        }
        let worker = Worker {
            schedule: Schedule::new(questions.every),
            questions,
            stream,
            queue: Arc::clone(&queue),
            answers,
            on_event: Arc::clone(&on_event),
            early: Vec::new(),
            is_ending: false,
            windows: 0,
            unsaved: 0,
        };
        let thread = thread::Builder::new().name("live stream".into()).spawn(move || worker.run());
        let thread = Mutex::new(Some(thread.map_err(LiveError::Thread)?));
        Ok(Self { inner: Arc::new(Inner { queue, thread, on_event, offset, next_id: AtomicU64::new(1) }) })
    }

    /// Brings a frame that is shown `seconds` after the start of the stream, without waiting: where encoding is slower than the stream,
    /// frames are left out evenly, and that is told as an event.
    ///
    /// # Errors
    /// If the time goes back or is not finite, or the stream has ended.
    pub fn offer(&self, frame: Frame, seconds: f64) -> Result<Offered, LiveError> {
        self.inner.queue.offer(frame, seconds)
    }

    /// Brings a frame and waits until there is room for it: none is left out, and the rate of the options does not count.
    ///
    /// # Errors
    /// As [`Self::offer`].
    pub fn push(&self, frame: Frame, seconds: f64) -> Result<(), LiveError> {
        self.inner.queue.push(frame, seconds)
    }

    /// Where times of new frames begin, in seconds: 0, or for a stream that goes on after a restart, where the clock stood when it
    /// was started again.
    pub fn offset(&self) -> f64 {
        self.inner.offset
    }

    /// Asks about the last seconds, or all that is kept. The answer is an event with the number that is returned.
    ///
    /// # Errors
    /// If the stream has ended or too many questions wait.
    pub fn ask(&self, question: impl Into<String>, last: Option<f64>) -> Result<u64, LiveError> {
        let id = self.inner.next_id.fetch_add(1, Ordering::Relaxed);
        let request = Request::Ask { id, question: question.into(), last, asked: Instant::now() };
        self.inner.queue.request(request).map(|()| id)
    }

    /// Video tokens of the last seconds, or of all that is kept; waits until the frames that are being encoded are.
    ///
    /// # Errors
    /// As [`LiveStream::tokens_of_last`], and if the stream has ended.
    pub fn tokens_of_last(&self, last: Option<f64>) -> Result<VideoTokens, LiveError> {
        let (sender, receiver) = mpsc::channel();
        self.with_tokens_of_last(last, move |tokens| drop(sender.send(tokens)))?;
        receiver.recv().unwrap_or(Err(LiveError::Ended))
    }

    /// [`Self::tokens_of_last`] for those who cannot wait: `then` is called on the thread of the stream.
    ///
    /// # Errors
    /// If the stream has ended or too many questions wait; `then` is not called in that case.
    pub fn with_tokens_of_last(
        &self,
        last: Option<f64>,
        then: impl FnOnce(Result<VideoTokens, LiveError>) + Send + 'static,
    ) -> Result<(), LiveError> {
        self.inner.queue.request(Request::Tokens { last, then: Box::new(then) })
    }

    /// Where it stands.
    pub fn status(&self) -> LiveStatus {
        self.inner.queue.status()
    }

    /// Tells an event of the source in the order of the others.
    pub fn tell(&self, event: LiveEvent) {
        (self.inner.on_event)(event);
    }

    /// No more frames come: those that wait are encoded, the open window is closed and saved, and standing questions are answered once
    /// more. Returns at once.
    pub fn finish(&self) {
        self.inner.queue.end(Ending::Finish);
    }

    /// [`Self::finish`] without answers: questions that wait are not answered any more.
    pub fn stop(&self) {
        self.inner.queue.end(Ending::Stop);
    }

    /// Waits for the end after [`Self::finish`] or [`Self::stop`]; the last event has then been told.
    pub fn join(&self) {
        let thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic there has been printed, and the queue is abandoned.
            let _ = thread.join();
        }
    }
}

/// What the thread of a stream holds.
struct Worker {
    stream: LiveStream,
    queue: Arc<Queue>,
    questions: StandingQuestions,
    schedule: Schedule,
    answers: Answers,
    on_event: OnEvent,
    /// Questions that came before the first frame.
    early: Vec<Request>,
    is_ending: bool,
    windows: usize,
    unsaved: usize,
}

/// Whoever waits for the thread is let go when it ends, however it does.
struct Abandon(Arc<Queue>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Worker {
    fn run(mut self) {
        let abandon = Abandon(Arc::clone(&self.queue));
        if let Err(error) = self.work() {
            self.queue.end(Ending::Stop);
            (self.on_event)(LiveEvent::Error { message: error.to_string() });
        }
        if let Some(event) = self.queue.left_out(true) {
            (self.on_event)(event);
        }
        let status = self.queue.status();
        let stops = self.queue.ending() == Some(Ending::Stop);
        let (answers, unanswered) = self.answers.finish(stops);
        (self.on_event)(LiveEvent::End {
            seconds: status.seconds,
            frames: status.frames,
            left_out: status.left_out,
            windows: self.windows,
            unsaved_windows: self.unsaved,
            answers,
            unanswered,
        });
        drop(abandon);
    }

    fn work(&mut self) -> Result<(), LiveError> {
        loop {
            match self.queue.next() {
                Next::Request(request) => self.serve(request),
                Next::Frame(frame, seconds, is_patient) => {
                    if self.schedule.is_due(seconds) {
                        self.ask_standing(is_patient);
                    }
                    if let Some(closed) = self.stream.push(frame, seconds)? {
                        self.tell(closed);
                    }
                    self.serve_early();
                    let windows = self.stream.windows().len();
                    self.queue.update(|status| {
                        status.frames += 1;
                        status.seconds = seconds;
                        status.windows = windows;
                    });
                    if let Some(event) = self.queue.left_out(false) {
                        (self.on_event)(event);
                    }
                }
                Next::End(ending) => {
                    self.is_ending = true;
                    self.serve_early();
                    // The codes of the open window are asked before it is one of those that are over.
                    if ending == Ending::Finish && self.schedule.is_behind() {
                        self.ask_standing(true);
                    }
                    if let Some(closed) = self.stream.close()? {
                        self.tell(closed);
                    }
                    return Ok(());
                }
            }
        }
    }

    fn serve_early(&mut self) {
        for request in std::mem::take(&mut self.early) {
            self.serve(request);
        }
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Tokens { last, then } => then(self.stream.tokens_of_last(last)),
            // A question that comes before the first frame waits for it.
            early @ Request::Ask { .. } if self.waits_for_frames() => {
                self.early.push(early);
            }
            Request::Ask { id, question, last, asked } => match self.stream.tokens_of_last(last) {
                Ok(tokens) => {
                    let job = Job { id: Some(id), question, tokens: Arc::new(tokens), asked };
                    self.answers.ask(job, false);
                }
                Err(error) => {
                    let at = self.stream.last_seconds().unwrap_or(0.0);
                    self.answers.refuse(Some(id), question, at, error.to_string(), true);
                }
            },
        }
    }

    fn waits_for_frames(&self) -> bool {
        self.stream.last_seconds().is_none() && !self.is_ending && self.early.len() < MOST_EARLY
    }

    fn ask_standing(&mut self, waits: bool) {
        self.schedule.asked();
        if self.questions.questions.is_empty() {
            return;
        }
        let at = self.stream.last_seconds().unwrap_or(0.0);
        let refusal = match !waits && self.answers.is_behind() {
            true => Err(("the questions before are still being answered".to_owned(), false)),
            false => {
                let tokens = self.stream.tokens_of_last(self.questions.last);
                tokens.map_err(|error| (error.to_string(), true))
            }
        };
        let (refusal, asked) = (refusal.map(Arc::new), Instant::now());
        for question in self.questions.questions.clone() {
            match &refusal {
                Ok(tokens) => {
                    self.answers.ask(Job { id: None, question, tokens: Arc::clone(tokens), asked }, waits)
                }
                Err((reason, failed)) => {
                    self.answers.refuse(None, question, at, reason.clone(), *failed);
                }
            }
        }
    }

    fn tell(&mut self, window: ClosedWindow) {
        let ClosedWindow { sequence, start, end, frames, codes, file, unsaved } = window;
        self.windows += 1;
        if let Some(reason) = unsaved {
            self.unsaved += 1;
            let message = format!("the window from {start:.1} s to {end:.1} s is not saved: {reason}");
            (self.on_event)(LiveEvent::Warning { message });
        }
        (self.on_event)(LiveEvent::Window {
            sequence,
            start,
            end,
            frames,
            codes,
            file,
            kept_windows: self.stream.windows().len(),
            repeated_frames: self.stream.repeated_frames(),
        });
    }
}
