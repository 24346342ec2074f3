//! Long work on a thread of its own, without the interpreter's lock: Ctrl-C ends it, and its progress is told.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{OnceLock, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use vqtoken::Cancellation;

use crate::errors::Exception;

/// How far long work is: steps done, and steps in all if that is known.
pub(crate) type Steps = (usize, Option<usize>);

/// How long a signal may wait.
const PATIENCE: Duration = Duration::from_millis(50);

/// What long work is given.
pub(crate) struct Watch {
    pub(crate) cancellation: Cancellation,
    steps: Sender<Steps>,
}

impl Watch {
    /// Tells how far the work is.
    pub(crate) fn tell(&self, steps: Steps) {
        // Nobody listens once the caller has been interrupted.
        let _ = self.steps.send(steps);
    }
}

/// A caller's function that is told of progress: `progress(done, expected)`.
pub(crate) struct Progress<'a, 'py>(pub(crate) Option<&'a Bound<'py, PyAny>>);

impl Progress<'_, '_> {
    fn tell(&self, steps: Steps) -> PyResult<()> {
        match self.0 {
            Some(progress) => progress.call1(steps).map(drop),
            None => Ok(()),
        }
    }
}

/// Long work under way.
pub(crate) struct Work<T> {
    steps: Receiver<Steps>,
    cancellation: Cancellation,
    worker: thread::JoinHandle<PyResult<T>>,
}

impl<T: Send + 'static> Work<T> {
    /// Starts it.
    pub(crate) fn start(work: impl FnOnce(&Watch) -> PyResult<T> + Send + 'static) -> PyResult<Self> {
        check_not_forked()?;
        let (sender, steps) = channel();
        let cancellation = Cancellation::default();
        let watch = Watch { cancellation: cancellation.clone(), steps: sender };
        let worker = thread::Builder::new()
            .name("vqtoken".into())
            .spawn(move || work(&watch))
            .map_err(|error| Exception::Model.error(format!("no thread can be started: {error}")))?;
        Ok(Self { steps, cancellation, worker })
    }

    /// Tells of the progress made so far.
    pub(crate) fn poll(&self, progress: &Progress<'_, '_>) -> PyResult<()> {
        self.steps.try_iter().try_for_each(|steps| progress.tell(steps))
    }

    /// Whether it ended, well or not.
    pub(crate) fn is_finished(&self) -> bool {
        self.worker.is_finished()
    }

    /// Waits for it. A signal's exception, or one of `progress`, asks it to end and comes out at once.
    pub(crate) fn wait(self, py: Python<'_>, progress: &Progress<'_, '_>) -> PyResult<T> {
        let Self { mut steps, cancellation, worker } = self;
        loop {
            let (back, received) = py.detach(move || {
                let received = steps.recv_timeout(PATIENCE);
                (steps, received)
            });
            steps = back;
            let told = match received {
                Ok(received) => progress.tell(received),
                Err(RecvTimeoutError::Timeout) => py.check_signals(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Err(error) = told {
                cancellation.cancel();
                return Err(error);
            }
        }
        match py.detach(|| worker.join()) {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Asks it to end, and does not wait.
    pub(crate) fn cancel(self) {
        self.cancellation.cancel();
    }
}

/// Does long work and waits for it.
pub(crate) fn run<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Watch) -> PyResult<T> + Send + 'static,
) -> PyResult<T> {
    Work::start(work)?.wait(py, &Progress(progress))
}

/// The process that computes. The threads that computations share do not survive a fork, and waiting for them would never end.
static COMPUTES: OnceLock<u32> = OnceLock::new();

/// Refuses to compute in a process that was forked after computing had begun.
pub(crate) fn check_not_forked() -> PyResult<()> {
    let process = std::process::id();
    match *COMPUTES.get_or_init(|| process) == process {
        true => Ok(()),
        false => Err(Exception::Fork.error(
            "this process was forked from one that had computed already, and its threads were not copied: start processes with \
             multiprocessing.get_context(\"spawn\"), or fork before the first call",
        )),
    }
}

/// The threads that were asked for.
static THREADS: RwLock<Option<usize>> = RwLock::new(None);

/// Bounds the threads that computations share in this process.
///
/// Raises `Error` once they have been started with another number.
#[pyfunction]
pub(crate) fn set_threads(threads: usize) -> PyResult<()> {
    if threads == 0 {
        return Err(Exception::Model.error("0 threads compute nothing: give at least 1"));
    }
    let mut set = THREADS.write().unwrap_or_else(PoisonError::into_inner);
    let built = match *set == Some(threads) {
        true => Ok(()),
        false => rayon::ThreadPoolBuilder::new().num_threads(threads).build_global(),
    };
    if built.is_err() && rayon::current_num_threads() != threads {
        return Err(Exception::Model.error(format!(
            "{} threads have been started already, and their number cannot be changed to {threads}: call set_threads before anything else",
            rayon::current_num_threads()
        )));
    }
    *set = Some(threads);
    Ok(())
}

/// The threads that computations share in this process.
#[pyfunction]
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}
