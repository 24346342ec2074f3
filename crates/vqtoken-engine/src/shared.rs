//! What the engine and its threads share: the queues, and what is being done.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::engine::{EngineOptions, Load};
use crate::queue::FairQueue;
use crate::reading::Asked;
use crate::vision::Waiting;

/// The queues, and how to wait for work.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) questions: FairQueue<Asked>,
    pub(crate) videos: FairQueue<Waiting>,
    pub(crate) answering: usize,
    pub(crate) encoding: usize,
    /// No new work is taken.
    pub(crate) draining: bool,
    /// Nobody holds the engine any more.
    pub(crate) closed: bool,
}

impl Shared {
    pub(crate) fn new(options: EngineOptions) -> Self {
        let state = State {
            questions: FairQueue::new(options.questions),
            videos: FairQueue::new(options.videos),
            answering: 0,
            encoding: 0,
            draining: false,
            closed: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The state. Every change to it is a single step, so a thread that panicked leaves it whole.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes the threads.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.lock());
        self.changed.notify_all();
        changed
    }

    /// Waits until `take` finds something; none once the engine is gone.
    pub(crate) fn wait<T>(&self, mut take: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(found) = take(&mut state) {
                return Some(found);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn load(&self) -> Load {
        let state = self.lock();
        Load {
            questions_waiting: state.questions.len(),
            answering: state.answering,
            videos_waiting: state.videos.len(),
            encoding: state.encoding,
        }
    }
}
