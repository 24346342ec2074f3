//! Between whoever brings frames and the thread that encodes them: a bounded queue, and questions that go before frames.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use vqtoken_core::VideoTokens;
use vqtoken_video::Frame;

use crate::error::LiveError;
use crate::event::LiveEvent;
use crate::live::{LiveStatus, Offered};
use crate::thinning::Thinning;

/// Frames that wait, at most: enough for the pauses of a second quantization at a few frames a second.
const MOST_WAITING: usize = 16;

/// Bytes that these may have, though two may wait however large they are.
const MOST_BYTES: usize = 64 << 20;

/// Requests that wait, at most.
const MOST_REQUESTS: usize = 256;

/// Frames that were left out are told when so many seconds have gone by since the first of them.
const REPORT_AFTER: f64 = 10.0;

/// Takes video tokens when they are made.
pub(crate) type OnTokens = Box<dyn FnOnce(Result<VideoTokens, LiveError>) + Send>;

/// What is wanted of the stream between frames.
pub(crate) enum Request {
    Tokens { last: Option<f64>, then: OnTokens },
    Ask { id: u64, question: String, last: Option<f64>, asked: Instant },
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// There are no more frames; what is due is answered.
    Finish,
    /// Somebody wants it to end; only the windows are seen to.
    Stop,
}

/// What the thread does next.
pub(crate) enum Next {
    Request(Request),
    /// A frame, its time, and whether whoever brings them waits for room.
    Frame(Frame, f64, bool),
    End(Ending),
}

/// The queue.
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// The most frames a second.
    fps: Option<f64>,
}

struct State {
    frames: VecDeque<(Frame, f64)>,
    requests: VecDeque<Request>,
    thinning: Thinning,
    is_patient: bool,
    /// Seconds of the last frame that was brought.
    last: f64,
    /// When the next frame is due under the rate.
    due: f64,
    report: Option<LeftOut>,
    ending: Option<Ending>,
    status: LiveStatus,
}

/// Frames that were left out and have not been told yet.
#[derive(Clone, Copy, Debug, PartialEq)]
struct LeftOut {
    left_out: usize,
    of: usize,
    since: f64,
    until: f64,
}

impl Queue {
    /// A queue of frames from `offset` seconds on.
    pub(crate) fn new(fps: Option<f64>, offset: f64, status: LiveStatus) -> Self {
        let state = State {
            frames: VecDeque::new(),
            requests: VecDeque::new(),
            thinning: Thinning::default(),
            is_patient: false,
            last: offset,
            due: offset,
            report: None,
            ending: None,
            status,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), fps }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings a frame without waiting.
    pub(crate) fn offer(&self, frame: Frame, seconds: f64) -> Result<Offered, LiveError> {
        let mut state = self.lock();
        if !state.is_due(seconds, self.fps)? {
            return Ok(Offered::Early);
        }
        let waiting = state.frames.len();
        let takes = state.thinning.takes(waiting, room(&frame));
        state.count(seconds, takes);
        if !takes {
            return Ok(Offered::LeftOut);
        }
        state.is_patient = false;
        state.add(frame, seconds);
        self.changed.notify_all();
        Ok(Offered::Taken)
    }

    /// Brings a frame and waits until there is room for it.
    pub(crate) fn push(&self, frame: Frame, seconds: f64) -> Result<(), LiveError> {
        let mut state = self.lock();
        if !state.is_due(seconds, None)? {
            return Ok(());
        }
        while state.frames.len() >= room(&frame) && state.ending.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.ending.is_some() {
            return Err(LiveError::Ended);
        }
        state.is_patient = true;
        state.add(frame, seconds);
        self.changed.notify_all();
        Ok(())
    }

    pub(crate) fn request(&self, request: Request) -> Result<(), LiveError> {
        let mut state = self.lock();
        if state.ending.is_some() {
            return Err(LiveError::Ended);
        }
        if state.requests.len() >= MOST_REQUESTS {
            return Err(LiveError::Busy { waiting: state.requests.len() });
        }
        state.requests.push_back(request);
        self.changed.notify_all();
        Ok(())
    }

    /// Takes no more frames; those that wait are still encoded.
    pub(crate) fn end(&self, ending: Ending) {
        let mut state = self.lock();
        if state.ending.is_none() || ending == Ending::Stop {
            state.ending = Some(ending);
        }
        self.changed.notify_all();
    }

    /// What to do next; waits for something.
    pub(crate) fn next(&self) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(request) = state.requests.pop_front() {
                return Next::Request(request);
            }
            if let Some((frame, seconds)) = state.frames.pop_front() {
                state.status.waiting = state.frames.len();
                self.changed.notify_all();
                return Next::Frame(frame, seconds, state.is_patient);
            }
            if let Some(ending) = state.ending {
                return Next::End(ending);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How the stream ends, if it does.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.lock().ending
    }

    /// Frames left out that are to be told now; at the end all of them.
    pub(crate) fn left_out(&self, at_the_end: bool) -> Option<LiveEvent> {
        let report = &mut self.lock().report;
        let due = report.is_some_and(|report| at_the_end || report.until - report.since >= REPORT_AFTER);
        let LeftOut { left_out, of, since, until } = report.take_if(|_| due)?;
        Some(LiveEvent::LeftOut { left_out, of, since, until })
    }

    pub(crate) fn status(&self) -> LiveStatus {
        self.lock().status
    }

    pub(crate) fn update(&self, update: impl FnOnce(&mut LiveStatus)) {
        update(&mut self.lock().status);
    }

    /// Nobody takes anything out any more.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.ending.get_or_insert(Ending::Stop);
        state.status.has_ended = true;
        state.frames.clear();
        let requests = std::mem::take(&mut state.requests);
        self.changed.notify_all();
        drop(state);
        for request in requests {
            if let Request::Tokens { then, .. } = request {
                then(Err(LiveError::Ended));
            }
        }
    }
}

impl State {
    /// Whether a frame is due under a rate: at its even times, give or take half an interval.
    fn is_due(&mut self, seconds: f64, fps: Option<f64>) -> Result<bool, LiveError> {
        if self.ending.is_some() {
            return Err(LiveError::Ended);
        }
        if !(seconds.is_finite() && seconds >= self.last) {
            return Err(LiveError::Time { seconds, last: self.last });
        }
        if let Some(fps) = fps {
            let interval = 1.0 / fps;
            if seconds < self.due - 0.5 * interval {
                return Ok(false);
            }
            self.due = if seconds > self.due + interval { seconds } else { self.due } + interval;
        }
        self.last = seconds;
        Ok(true)
    }

    fn count(&mut self, seconds: f64, is_taken: bool) {
        self.status.left_out += usize::from(!is_taken);
        match &mut self.report {
            Some(report) => {
                report.left_out += usize::from(!is_taken);
                report.of += 1;
                report.until = seconds;
            }
            None if is_taken => {}
            none => *none = Some(LeftOut { left_out: 1, of: 1, since: seconds, until: seconds }),
        }
    }

    fn add(&mut self, frame: Frame, seconds: f64) {
        self.frames.push_back((frame, seconds));
        self.status.waiting = self.frames.len();
    }
}

/// How many frames of this size may wait.
fn room(frame: &Frame) -> usize {
    (MOST_BYTES / frame.rgb().len().max(1)).clamp(2, MOST_WAITING)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame::new(2, 2, vec![0; 12]).unwrap()
    }

    #[test]
    fn a_camera_that_is_faster_is_thinned_to_the_rate_and_one_that_jitters_is_not() {
        let queue = |fps| Queue::new(Some(fps), 0.0, LiveStatus::default());
        let taken = |queue: &Queue, times: &mut dyn Iterator<Item = f64>| {
            let mut taken = Vec::new();
            for seconds in times {
                if queue.offer(frame(), seconds).unwrap() == Offered::Taken {
                    taken.push(seconds);
                    queue.next();
                }
            }
            taken
        };
        let fast = taken(&queue(2.0), &mut (0..300).map(|index| f64::from(index) / 30.0));
        // Each may come half an interval early, so one more than 20 fits into ten seconds.
        assert_eq!(fast.len(), 21, "{fast:?}");
        assert!(fast[1..].windows(2).all(|pair| (pair[1] - pair[0] - 0.5).abs() < 1e-9), "{fast:?}");
        let jitter = |index: u32| f64::from(index) / 2.0 + [0.0, -0.1, 0.1, -0.05][index as usize % 4];
        assert_eq!(taken(&queue(2.0), &mut (0..100).map(jitter)).len(), 100);
        // After a gap the rate begins anew, without a burst.
        let gap = taken(&queue(2.0), &mut [0.0, 50.0, 50.1, 50.2, 50.5].into_iter());
        assert_eq!(gap, [0.0, 50.0, 50.5]);
    }

    #[test]
    fn what_is_left_out_is_counted_and_told() {
        let queue = Queue::new(None, 0.0, LiveStatus::default());
        let taken =
            (0..100).filter(|&index| queue.offer(frame(), f64::from(index)).unwrap() == Offered::Taken);
        let taken = taken.count();
        assert!(taken <= MOST_WAITING);
        assert_eq!(queue.status().left_out, 100 - taken);
        let Some(LiveEvent::LeftOut { left_out, of, until, .. }) = queue.left_out(false) else { panic!() };
        assert_eq!((left_out, until), (100 - taken, 99.0));
        assert!((left_out..=100).contains(&of));
        assert_eq!(queue.left_out(true), None, "told once");
    }

    #[test]
    fn times_that_go_back_are_refused_and_the_stream_goes_on() {
        let queue = Queue::new(None, 5.0, LiveStatus::default());
        for bad in [4.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(queue.offer(frame(), bad), Err(LiveError::Time { .. })), "{bad}");
        }
        assert_eq!(queue.offer(frame(), 5.0).unwrap(), Offered::Taken);
        queue.end(Ending::Finish);
        assert!(matches!(queue.offer(frame(), 6.0), Err(LiveError::Ended)));
        assert!(matches!(queue.next(), Next::Frame(..)), "what was taken is encoded");
        assert!(matches!(queue.next(), Next::End(Ending::Finish)));
    }
}
