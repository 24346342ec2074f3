//! When each video was last used, kept in memory until the next write: a question costs no write to the disk.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long uses stay in memory when nothing else is written. A killed process forgets as much, which changes what is evicted first and nothing else.
const LONGEST: Duration = Duration::from_secs(60);

/// Uses that are not in the catalogue yet.
#[derive(Debug)]
pub(crate) struct Recency(Mutex<Uses>);

#[derive(Debug)]
struct Uses {
    /// The last moment given out, in microseconds since 1970.
    last: u64,
    waiting: HashMap<String, u64>,
    written: Instant,
}

impl Recency {
    /// After all moments up to `last`.
    pub(crate) fn new(last: u64) -> Self {
        Self(Mutex::new(Uses { last, waiting: HashMap::new(), written: Instant::now() }))
    }

    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A moment after all others, also when the clock is set back.
    pub(crate) fn now(&self) -> u64 {
        self.uses().next()
    }

    /// Notes a use. Whether it is time to write.
    pub(crate) fn note(&self, id: &str) -> bool {
        let mut uses = self.uses();
        let now = uses.next();
        uses.waiting.insert(id.to_owned(), now);
        uses.written.elapsed() > LONGEST
    }

    /// What waits to be written.
    pub(crate) fn take(&self) -> HashMap<String, u64> {
        let mut uses = self.uses();
        uses.written = Instant::now();
        std::mem::take(&mut uses.waiting)
    }
}

impl Uses {
    fn next(&mut self) -> u64 {
        self.last = microseconds().max(self.last + 1);
        self.last
    }
}

/// Microseconds since 1970.
pub(crate) fn microseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_never_repeat_or_go_back() {
        let recency = Recency::new(microseconds() + 1_000_000_000);
        let moments: Vec<u64> = (0..100).map(|_| recency.now()).collect();
        assert!(moments.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn the_last_use_of_each_is_what_is_written() {
        let recency = Recency::new(0);
        for id in ["a", "b", "a"] {
            assert!(!recency.note(id));
        }
        let uses = recency.take();
        assert!(uses.len() == 2 && uses["a"] > uses["b"]);
        assert!(recency.take().is_empty());
    }
}
