//! Frames that come from Python one by one, while those before them are encoded.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyIterator;
use vqtoken::Frame;

use crate::arrays::{bytes_of, wrong_shape};
use crate::errors::{Exception, OrRaise};
use crate::work::{Progress, Watch, Work};

/// Frames that wait for the encoder.
const WAITING: usize = 2;

/// How long a full queue is left alone.
const PATIENCE: Duration = Duration::from_millis(1);

/// When frames are shown.
pub(crate) enum Times {
    /// So many frames a second.
    Rate(f64),
    /// At these seconds.
    Given(Vec<f64>),
}

impl Times {
    /// From what was asked for; one frame a second if nothing was.
    pub(crate) fn of(timestamps: Option<Vec<f64>>, fps: Option<f64>) -> PyResult<Self> {
        match (timestamps, fps) {
            (Some(_), Some(_)) => {
                Err(Exception::Array
                    .error("timestamps and fps both say when frames are shown: give one of them"))
            }
            (Some(times), None) => match times.iter().all(|time| time.is_finite()) && times.is_sorted() {
                true => Ok(Self::Given(times)),
                false => Err(Exception::Array.error("timestamps are finite and ascending seconds")),
            },
            (None, Some(fps)) if !(fps.is_finite() && fps > 0.0) => {
                Err(Exception::Array.error(format!("fps is a number above 0, not {fps}")))
            }
            (None, fps) => Ok(Self::Rate(fps.unwrap_or(1.0))),
        }
    }

    pub(crate) fn at(&self, index: usize) -> PyResult<f64> {
        match self {
            Self::Rate(rate) => Ok(index as f64 / rate),
            Self::Given(times) => times.get(index).copied().ok_or_else(|| {
                Exception::Array.error(format!("there are more frames than the {} timestamps", times.len()))
            }),
        }
    }

    fn check_all_used(&self, frames: usize) -> PyResult<()> {
        match self {
            Self::Given(times) if times.len() != frames => Err(Exception::Array.error(format!(
                "there are {} timestamps for {frames} frames: give one for each",
                times.len()
            ))),
            _ => Ok(()),
        }
    }
}

/// Frames with the seconds at which they are shown, as Python gives them.
pub(crate) struct FrameStream(Receiver<(Frame, f64)>);

impl Iterator for FrameStream {
    type Item = (Frame, f64);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.recv().ok()
    }
}

/// Feeds the frames of an iterator to `consume`, which runs on a thread of its own, and returns what that returns.
///
/// An exception of the iterator comes out as it is.
pub(crate) fn feed<T: Send + 'static>(
    frames: &Bound<'_, PyIterator>,
    times: &Times,
    progress: Option<&Bound<'_, PyAny>>,
    consume: impl FnOnce(&Watch, FrameStream) -> PyResult<T> + Send + 'static,
) -> PyResult<T> {
    let (py, progress) = (frames.py(), Progress(progress));
    let (sender, receiver) = sync_channel(WAITING);
    let work = Work::start(move |watch| consume(watch, FrameStream(receiver)))?;
    match send_all(frames, times, &sender, &work, &progress) {
        Ok(()) => {
            drop(sender);
            work.wait(py, &progress)
        }
        Err(error) => {
            work.cancel();
            Err(error)
        }
    }
}

fn send_all<T: Send + 'static>(
    frames: &Bound<'_, PyIterator>,
    times: &Times,
    sender: &SyncSender<(Frame, f64)>,
    work: &Work<T>,
    progress: &Progress<'_, '_>,
) -> PyResult<()> {
    let py = frames.py();
    let mut count = 0;
    for item in frames {
        let mut waiting = (frame_of(&item?, count)?, times.at(count)?);
        count += 1;
        while let Err(refused) = sender.try_send(waiting) {
            match refused {
                TrySendError::Full(frame) => waiting = frame,
                // The consumer failed; waiting for it tells why.
                TrySendError::Disconnected(_) => return Ok(()),
            }
            if work.is_finished() {
                return Ok(());
            }
            py.check_signals()?;
            py.detach(|| thread::sleep(PATIENCE));
        }
        work.poll(progress)?;
    }
    times.check_all_used(count)
}

/// A frame from an array `[H, W, 3]` of uint8.
pub(crate) fn frame_of(array: &Bound<'_, PyAny>, index: usize) -> PyResult<Frame> {
    let what = format!("frame {index}");
    let (bytes, shape) = bytes_of(array, &what)?;
    match shape.as_slice() {
        &[height, width, 3] => Frame::new(width, height, bytes).or_raise(),
        shape => Err(wrong_shape(&what, "[H, W, 3]", shape)),
    }
}
