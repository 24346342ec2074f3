//! An endless stream of pictures with their times, at a rate that is asked for.
//!
//! Standard input may be the stream itself, so times cannot take the way that they take for files: the filter `showinfo` tells them
//! in the log, a line a picture, before the picture comes out of the other pipe. The lines of the log that repeat texts of the stream
//! begin otherwise than those of a filter do.

use std::collections::VecDeque;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use vqtoken_files::Limit;

use super::command::{self, Dialect};
use super::description::oversized;
use super::log::complaint;
use super::ppm::{PpmError, each_picture};
use super::probe;
use super::process::{Halt, Running, Waited, each_line};
use super::times::TICKS_PER_SECOND;
use crate::frame::Frame;
use crate::info::{OpenOptions, Programs};
use crate::live::{LiveInput, LiveVideoError};

/// How often cancelling and patience are looked at while nothing comes.
const GLANCE: Duration = Duration::from_millis(50);

/// Two times closer than this, in intervals of the rate, are the same: they went through a container's clock.
const SAME: f64 = 1e-3;

/// What the pipes bring.
#[derive(Debug)]
enum Event {
    Time(Option<i64>),
    Picture(Frame),
    BadPicture(PpmError),
    Complaint(String),
}

/// A stream under way, read through `ffmpeg`. Dropping it ends that.
#[derive(Debug)]
pub struct LiveVideo {
    input: LiveInput,
    rate: f64,
    options: OpenOptions,
    running: Running<Event>,
    dialect: Dialect,
    times: VecDeque<Option<i64>>,
    pictures: VecDeque<Frame>,
    last_complaint: Option<String>,
    /// When the last frame came.
    last_sign: Instant,
    /// Seconds of the last frame.
    last: Option<f64>,
    /// Seconds that are added to times, so that they go on where the stream's clock jumps back.
    shift: f64,
}

impl LiveVideo {
    /// Starts reading at `rate` frames a second; of a slower stream every frame comes.
    ///
    /// # Errors
    /// If there is no `ffmpeg`, or the rate is not above 0. A source that cannot be reached shows at [`Self::next_frame`].
    pub fn open(input: &LiveInput, rate: f64, options: &OpenOptions) -> Result<Self, LiveVideoError> {
        if !(rate > 0.0 && rate <= 1000.0) {
            return Err(LiveVideoError::Rate { rate });
        }
        let running = start(input, rate, options, Dialect::Current)?;
        Ok(Self {
            input: input.clone(),
            rate,
            options: options.clone(),
            running,
            dialect: Dialect::Current,
            times: VecDeque::new(),
            pictures: VecDeque::new(),
            last_complaint: None,
            last_sign: Instant::now(),
            last: None,
            shift: 0.0,
        })
    }

    /// The next frame and the time at which it is shown, in seconds since the first; `None` when the stream has ended. Times never
    /// go back. It waits for a frame as long as the options' patience says.
    ///
    /// # Errors
    /// If the source cannot be read, gives no frame for too long, is too large, or the options' cancellation is set.
    pub fn next_frame(&mut self) -> Result<Option<(Frame, f64)>, LiveVideoError> {
        self.last_sign = Instant::now();
        loop {
            if self.options.cancellation.is_cancelled() {
                return Err(LiveVideoError::Cancelled { source_name: self.input.to_string() });
            }
            if let Some(frame) = self.take_pair() {
                return Ok(Some(frame));
            }
            match self.running.wait(GLANCE) {
                Waited::Event(event) => self.take(event)?,
                Waited::Nothing if self.last_sign.elapsed() > self.options.patience => {
                    let seconds = self.options.patience.as_secs_f64();
                    return Err(LiveVideoError::Stalled { source_name: self.input.to_string(), seconds });
                }
                Waited::Nothing => {}
                Waited::End => match self.end()? {
                    true => {}
                    false => return Ok(None),
                },
            }
        }
    }

    fn take_pair(&mut self) -> Option<(Frame, f64)> {
        if self.times.is_empty() || self.pictures.is_empty() {
            return None;
        }
        let (ticks, frame) = (self.times.pop_front()?, self.pictures.pop_front()?);
        let interval = 1.0 / self.rate;
        let stated = ticks.map(|ticks| ticks as f64 / f64::from(TICKS_PER_SECOND));
        let seconds = match (self.last, stated) {
            (None, Some(stated)) => {
                self.shift = -stated;
                0.0
            }
            (None, None) => 0.0,
            (Some(last), Some(stated)) if stated + self.shift > last => stated + self.shift,
            (Some(last), Some(stated)) => {
                self.shift = last + interval - stated;
                last + interval
            }
            (Some(last), None) => last + interval,
        };
        self.last = Some(seconds);
        Some((frame, seconds))
    }

    fn take(&mut self, event: Event) -> Result<(), LiveVideoError> {
        let limit = |source| LiveVideoError::Limit { source_name: self.input.to_string(), source };
        match event {
            Event::Time(ticks) => self.times.push_back(ticks),
            Event::Picture(frame) => self.pictures.push_back(frame),
            Event::BadPicture(PpmError::Limit(source)) => return Err(limit(source)),
            Event::BadPicture(error) => self.last_complaint = Some(error.to_string()),
            Event::Complaint(text) => {
                if let Some((width, height)) = oversized(&text) {
                    let limits = &self.options.limits;
                    limits.check_product(Limit::FramePixels, &[width, height]).map_err(limit)?;
                }
                self.last_complaint = Some(text);
            }
        }
        Ok(())
    }

    /// Whether there is more after all: an old `ffmpeg` was spoken to in its own words.
    fn end(&mut self) -> Result<bool, LiveVideoError> {
        let succeeded = match self.running.reap(self.options.patience) {
            Ok(status) => status.success(),
            Err(Halt::Stalled) => false,
            Err(Halt::Io(error)) => return Err(self.failed(error.to_string())),
        };
        let complaint = self.last_complaint.take();
        if succeeded {
            return Ok(false);
        }
        let said = complaint.unwrap_or_else(|| "it gives no reason".into());
        if self.last.is_none() && said.contains("fps_mode") && self.dialect == Dialect::Current {
            self.dialect = Dialect::Old;
            self.running = start(&self.input, self.rate, &self.options, Dialect::Old)?;
            return Ok(true);
        }
        Err(self.failed(said))
    }

    /// `ffmpeg` repeats the address, which may hold a password.
    fn failed(&self, said: String) -> LiveVideoError {
        let source_name = self.input.to_string();
        let said = said.replace(self.input.argument(), &source_name);
        let said = said.strip_prefix(&format!("{source_name}: ")).unwrap_or(&said).to_owned();
        LiveVideoError::Failed { source_name, said }
    }
}

fn start(
    input: &LiveInput,
    rate: f64,
    options: &OpenOptions,
    dialect: Dialect,
) -> Result<Running<Event>, LiveVideoError> {
    let missing = || LiveVideoError::NoFfmpeg { source_name: input.to_string(), program: command::program() };
    if options.programs == Programs::None {
        return Err(missing());
    }
    let mut command = Command::new(command::program());
    command.args(arguments(input, rate, options, dialect));
    command.stdout(Stdio::piped());
    command.stdin(if *input == LiveInput::StandardInput { Stdio::inherit() } else { Stdio::null() });
    let mut running =
        Running::start(&mut command, options.patience).map_err(|error| match probe::is_missing(&error) {
            true => missing(),
            false => LiveVideoError::Failed { source_name: input.to_string(), said: error.to_string() },
        })?;
    let (log, output) = running.pipes();
    if let Some(log) = log {
        running.read_with(log, |log, send| {
            each_line(log, |line| match (showinfo_time(line), complaint(line)) {
                (Some(ticks), _) => send(Event::Time(ticks)),
                (None, Some(text)) => send(Event::Complaint(text)),
                (None, None) => true,
            });
        });
    }
    if let Some(output) = output {
        let limits = options.limits;
        running.read_with(output, move |output, send| {
            each_picture(output, &limits, |read| send(read.map_or_else(Event::BadPicture, Event::Picture)));
        });
    }
    Ok(running)
}

fn arguments(input: &LiveInput, rate: f64, options: &OpenOptions, dialect: Dialect) -> Vec<String> {
    let pixels = options.limits.frame_pixels.min(i32::MAX as u64).to_string();
    let demuxers = match input {
        LiveInput::Device { format, .. } => (*format).to_owned(),
        input => format!("{},{}", command::DEMUXERS, input.demuxers()),
    };
    let mut arguments: Vec<&str> = vec!["-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info"];
    if options.arrival_times {
        arguments.extend(["-use_wallclock_as_timestamps", "1"]);
    }
    match input {
        LiveInput::Device { format, .. } => arguments.extend(["-f", *format]),
        // Over TCP no packet is lost on the way.
        LiveInput::Address(_) if input.demuxers() == "rtsp" => arguments.extend(["-rtsp_transport", "tcp"]),
        _ => {}
    }
    arguments.extend(["-protocol_whitelist", input.protocols(), "-format_whitelist", demuxers.as_str()]);
    arguments.extend(["-max_pixels", pixels.as_str(), "-i", input.argument()]);
    let filter = filter(rate);
    arguments.extend(["-map", "0:V:0", "-vf", filter.as_str()]);
    arguments.extend(match dialect {
        Dialect::Current => ["-fps_mode", "passthrough"],
        Dialect::Old => ["-vsync", "passthrough"],
    });
    arguments.extend([
        "-flush_packets",
        "1",
        "-pix_fmt",
        "rgb24",
        "-c:v",
        "ppm",
        "-f",
        "image2pipe",
        "pipe:1",
    ]);
    arguments.into_iter().map(str::to_owned).collect()
}

/// The first frame of each interval of the rate, and again where the clock goes back; then its time, in ticks.
fn filter(rate: f64) -> String {
    let interval = |time: &str| format!("floor({time}*{rate}+{SAME})");
    format!(
        "select='isnan(prev_selected_t)+isnan(t)+lt(t,prev_selected_t)+gt({},{})',settb=1/{TICKS_PER_SECOND},showinfo",
        interval("t"),
        interval("prev_selected_t"),
    )
}

/// The ticks in a line of `showinfo`, none where the frame has no time; `None` for any other line.
fn showinfo_time(line: &str) -> Option<Option<i64>> {
    if !line.starts_with("[Parsed_showinfo_") {
        return None;
    }
    let (_, text) = line.split_once("] [info] n:")?;
    let (_, text) = text.split_once(" pts:")?;
    Some(text.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_the_filter_alone() {
        let line =
            "[Parsed_showinfo_2 @ 0x55d] [info] n:   3 pts:1500000 pts_time:1.5     pos:    564 fmt:yuv420p";
        assert_eq!(showinfo_time(line), Some(Some(1_500_000)));
        let without = "[Parsed_showinfo_2 @ 0x55d] [info] n:   3 pts:   NOPTS pts_time:NOPTS   pos: 1";
        assert_eq!(showinfo_time(without), Some(None));
        for other in [
            "[info]     title           : [Parsed_showinfo_2 @ 0x55d] [info] n:   3 pts:7",
            "[Parsed_showinfo_2 @ 0x55d] [info] config in time_base: 1/1000000, frame_rate: 30/1",
            "[Parsed_showinfo_2 @ 0x55d] [info]   side data - pts:9",
        ] {
            assert_eq!(showinfo_time(other), None, "{other}");
        }
    }

    #[test]
    fn a_source_reaches_only_what_its_scheme_needs() {
        let arguments = |text: &str| {
            let input = LiveInput::parse(text).unwrap().unwrap();
            arguments(&input, 2.0, &OpenOptions::default(), Dialect::Current)
        };
        let after = |arguments: &[String], name: &str| {
            let at = arguments.iter().position(|argument| argument == name).unwrap();
            arguments[at + 1].clone()
        };
        let http = arguments("http://host/live.m3u8");
        assert_eq!(after(&http, "-protocol_whitelist"), "http,https,tcp,tls,crypto");
        assert!(after(&http, "-format_whitelist").ends_with("hls,mpjpeg"));
        assert_eq!(after(&http, "-i"), "http://host/live.m3u8");
        let camera = arguments("/dev/video9");
        assert_eq!(after(&camera, "-format_whitelist"), "v4l2");
        assert_eq!(after(&arguments("-"), "-protocol_whitelist"), "pipe");
    }
}
