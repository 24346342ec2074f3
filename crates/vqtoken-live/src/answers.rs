//! The thread that has questions answered, so that encoding goes on meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use vqtoken_core::VideoTokens;

use crate::answerer::Answerer;
use crate::error::LiveError;
use crate::event::LiveEvent;
use crate::live::OnEvent;

/// Questions that wait, at most.
const MOST_WAITING: usize = 64;

/// A question with what it is about.
pub(crate) struct Job {
    pub(crate) id: Option<u64>,
    pub(crate) question: String,
    pub(crate) tokens: Arc<VideoTokens>,
    pub(crate) asked: Instant,
}

/// The thread, and what it has done.
pub(crate) struct Answers {
    jobs: SyncSender<Job>,
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
    on_event: OnEvent,
}

#[derive(Default)]
struct Shared {
    answered: AtomicUsize,
    unanswered: AtomicUsize,
    /// Standing questions that wait or are being answered.
    standing: AtomicUsize,
    is_stopped: AtomicBool,
}

impl Answers {
    pub(crate) fn start(answerer: Arc<dyn Answerer>, on_event: OnEvent) -> Result<Self, LiveError> {
        let (jobs, waiting) = sync_channel(MOST_WAITING);
        let shared = Arc::new(Shared::default());
        let (for_thread, tell) = (Arc::clone(&shared), Arc::clone(&on_event));
        let thread = thread::Builder::new()
            .name("live answers".into())
            .spawn(move || run(&waiting, answerer.as_ref(), &for_thread, &tell))
            .map_err(LiveError::Thread)?;
        Ok(Self { jobs, thread, shared, on_event })
    }

    /// Whether standing questions wait for the answers to those before.
    pub(crate) fn is_behind(&self) -> bool {
        self.shared.standing.load(Ordering::Acquire) > 0
    }

    /// Has a question answered; waits for its turn if `waits`.
    pub(crate) fn ask(&self, job: Job, waits: bool) {
        let standing = usize::from(job.id.is_none());
        self.shared.standing.fetch_add(standing, Ordering::AcqRel);
        let refused = match waits {
            true => self.jobs.send(job).err().map(|refused| refused.0),
            false => match self.jobs.try_send(job) {
                Ok(()) => None,
                Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => Some(job),
            },
        };
        if let Some(job) = refused {
            self.shared.standing.fetch_sub(standing, Ordering::AcqRel);
            let reason = format!("{MOST_WAITING} questions are waiting already");
            self.refuse(job.id, job.question, end(&job.tokens), reason, false);
        }
    }

    /// Tells that a question is not answered.
    pub(crate) fn refuse(&self, id: Option<u64>, question: String, at: f64, reason: String, failed: bool) {
        self.shared.unanswered.fetch_add(1, Ordering::AcqRel);
        (self.on_event)(LiveEvent::Unanswered { id, question, at, reason, failed });
    }

    /// Waits until all are answered, or only the one under way if `stops`. Returns how many were and how many were not.
    pub(crate) fn finish(self, stops: bool) -> (usize, usize) {
        self.shared.is_stopped.store(stops, Ordering::Release);
        drop(self.jobs);
        // A panic there has been printed; the counts say that answers are missing.
        let _ = self.thread.join();
        (self.shared.answered.load(Ordering::Acquire), self.shared.unanswered.load(Ordering::Acquire))
    }
}

fn run(jobs: &Receiver<Job>, answerer: &dyn Answerer, shared: &Shared, on_event: &OnEvent) {
    while let Ok(Job { id, question, tokens, asked }) = jobs.recv() {
        let is_stopped = shared.is_stopped.load(Ordering::Acquire);
        let answered = match is_stopped {
            true => Err("the stream was stopped".to_owned()),
            false => answerer.answer(&tokens, &question).map_err(|error| error.to_string()),
        };
        let count = if answered.is_ok() { &shared.answered } else { &shared.unanswered };
        count.fetch_add(1, Ordering::AcqRel);
        if id.is_none() {
            shared.standing.fetch_sub(1, Ordering::AcqRel);
        }
        on_event(match answered {
            Ok(answer) => LiveEvent::Answer {
                id,
                question,
                answer,
                from: tokens.timestamps.first().copied().unwrap_or_default(),
                to: end(&tokens),
                frames: tokens.timestamps.len(),
                codes: tokens.codebook.codes(),
                seconds: asked.elapsed().as_secs_f64(),
            },
            Err(reason) => {
                LiveEvent::Unanswered { id, question, at: end(&tokens), reason, failed: !is_stopped }
            }
        });
    }
}

fn end(tokens: &VideoTokens) -> f64 {
    tokens.timestamps.last().copied().unwrap_or_default()
}
