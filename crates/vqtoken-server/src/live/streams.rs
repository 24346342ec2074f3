//! Streams under way.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast;
use vqtoken_live::{Live, LiveEvent};
use vqtoken_video::Cancellation;

use crate::error::ApiError;

/// Streams at once, at most.
const MOST: usize = 16;

/// A stream to which nobody brought a frame for so long is ended.
const PATIENCE: Duration = Duration::from_secs(600);

/// Events that a slow listener may miss before it is told so.
pub(crate) const EVENTS: usize = 256;

/// A stream under way.
pub(crate) struct Stream {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) questions: Vec<String>,
    /// The operator's name of its source; none where frames are posted.
    pub(crate) source: Option<String>,
    pub(crate) live: Live,
    pub(crate) events: broadcast::Sender<Arc<LiveEvent>>,
    /// Ends the reading of the source.
    pub(crate) cancellation: Cancellation,
    pub(crate) last_frame: Mutex<Instant>,
}

impl Stream {
    /// Notes that a frame came.
    pub(crate) fn touch(&self) {
        *self.last_frame.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn is_over(&self) -> bool {
        let idle = self.last_frame.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        self.live.status().has_ended || (self.source.is_none() && idle > PATIENCE)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.cancellation.cancel();
        self.live.stop();
    }
}

/// All streams, by id.
#[derive(Default)]
pub(crate) struct Streams(Mutex<BTreeMap<String, Arc<Stream>>>);

impl Streams {
    /// An id that no stream has.
    pub(crate) fn new_id() -> String {
        format!("l{:016x}", RandomState::new().hash_one(0))
    }

    /// Refuses one more than there may be.
    pub(crate) fn check_room(&self) -> Result<(), ApiError> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|_, stream| !stream.is_over());
        match streams.len() {
            waiting if waiting >= MOST => {
                Err(ApiError::Busy { waiting, retry_after: Duration::from_secs(60) })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn add(&self, stream: Stream) -> Arc<Stream> {
        let stream = Arc::new(stream);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(stream.id.clone(), stream.clone());
        stream
    }

    pub(crate) fn get(&self, id: &str) -> Result<Arc<Stream>, ApiError> {
        let streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.get(id).cloned().ok_or_else(|| none(id))
    }

    pub(crate) fn all(&self) -> Vec<Arc<Stream>> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|_, stream| !stream.is_over());
        streams.values().cloned().collect()
    }

    pub(crate) fn remove(&self, id: &str) -> Result<Arc<Stream>, ApiError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id).ok_or_else(|| none(id))
    }

    /// Ends all of them. Each has saved its open window once it can be joined.
    pub(crate) fn end(&self) -> Vec<Live> {
        let streams = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let end = |stream: &Arc<Stream>| {
            stream.cancellation.cancel();
            stream.live.stop();
            stream.live.clone()
        };
        streams.values().map(end).collect()
    }
}

fn none(id: &str) -> ApiError {
    let remedy = "GET /v1/live lists those under way";
    ApiError::NotFound { what: "live stream", id: id.to_owned(), remedy }
}
