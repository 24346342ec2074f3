#![doc = include_str!("../README.md")]

mod app;
mod artist;
mod chat;
mod error;
mod http;
mod live;
mod media;
mod metrics;
mod options;
mod page;
mod recent;
mod routes;
mod server;
mod settings;
mod signals;
mod status;
mod videos;

pub use artist::{Artist, DrawError, DrawPicture};
pub use options::{Access, DEFAULT_PORT, LogQuestions, ServerOptions};
pub use server::{ServeError, Server};
pub use settings::{ENVIRONMENT, Settings, SettingsError};
pub use signals::stop_signal;
pub use vqtoken_fetch::{HostPattern, HostPatternError};

use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Threads that wait for the disk, or do a moment's work, at most.
const BLOCKING: usize = 32;

/// Does what may block in a thread for that, so that no other request waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    static ROOM: Semaphore = Semaphore::const_new(BLOCKING);
    let permit = ROOM.acquire().await.map_err(|_| ApiError::Internal)?;
    let work = move || {
        // Held to the end of the work, also if nobody waits for it any more.
        let _permit = permit;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a thread panicked");
        ApiError::Internal
    })
}
