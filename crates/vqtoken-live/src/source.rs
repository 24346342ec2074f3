//! Frames from a file at its own pace, from an address, a camera or standard input.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use vqtoken_video::{
    Frame, LiveInput, LiveInputError, LiveVideo, LiveVideoError, OpenOptions, Sampling, Video, VideoError,
};

use crate::error::LiveError;
use crate::event::LiveEvent;
use crate::live::Live;

/// The first pause before a source is tried again, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a live source brings so many seconds ahead of its time, such as the first segments of a playlist, may wait until there is
/// room.
const BURST: f64 = 0.5;

/// How often it is looked whether somebody wants an end.
const GLANCE: Duration = Duration::from_millis(20);

/// Where frames come from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LiveSource {
    /// A file, or a folder of pictures, of which the times are its own.
    File(PathBuf),
    /// Anything else.
    Stream(LiveInput),
}

impl LiveSource {
    /// What a text names.
    ///
    /// # Errors
    /// If it is an address that is not read.
    pub fn parse(text: &str) -> Result<Self, LiveInputError> {
        Ok(LiveInput::parse(text)?.map_or_else(|| Self::File(text.into()), Self::Stream))
    }

    /// Whether it goes on whether or not anybody reads. Only the others can be sped up.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Stream(input) if input.is_live())
    }
}

/// For messages, without passwords.
impl std::fmt::Display for LiveSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", vqtoken_files::quoted(path)),
            Self::Stream(input) => write!(f, "{input}"),
        }
    }
}

/// How fast a file, or standard input, is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Speed {
    /// So many times as fast as it was taken; frames are left out where encoding is slower.
    Times(f64),
    /// As fast as it is encoded; no frame is left out.
    Max,
}

/// How a source is read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceOptions {
    /// Frames a second.
    pub fps: f64,
    /// How fast a file or standard input is shown. Default as it was taken.
    pub speed: Speed,
    /// Whether a source that ends, fails or stalls is tried again, after pauses that grow to a minute.
    pub reconnect: bool,
    /// How files and streams are opened; its patience is how long no frame may come, its cancellation ends reading.
    pub open: OpenOptions,
}

impl SourceOptions {
    /// So many frames a second, at the source's own pace.
    pub fn new(fps: f64) -> Self {
        Self { fps, speed: Speed::Times(1.0), reconnect: false, open: OpenOptions::default() }
    }

    /// The same at another speed.
    #[must_use]
    pub fn with_speed(self, speed: Speed) -> Self {
        Self { speed, ..self }
    }

    /// The same, tried again or not.
    #[must_use]
    pub fn with_reconnect(self, reconnect: bool) -> Self {
        Self { reconnect, ..self }
    }

    /// The same, opened in another way.
    #[must_use]
    pub fn with_open(self, open: OpenOptions) -> Self {
        Self { open, ..self }
    }
}

/// Brings the frames of a source to a stream until there are no more, or the options' cancellation is set. Blocks meanwhile. The
/// stream is not finished: whoever calls does that.
///
/// # Errors
/// If the source cannot be read, or stalls or fails and is not to be tried again. What was brought before stays.
pub fn feed(live: &Live, source: &LiveSource, options: &SourceOptions) -> Result<(), LiveError> {
    if !(options.fps.is_finite() && options.fps > 0.0) {
        return Err(LiveError::Option { name: "fps", value: options.fps });
    }
    if let Speed::Times(value) = options.speed
        && !(value.is_finite() && value > 0.0)
    {
        return Err(LiveError::Option { name: "speed", value });
    }
    let mut feeder = Feeder { live, options, is_live: source.is_live(), pace: None };
    match source {
        LiveSource::File(path) => feeder.file(path),
        LiveSource::Stream(input) if options.reconnect && input.is_live() => feeder.again_and_again(input),
        LiveSource::Stream(input) => feeder.stream(input, live.offset(), &mut |_| {}),
    }
}

struct Feeder<'a> {
    live: &'a Live,
    options: &'a SourceOptions,
    is_live: bool,
    /// When the first frame was shown, and its time in the source.
    pace: Option<(Instant, f64)>,
}

impl Feeder<'_> {
    fn is_cancelled(&self) -> bool {
        self.options.open.cancellation.is_cancelled()
    }

    fn file(&mut self, path: &std::path::Path) -> Result<(), LiveError> {
        let video = Video::open_with(path, &self.options.open)?;
        let mut refused = Ok(());
        let clip = video.sample_each(Sampling::Fps(self.options.fps), &mut |frame, seconds| {
            if refused.is_ok() {
                refused = self.bring(frame, self.live.offset(), seconds.max(0.0));
                if refused.is_err() {
                    self.options.open.cancellation.cancel();
                }
            }
        });
        refused?;
        match clip {
            Ok(clip) => {
                for message in clip.messages() {
                    self.live.tell(LiveEvent::Warning { message });
                }
                Ok(())
            }
            Err(VideoError::Cancelled { .. }) if self.is_cancelled() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a stream once; `brought` is called with the time of each frame.
    fn stream(
        &mut self,
        input: &LiveInput,
        base: f64,
        brought: &mut dyn FnMut(f64),
    ) -> Result<(), LiveError> {
        self.pace = None;
        let mut video = LiveVideo::open(input, self.options.fps, &self.options.open)?;
        loop {
            match video.next_frame() {
                Ok(Some((frame, seconds))) => {
                    brought(base + seconds);
                    self.bring(frame, base, seconds)?;
                }
                Ok(None) | Err(LiveVideoError::Cancelled { .. }) => return Ok(()),
                // Ctrl-C reaches ffmpeg, too.
                Err(_) if self.is_cancelled() => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn again_and_again(&mut self, input: &LiveInput) -> Result<(), LiveError> {
        let (start, mut base, mut last) = (Instant::now(), self.live.offset(), None);
        let (mut attempts, mut pause) = (0, FIRST_PAUSE);
        loop {
            let live = self.live;
            let result = self.stream(input, base, &mut |seconds| {
                if attempts > 0 {
                    live.tell(LiveEvent::Reconnected { at: seconds, attempts });
                }
                (attempts, pause, last) = (0, FIRST_PAUSE, Some(seconds));
            });
            let reason = match result {
                _ if self.is_cancelled() => return Ok(()),
                Ok(()) => format!("{input}: the stream ended"),
                Err(LiveError::Stream(
                    error @ (LiveVideoError::Stalled { .. } | LiveVideoError::Failed { .. }),
                )) => error.to_string(),
                Err(error) => return Err(error),
            };
            self.live.tell(LiveEvent::Stalled { reason, retry_in: pause.as_secs_f64() });
            self.sleep_until(Instant::now() + pause);
            if self.is_cancelled() {
                return Ok(());
            }
            attempts += 1;
            pause = (2 * pause).min(LONGEST_PAUSE);
            // Times go on where the clock stands.
            let now = self.live.offset() + start.elapsed().as_secs_f64();
            base = last.map_or(now, |last| now.max(last + 1.0 / self.options.fps));
        }
    }

    /// Brings a frame that is shown `seconds` after the start of the source, when its time has come.
    fn bring(&mut self, frame: Frame, base: f64, seconds: f64) -> Result<(), LiveError> {
        match self.options.speed {
            _ if self.is_live => {
                let (start, first) = *self.pace.get_or_insert((Instant::now(), seconds));
                let ahead = seconds - first - start.elapsed().as_secs_f64();
                match ahead > BURST {
                    true => self.live.push(frame, base + seconds),
                    false => self.live.offer(frame, base + seconds).map(drop),
                }
            }
            Speed::Max => self.live.push(frame, base + seconds),
            Speed::Times(times) => {
                let (start, first) = *self.pace.get_or_insert((Instant::now(), seconds));
                let after = Duration::try_from_secs_f64((seconds - first) / times).unwrap_or(Duration::ZERO);
                if let Some(instant) = start.checked_add(after) {
                    self.sleep_until(instant);
                }
                match self.is_cancelled() {
                    true => Ok(()),
                    false => self.live.offer(frame, base + seconds).map(drop),
                }
            }
        }
    }

    /// Sleeps until then, or until somebody wants an end.
    fn sleep_until(&self, instant: Instant) {
        loop {
            let left = instant.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_cancelled() {
                return;
            }
            thread::sleep(left.min(GLANCE));
        }
    }
}
