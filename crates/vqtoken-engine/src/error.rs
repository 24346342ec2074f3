//! Why work is not taken.

use std::time::Duration;

use vqtoken_model::ModelError;

/// Why the engine does not take work, or did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// As much work waits as may.
    #[error("{waiting} requests are waiting already: try again in {} s", retry_after.as_secs())]
    Busy {
        /// How many wait.
        waiting: usize,
        /// When it is worth to try again.
        retry_after: Duration,
    },
    /// [`Engine::drain`](crate::Engine::drain) was called.
    #[error("the server is shutting down and takes no new work")]
    Draining,
    /// A limit of the options is 0.
    #[error("{name} is 0, so no work could be done: give at least 1")]
    Options {
        /// Which.
        name: &'static str,
    },
    /// A thread could not be started.
    #[error("a thread for the engine cannot be started")]
    Thread(#[source] std::io::Error),
    /// What was asked cannot be done.
    #[error(transparent)]
    Model(#[from] ModelError),
}
