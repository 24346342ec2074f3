//! Encodings under way. Whoever asks for a video that is being encoded waits with those who asked before; when the last of them has
//! gone, the work stops.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::error::ApiError;
use crate::videos::prepare::Prepared;

/// How far an encoding is.
#[derive(Clone, Debug)]
pub(crate) enum JobState {
    Waiting,
    Encoding { frames: usize, expected: Option<usize> },
    Done(Box<Prepared>),
    Failed(Arc<ApiError>),
}

/// An encoding. Dropping the last clone stops it.
#[derive(Debug)]
pub(crate) struct Job {
    state: watch::Receiver<JobState>,
    task: AbortHandle,
}

impl Drop for Job {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Job {
    /// Follows the encoding from where it is.
    pub(crate) fn follow(self: Arc<Self>) -> Followed {
        let mut state = self.state.clone();
        state.mark_changed();
        Followed { state, _job: self }
    }
}

/// An encoding that somebody waits for.
#[derive(Debug)]
pub(crate) struct Followed {
    state: watch::Receiver<JobState>,
    _job: Arc<Job>,
}

impl Followed {
    /// The next state. After [`JobState::Done`] or [`JobState::Failed`] there is none.
    pub(crate) async fn next(&mut self) -> JobState {
        match self.state.changed().await {
            Ok(()) => self.state.borrow_and_update().clone(),
            // The task ended without a word: it panicked.
            Err(_) => JobState::Failed(Arc::new(ApiError::Internal)),
        }
    }

    /// Waits for the end.
    pub(crate) async fn done(mut self) -> Result<Prepared, ApiError> {
        loop {
            match self.next().await {
                JobState::Waiting | JobState::Encoding { .. } => {}
                JobState::Done(prepared) => return Ok(*prepared),
                JobState::Failed(error) => return Err(error.again()),
            }
        }
    }
}

/// All encodings under way, by what they make.
#[derive(Debug, Default)]
pub(crate) struct Jobs(Arc<Mutex<HashMap<String, Weak<Job>>>>);

impl Jobs {
    /// The encoding that makes `key`, or a new one that `start` begins. `start` gets what it tells its progress to.
    pub(crate) fn join_or_start(
        &self,
        key: &str,
        start: impl FnOnce(watch::Sender<JobState>) -> Result<AbortHandle, ApiError>,
    ) -> Result<Arc<Job>, ApiError> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.retain(|_, job| job.strong_count() > 0);
        let running = jobs.get(key).and_then(Weak::upgrade).filter(|job| !job.task.is_finished());
        if let Some(job) = running {
            return Ok(job);
        }
        let (sender, state) = watch::channel(JobState::Waiting);
        let job = Arc::new(Job { state, task: start(sender)? });
        jobs.insert(key.to_owned(), Arc::downgrade(&job));
        Ok(job)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn two_who_ask_share_one_encoding_and_it_stops_with_the_last_of_them() {
        let jobs = Jobs::default();
        let (gone, mut went) = tokio::sync::mpsc::channel::<()>(1);
        let start = |sender: watch::Sender<JobState>| {
            let task = tokio::spawn(async move {
                let _held = (sender, gone);
                std::future::pending::<()>().await;
            });
            Ok(task.abort_handle())
        };
        let first = jobs.join_or_start("a", start).unwrap();
        let second = jobs.join_or_start("a", |_| Err(ApiError::Internal)).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        drop(first);
        assert!(tokio::time::timeout(Duration::from_millis(50), went.recv()).await.is_err(), "still at work");
        drop(second);
        assert_eq!(tokio::time::timeout(Duration::from_secs(5), went.recv()).await, Ok(None));
        assert!(jobs.join_or_start("a", |_| Err(ApiError::Draining)).is_err(), "a new one has to be started");
    }
}
