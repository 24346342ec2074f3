//! What happens to a stream, as it is told to people and machines.

use std::path::PathBuf;

use serde::Serialize;

/// Something that happened to a stream. As JSON each is an object with its name in `type`; times are seconds since the start of the
/// stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LiveEvent {
    /// It is ready for frames.
    Start {
        /// Its name.
        name: String,
        /// The time of day at second 0, in seconds since 1970.
        started: f64,
        /// Windows that were found in its folder.
        resumed_windows: usize,
        /// What times of new frames have to be at least.
        offset: f64,
    },
    /// A window is over.
    Window {
        /// Counts the windows, also over restarts.
        sequence: u64,
        /// Its first frame.
        start: f64,
        /// Its last frame.
        end: f64,
        /// How many frames it has.
        frames: usize,
        /// How many codes it has.
        codes: usize,
        /// Where it is saved.
        file: Option<PathBuf>,
        /// How many windows are kept, this one among them.
        kept_windows: usize,
        /// Frames since the start of this run that repeated one before them.
        repeated_frames: usize,
    },
    /// A question is answered.
    Answer {
        /// The number that [`crate::Live::ask`] gave; none for a standing question.
        id: Option<u64>,
        /// The question.
        question: String,
        /// The answer.
        answer: String,
        /// The first frame that it is about.
        from: f64,
        /// The last frame that it is about.
        to: f64,
        /// How many frames it is about.
        frames: usize,
        /// Codes of the video tokens.
        codes: usize,
        /// Seconds from the question to the answer.
        seconds: f64,
    },
    /// A question could not be answered.
    Unanswered {
        /// The number that [`crate::Live::ask`] gave; none for a standing question.
        id: Option<u64>,
        /// The question.
        question: String,
        /// When it was due.
        at: f64,
        /// Why not.
        reason: String,
        /// Whether answering failed; otherwise it was left out because others were being answered, or the stream was stopped.
        failed: bool,
    },
    /// Encoding is slower than the stream: frames were left out, evenly.
    LeftOut {
        /// How many were left out.
        left_out: usize,
        /// Of how many.
        of: usize,
        /// The first of these.
        since: f64,
        /// The last of these.
        until: f64,
    },
    /// The source gives no more frames; it is tried again.
    Stalled {
        /// Why.
        reason: String,
        /// The pause before the next attempt, in seconds.
        retry_in: f64,
    },
    /// Frames come again.
    Reconnected {
        /// The first of them.
        at: f64,
        /// How many attempts it took.
        attempts: usize,
    },
    /// Something that somebody should know.
    Warning {
        /// A sentence.
        message: String,
    },
    /// It failed; the end follows.
    Error {
        /// Why.
        message: String,
    },
    /// It is over; nothing follows.
    End {
        /// Seconds of the last frame since the start of the stream.
        seconds: f64,
        /// Frames that were encoded in this run.
        frames: usize,
        /// Frames that were left out in this run.
        left_out: usize,
        /// Windows of this run.
        windows: usize,
        /// Windows of this run that could not be saved though there is a folder.
        unsaved_windows: usize,
        /// Questions that were answered.
        answers: usize,
        /// Questions that were not.
        unanswered: usize,
    },
}
