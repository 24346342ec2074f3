//! Videos at addresses of other machines, if the operator allows their hosts.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;
use vqtoken_fetch::FetchError;

use crate::app::App;
use crate::error::ApiError;
use crate::media::Media;
use crate::media::arrival::Arrival;

/// Addresses that are fetched at once; the threads for the disk are not theirs to take.
static ROOM: Semaphore = Semaphore::const_new(4);

/// Tells the thread that nobody waits any more.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where a file arrives.
struct Sink<'a>(&'a mut Arrival);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map(|()| bytes.len()).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fetches a video.
pub(crate) async fn fetch(app: &Arc<App>, url: String, place: String) -> Result<Media, ApiError> {
    let permit = ROOM.acquire().await.map_err(|_| ApiError::Internal)?;
    let gone = Arc::new(AtomicBool::new(false));
    let _stop = Stop(gone.clone());
    let app = app.clone();
    let fetched = tokio::task::spawn_blocking(move || -> Result<Media, ApiError> {
        let _permit = permit;
        let mut arrival = Arrival::new(&app.uploads)?;
        let is_wanted = |_, _| match gone.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let fetched = app.fetcher.fetch_into(&url, &mut Sink(&mut arrival), is_wanted);
        let fetched = fetched.map_err(|error| match error {
            FetchError::Off => ApiError::Fetch {
                param: place.clone(),
                problem: "videos are not fetched here: send the video itself, or start the server with --fetch-host HOST"
                    .to_owned(),
            },
            FetchError::Sink { source } => ApiError::Store { problem: source.to_string() },
            error => ApiError::Fetch { param: place.clone(), problem: error.to_string() },
        })?;
        arrival.finish(&fetched.name, &place, &app.options.limits)
    });
    fetched.await.map_err(|error| {
        tracing::error!(%error, "a thread panicked");
        ApiError::Internal
    })?
}
