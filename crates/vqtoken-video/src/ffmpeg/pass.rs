//! One pass of `ffmpeg` through a stream.

use std::collections::VecDeque;
use std::io::pipe;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use vqtoken_files::{Limit, LimitError, Limits};

use super::command::{self, Dialect, Pictures};
use super::description::oversized;
use super::log::complaint;
use super::ppm::{PpmError, each_picture};
use super::process::{Running, each_line};
use super::times::{FrameLine, Times, frame_line};
use super::{halted, probe};
use crate::cancellation::Cancellation;
use crate::damage::Damage;
use crate::error::VideoError;
use crate::frame::Frame;
use crate::info::OpenOptions;
use crate::source::{Keep, Pass, Source, Wanted};
use crate::warning::Warning;

/// A stream of a file that `ffmpeg` decodes.
pub(super) struct FfmpegSource {
    path: PathBuf,
    /// Among all streams of the file.
    stream: usize,
    expected: Option<Vec<f64>>,
    limits: Limits,
    patience: Duration,
    cancellation: Cancellation,
    learnt: Mutex<Learnt>,
}

/// What one pass finds out for the next.
#[derive(Clone, Copy)]
struct Learnt {
    dialect: Dialect,
    /// Frames cannot be asked for by number, since FFmpeg counts anew where the size changes.
    changes: bool,
}

/// What the pipes of a run bring.
enum Event {
    Time(FrameLine),
    Picture(Frame),
    BadPicture(PpmError),
    Complaint(String),
}

/// What a run said.
#[derive(Default)]
struct Run {
    times: Times,
    complaints: usize,
    /// The first complaint, and how many frames had come before it.
    first_complaint: Option<(usize, String)>,
    succeeded: bool,
    /// Width and height of the pictures.
    size: Option<(usize, usize)>,
}

impl FfmpegSource {
    pub(super) fn new(
        path: PathBuf,
        stream: usize,
        expected: Option<Vec<f64>>,
        options: &OpenOptions,
    ) -> Self {
        let learnt = Mutex::new(Learnt { dialect: Dialect::Current, changes: false });
        let OpenOptions { limits, patience, cancellation, .. } = options.clone();
        Self { path, stream, expected, limits, patience, cancellation, learnt }
    }

    fn learnt(&self) -> Learnt {
        *self.learnt.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn learn(&self, learnt: Learnt) {
        *self.learnt.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = learnt;
    }

    fn limit(&self, source: LimitError) -> VideoError {
        VideoError::Limit { path: self.path.clone(), source }
    }

    fn failed(&self, said: impl ToString) -> VideoError {
        VideoError::Ffmpeg { path: self.path.clone(), said: said.to_string() }
    }

    /// A run in the dialect that this `ffmpeg` understands.
    fn run_any(&self, pictures: &Pictures, hand_out: &mut HandOut<'_, '_>) -> Result<Run, VideoError> {
        let run = self.run(pictures, hand_out)?;
        let learnt = self.learnt();
        let refused = !run.succeeded && run.times.seconds.is_empty();
        if refused && run.cause().contains("fps_mode") && learnt.dialect == Dialect::Current {
            self.learn(Learnt { dialect: Dialect::Old, ..learnt });
            return self.run(pictures, hand_out);
        }
        Ok(run)
    }

    fn run(&self, pictures: &Pictures, hand_out: &mut HandOut<'_, '_>) -> Result<Run, VideoError> {
        let dialect = self.learnt().dialect;
        let (times, times_end) = pipe().map_err(|error| self.failed(error))?;
        let mut command = command::pass(&self.path, &self.limits, self.stream, dialect, pictures);
        let running = Running::start(command.stdin(Stdio::from(times_end)), self.patience);
        // The command holds our copy of the writing end: the pipe closes only when that is gone, too.
        drop(command);
        let mut running = running.map_err(|error| self.not_started(error))?;
        let (log, output) = running.pipes();
        running.read_with(times, |times, send| {
            each_line(times, |line| frame_line(line).is_none_or(|line| send(Event::Time(line))));
        });
        if let Some(log) = log {
            running.read_with(log, |log, send| {
                each_line(log, |line| complaint(line).is_none_or(|text| send(Event::Complaint(text))));
            });
        }
        if let Some(output) = output {
            let limits = self.limits;
            running.read_with(output, move |output, send| {
                each_picture(output, &limits, |read| {
                    send(read.map_or_else(Event::BadPicture, Event::Picture))
                });
            });
        }
        let mut run = Run::default();
        while let Some(event) = running.next().map_err(|halt| halted(&self.path, halt, self.patience))? {
            if self.cancellation.is_cancelled() {
                return Err(VideoError::Cancelled { path: self.path.clone() });
            }
            self.take(event, &mut run, hand_out)?;
        }
        let status = running.finish().map_err(|halt| halted(&self.path, halt, self.patience))?;
        run.succeeded = status.success();
        Ok(run)
    }

    fn take(&self, event: Event, run: &mut Run, hand_out: &mut HandOut<'_, '_>) -> Result<(), VideoError> {
        match event {
            Event::Time(line) => {
                run.times.add(line);
                self.check(&run.times)?;
                hand_out.go(&run.times)
            }
            Event::Picture(frame) => {
                run.size.get_or_insert((frame.width(), frame.height()));
                hand_out.add(frame);
                hand_out.go(&run.times)
            }
            Event::BadPicture(PpmError::Limit(source)) => Err(self.limit(source)),
            // It was stopped in the middle of a picture; the log says why.
            Event::BadPicture(error) => {
                run.complain(error.to_string());
                Ok(())
            }
            Event::Complaint(text) => {
                if let Some((width, height)) = oversized(&text) {
                    let checked = self.limits.check_product(Limit::FramePixels, &[width, height]);
                    checked.map_err(|source| self.limit(source))?;
                }
                run.complain(text);
                Ok(())
            }
        }
    }

    fn check(&self, times: &Times) -> Result<(), VideoError> {
        let seconds = &times.seconds;
        let span = seconds.last().unwrap_or(&0.0) - seconds.first().unwrap_or(&0.0);
        let count = self.limits.check(Limit::Frames, seconds.len() as u64);
        count
            .and_then(|()| self.limits.check(Limit::Seconds, span as u64))
            .map_err(|source| self.limit(source))
    }

    fn not_started(&self, error: std::io::Error) -> VideoError {
        if probe::is_missing(&error) {
            return VideoError::UnsupportedCodec {
                path: self.path.clone(),
                codec: "this codec".into(),
                container: "this container".into(),
                program: command::program(),
            };
        }
        self.failed(error)
    }
}

impl Source for FfmpegSource {
    fn expected_timestamps(&self) -> Option<Vec<f64>> {
        self.expected.clone()
    }

    fn pass(&self, wanted: &Wanted, keep: Keep<'_>) -> Result<Pass, VideoError> {
        let pictures = match wanted {
            Wanted::All => Pictures::All,
            Wanted::These(indices) if indices.is_empty() => Pictures::None,
            Wanted::These(_) if self.learnt().changes => Pictures::All,
            Wanted::These(indices) => Pictures::these(indices),
        };
        let mut hand_out = HandOut::new(wanted, &pictures, keep);
        let mut run = self.run_any(&pictures, &mut hand_out)?;
        if run.times.seconds.is_empty() && !run.succeeded {
            return Err(self.failed(run.cause()));
        }
        if run.times.changed_at.is_some() {
            self.learn(Learnt { changes: true, ..self.learnt() });
            if let (Pictures::Runs(_), Some(done)) = (&pictures, hand_out.stopped_before) {
                // From here on other frames came than those that were asked for: all are looked through instead.
                let mut rest = HandOut::new(wanted, &Pictures::All, hand_out.keep);
                rest.first = done;
                run = self.run_any(&Pictures::All, &mut rest)?;
            }
        }
        Ok(run.into_pass())
    }
}

impl Run {
    fn complain(&mut self, text: String) {
        self.complaints += 1;
        let frame = self.times.seconds.len();
        self.first_complaint.get_or_insert((frame, text));
    }

    /// The first complaint: the others are about what follows from it.
    fn cause(&self) -> &str {
        self.first_complaint.as_ref().map_or("it gave no reason", |(_, text)| text)
    }

    fn into_pass(self) -> Pass {
        let mut pass = Pass { timestamps: self.times.seconds, ..Pass::default() };
        if let Some((frame, text)) = self.first_complaint {
            let what = match self.complaints {
                1 => format!("ffmpeg reports a problem: {text}"),
                more => format!("ffmpeg reports {more} problems, the first: {text}"),
            };
            pass.damage.push(Damage { frame, seconds: pass.timestamps.get(frame).copied(), lost: 0, what });
        } else if !self.succeeded {
            let frame = pass.timestamps.len();
            let what = "ffmpeg ended early, without a reason".into();
            pass.damage.push(Damage { frame, seconds: None, lost: 0, what });
        }
        if let (Some(frame), Some(size)) = (self.times.changed_at, self.size) {
            pass.warnings.push(Warning::SizeChanged { frame, size });
        }
        if self.times.mended > 0 {
            pass.warnings.push(Warning::TimesMended { frames: self.times.mended });
        }
        pass
    }
}

/// Gives pictures their index and hands them out, once it is certain that they are the frames that were asked for.
struct HandOut<'a, 'k> {
    wanted: &'a Wanted,
    /// Indices that were asked for by number, in the order in which their pictures come; none where all come.
    asked: Option<Vec<usize>>,
    /// Pictures so far.
    count: usize,
    /// Indices below this one were handed out before.
    first: usize,
    waiting: VecDeque<(usize, Frame)>,
    /// Set where FFmpeg counted anew: the first wanted frame that has not been handed out.
    stopped_before: Option<usize>,
    keep: Keep<'k>,
}

impl<'a, 'k> HandOut<'a, 'k> {
    fn new(wanted: &'a Wanted, pictures: &Pictures, keep: Keep<'k>) -> Self {
        let asked = match (pictures, wanted) {
            (Pictures::Runs(_), Wanted::These(indices)) => Some(indices.clone()),
            _ => None,
        };
        let waiting = VecDeque::new();
        Self { wanted, asked, count: 0, first: 0, waiting, stopped_before: None, keep }
    }

    fn add(&mut self, frame: Frame) {
        let index = match &self.asked {
            Some(asked) => asked.get(self.count).copied(),
            None => Some(self.count).filter(|&index| index >= self.first && self.wanted.contains(index)),
        };
        self.count += 1;
        // What comes after FFmpeg has counted anew is not what was asked for.
        let is_right = |index: &usize| self.stopped_before.is_none_or(|stopped| *index < stopped);
        if let Some(index) = index.filter(is_right) {
            self.waiting.push_back((index, frame));
        }
    }

    /// Hands out what is certain: pictures whose time has come, and if they were asked for by number, up to where FFmpeg counts anew.
    fn go(&mut self, times: &Times) -> Result<(), VideoError> {
        let certain = match (&self.asked, times.changed_at) {
            (Some(_), Some(changed_at)) => changed_at,
            _ => times.seconds.len(),
        };
        while let Some((index, frame)) = self.waiting.pop_front_if(|(index, _)| *index < certain) {
            (self.keep)(index, frame)?;
        }
        if let (Some(asked), Some(changed_at)) = (&self.asked, times.changed_at)
            && self.stopped_before.is_none()
            && asked.last().is_some_and(|&last| last >= changed_at)
        {
            self.stopped_before = Some(changed_at);
            self.waiting.retain(|(index, _)| *index < changed_at);
        }
        Ok(())
    }
}
