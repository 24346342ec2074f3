//! An `ffmpeg` process whose pipes are read at the same time, so that none of them can fill up and stop it.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Events that wait for us; what comes after them waits in the pipes. Few, as each may hold a picture.
const WAITING: usize = 2;

/// A line of text is cut here.
const LONGEST_LINE: u64 = 1 << 16;

/// Why nothing more comes out of a process.
#[derive(Debug)]
pub(super) enum Halt {
    /// It made no sign of progress for as long as it may take.
    Stalled,
    /// Starting it, or its pipes, failed.
    Io(io::Error),
}

/// What waiting brought.
pub(super) enum Waited<E> {
    Event(E),
    /// Nothing in that time.
    Nothing,
    /// All pipes have closed.
    End,
}

/// A running process, and what its pipes brought. It is stopped and reaped whatever happens.
///
/// When this program is killed, its ends of the pipes close; `ffmpeg` fails at the next frame it writes and ends, too.
#[derive(Debug)]
pub(super) struct Running<E> {
    child: Child,
    patience: Duration,
    events: Receiver<E>,
    sender: Option<SyncSender<E>>,
}

impl<E: Send + 'static> Running<E> {
    /// Starts a command whose pipes are set, except that its standard error becomes one.
    pub(super) fn start(command: &mut Command, patience: Duration) -> io::Result<Self> {
        let child = command.stderr(Stdio::piped()).spawn()?;
        let (sender, events) = sync_channel(WAITING);
        Ok(Self { child, patience, events, sender: Some(sender) })
    }

    /// Standard error, and standard output if that is a pipe.
    pub(super) fn pipes(&mut self) -> (Option<impl Read + Send + use<E>>, Option<impl Read + Send + use<E>>) {
        (self.child.stderr.take(), self.child.stdout.take())
    }

    /// Reads a pipe in a thread of its own. `read` hands events out until its second argument says to stop.
    pub(super) fn read_with<R, F>(&self, pipe: R, read: F)
    where
        R: Read + Send + 'static,
        F: FnOnce(R, &mut dyn FnMut(E) -> bool) + Send + 'static,
    {
        let Some(sender) = self.sender.clone() else { return };
        thread::spawn(move || read(pipe, &mut |event| sender.send(event).is_ok()));
    }

    /// The next event; `None` once all pipes have closed.
    pub(super) fn next(&mut self) -> Result<Option<E>, Halt> {
        // The readers have senders of their own: without this one the end of the last of them is seen.
        self.sender = None;
        match self.events.recv_timeout(self.patience) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(Halt::Stalled),
        }
    }

    /// [`Self::next`] for a while, whatever the patience is.
    pub(super) fn wait(&mut self, most: Duration) -> Waited<E> {
        self.sender = None;
        match self.events.recv_timeout(most) {
            Ok(event) => Waited::Event(event),
            Err(RecvTimeoutError::Disconnected) => Waited::End,
            Err(RecvTimeoutError::Timeout) => Waited::Nothing,
        }
    }

    /// Waits for the end of a process whose pipes have closed.
    pub(super) fn finish(mut self) -> Result<ExitStatus, Halt> {
        self.reap(self.patience)
    }

    /// [`Self::finish`] with another patience.
    pub(super) fn reap(&mut self, patience: Duration) -> Result<ExitStatus, Halt> {
        let start = Instant::now();
        loop {
            match self.child.try_wait().map_err(Halt::Io)? {
                Some(status) => return Ok(status),
                None if start.elapsed() > patience => return Err(Halt::Stalled),
                None => thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

impl<E> Drop for Running<E> {
    fn drop(&mut self) {
        // Both fail only when the process is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hands out the lines of a stream until `take` returns false.
pub(super) fn each_line(stream: impl Read, mut take: impl FnMut(&str) -> bool) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(count) if count > 0 => {}
            _ => return,
        }
        if !take(String::from_utf8_lossy(&line).trim_end()) {
            return;
        }
    }
}
