//! The stream itself: frames in, windows out, and the video tokens of the last seconds at any moment.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use vqtoken_core::{
    GridShape, QuantizerConfig, QuantizerStream, Source, TokenGrid, VideoTokens, Windows, join_windows,
};
use vqtoken_model::{FrameEmbedder, VisionSeconds, VisionSide};
use vqtoken_video::Frame;

use crate::error::LiveError;
use crate::folder::{Resumed, WindowFolder, window_tokens};
use crate::options::LiveOptions;
use crate::window::Window;

/// Later than this no stream is; beyond, instants would run together.
const LATEST: f64 = 1e10;

/// Frames become windows with a codebook each, of which the last are kept; the last seconds are quantized once more when somebody
/// asks about them. The tower sees every frame once, and repeats not at all.
///
/// What it gives depends on the frames, their times and the options alone. Memory: the open window as in a [`QuantizerStream`], and of
/// each window that is kept its codes and 4 bytes a token.
#[derive(Debug)]
pub struct LiveStream {
    vision: VisionSide,
    options: LiveOptions,
    config: QuantizerConfig,
    embedder: FrameEmbedder,
    /// Times of the frames that the embedder has taken and not given out.
    pending: Vec<f64>,
    open: Option<OpenWindow>,
    windows: VecDeque<Window>,
    folder: Option<WindowFolder>,
    next: u64,
    started: SystemTime,
    resumed: usize,
    last: Option<f64>,
    /// Width and height of the last frame.
    size: (usize, usize),
    messages: Vec<String>,
}

/// The window that frames go into.
#[derive(Debug)]
struct OpenWindow {
    number: u64,
    stream: QuantizerStream,
    timestamps: Vec<f64>,
    /// What [`LiveStream::tokens_of_last`] made of it, until the next frames come.
    so_far: Option<Window>,
}

/// A window that is over.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClosedWindow {
    /// Counts the windows of the stream, also over restarts.
    pub sequence: u64,
    /// Seconds of the first frame, since the start of the stream.
    pub start: f64,
    /// Seconds of the last frame.
    pub end: f64,
    /// How many frames it has.
    pub frames: usize,
    /// How many codes it has.
    pub codes: usize,
    /// Where it is saved; none without a folder, or if saving failed.
    pub file: Option<PathBuf>,
    /// Why it is not saved.
    pub unsaved: Option<String>,
}

impl LiveStream {
    /// A stream that no frame has come through yet, or with a folder of windows, the one that they belong to.
    ///
    /// # Errors
    /// If an option makes no sense, or the folder is not this stream's.
    pub fn new(vision: &VisionSide, options: LiveOptions) -> Result<Self, LiveError> {
        options.check(vision)?;
        let config = vision.quantizer(options.budget).with_seed(options.seed);
        QuantizerStream::new(config)?;
        let (folder, resumed) = match &options.folder {
            Some(folder) => {
                let (folder, resumed) = WindowFolder::open(folder, vision.id(), &options)?;
                (Some(folder), resumed)
            }
            None => {
                let started = options.started.unwrap_or_else(SystemTime::now);
                (None, Resumed { windows: Vec::new(), started, next: 0, messages: Vec::new() })
            }
        };
        Ok(Self {
            embedder: FrameEmbedder::new(vision, options.near_repeats),
            vision: vision.clone(),
            options,
            config,
            pending: Vec::new(),
            open: None,
            folder,
            next: resumed.next,
            started: resumed.started,
            resumed: resumed.windows.len(),
            last: resumed.windows.last().map(Window::end),
            windows: resumed.windows.into(),
            size: (0, 0),
            messages: resumed.messages,
        })
    }

    /// Where a stream that goes on after a restart stands, in seconds since its start: times of new frames are to be at least this.
    /// 0 for a new stream. A stream that was interrupted goes on where the clock stands.
    pub fn offset(&self, now: SystemTime) -> f64 {
        match self.last {
            None => 0.0,
            Some(last) => {
                let since = now.duration_since(self.started).unwrap_or(Duration::ZERO).as_secs_f64();
                since.max(last)
            }
        }
    }

    /// Takes the next frame and the time at which it is shown, in seconds since the start of the stream. Returns the window that is over
    /// with it, if one is.
    ///
    /// # Errors
    /// If the time goes back or is not finite; the stream can go on then. Or if the vision side or the quantizer fails.
    pub fn push(&mut self, frame: Frame, seconds: f64) -> Result<Option<ClosedWindow>, LiveError> {
        let last = self.last.unwrap_or(0.0);
        if !(seconds >= last && seconds <= LATEST) {
            return Err(LiveError::Time { seconds, last });
        }
        let number = self.number(seconds);
        let before = self.pending.last().map(|&seconds| self.number(seconds));
        let before = before.or(self.open.as_ref().map(|open| open.number));
        let closed = match before.is_some_and(|before| before != number) {
            true => self.close()?,
            false => None,
        };
        self.last = Some(seconds);
        self.size = (frame.width(), frame.height());
        self.pending.push(seconds);
        if let Some(tokens) = self.embedder.push(frame)? {
            self.quantize(tokens)?;
        }
        Ok(closed)
    }

    /// Ends the open window before its time, if there is one.
    ///
    /// # Errors
    /// If the vision side or the quantizer fails.
    pub fn close(&mut self) -> Result<Option<ClosedWindow>, LiveError> {
        self.flush()?;
        let Some(open) = self.open.take() else { return Ok(None) };
        let window = finish(open, self.next)?;
        self.next += 1;
        let saved = self.folder.as_ref().map(|folder| {
            let source = self.source(window.end() - window.start(), window.timestamps.len());
            folder.save(window.sequence, &window_tokens(&window, self.vision.id(), &self.options, source))
        });
        let (file, unsaved) = match saved {
            None => (None, None),
            Some(Ok(file)) => (Some(file), None),
            Some(Err(error)) => (None, Some(error.to_string())),
        };
        let closed = ClosedWindow {
            sequence: window.sequence,
            start: window.start(),
            end: window.end(),
            frames: window.timestamps.len(),
            codes: window.codebook.codes(),
            file,
            unsaved,
        };
        let oldest = window.end() - self.options.keep;
        self.windows.push_back(window);
        while self.windows.pop_front_if(|window| window.end() < oldest).is_some() {}
        if let (Some(folder), Some(first)) = (&self.folder, self.windows.front()) {
            folder.remove_before(first.sequence);
        }
        Ok(Some(closed))
    }

    /// Video tokens of the last seconds (`None` for all that is kept), up to the last frame, under the total budget or as many codes
    /// as there are. Of a window that begins earlier only the frames are taken that do not.
    ///
    /// # Errors
    /// If no frame lies there, or the vision side or the quantizer fails.
    pub fn tokens_of_last(&mut self, seconds: Option<f64>) -> Result<VideoTokens, LiveError> {
        self.flush()?;
        let seconds = seconds.unwrap_or(f64::INFINITY);
        let from = self.last.unwrap_or(0.0) - seconds.max(0.0);
        if let Some(open) = &mut self.open
            && open.so_far.is_none()
        {
            let OpenWindow { number, stream, timestamps, .. } = &*open;
            let (number, stream, timestamps) = (*number, stream.clone(), timestamps.clone());
            open.so_far = Some(finish(OpenWindow { number, stream, timestamps, so_far: None }, self.next)?);
        }
        let so_far = self.open.as_ref().and_then(|open| open.so_far.as_ref());
        let windows = || self.windows.iter().chain(so_far);
        let timestamps: Vec<f64> =
            windows().flat_map(|window| &window.timestamps[window.frames_since(from)]).copied().collect();
        let (Some(first), Some(last)) = (timestamps.first(), timestamps.last()) else {
            return Err(LiveError::NoFrames { last: seconds });
        };
        let source = self.source(last - first, timestamps.len());
        let parts = windows().map(|window| window.part(window.frames_since(from)));
        let joined = join_windows(parts, Some(self.options.total), &self.config)?;
        Ok(VideoTokens {
            codebook: joined.codebook,
            index_map: joined.index_map,
            timestamps,
            model: self.vision.id().to_owned(),
            source: Some(source),
            budget: self.options.budget,
            windows: Some(Windows { seconds: self.options.window, total: Some(self.options.total) }),
            quality: Default::default(),
        })
    }

    /// The windows that are over and kept, oldest first.
    pub fn windows(&self) -> impl ExactSizeIterator<Item = &Window> {
        self.windows.iter()
    }

    /// The number of windows that were found in the folder.
    pub fn resumed_windows(&self) -> usize {
        self.resumed
    }

    /// Seconds of the last frame since the start of the stream.
    pub fn last_seconds(&self) -> Option<f64> {
        self.last
    }

    /// The time of day at second 0.
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// How the stream becomes windows.
    pub fn options(&self) -> &LiveOptions {
        &self.options
    }

    /// Frames so far that repeated one before them.
    pub fn repeated_frames(&self) -> usize {
        self.embedder.repeats()
    }

    /// Seconds spent on frames so far.
    pub fn vision_seconds(&self) -> VisionSeconds {
        self.embedder.seconds()
    }

    /// What was wrong with the windows that were found, a sentence each.
    pub fn messages(&self) -> &[String] {
        &self.messages
    }

    fn number(&self, seconds: f64) -> u64 {
        (seconds / self.options.window).floor().max(0.0) as u64
    }

    fn flush(&mut self) -> Result<(), LiveError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let tokens = self.embedder.flush()?;
        self.quantize(tokens)
    }

    /// Adds the tokens of the frames that wait to the open window; all of these belong to one.
    fn quantize(&mut self, tokens: Vec<f32>) -> Result<(), LiveError> {
        let times = std::mem::take(&mut self.pending);
        let Some(&first) = times.first() else { return Ok(()) };
        let side = self.vision.config().grid_side();
        let shape = GridShape { frames: times.len(), height: side, width: side };
        let grid =
            TokenGrid::new(shape, self.vision.features(), tokens).map_err(vqtoken_model::ModelError::from)?;
        let number = self.number(first);
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(OpenWindow {
                number,
                stream: QuantizerStream::new(self.config)?,
                timestamps: Vec::new(),
                so_far: None,
            }),
        };
        open.stream.push(&grid)?;
        open.timestamps.extend(times);
        open.so_far = None;
        Ok(())
    }

    fn source(&self, duration: f64, frames: usize) -> Source {
        let (width, height) = self.size;
        Source { name: self.options.name.clone(), width, height, duration, bytes: 0, frames }
    }
}

fn finish(open: OpenWindow, sequence: u64) -> Result<Window, LiveError> {
    let quantization = open.stream.finish_within()?;
    let (codebook, index_map) = (quantization.codebook, quantization.index_map);
    Ok(Window { sequence, codebook, index_map, timestamps: open.timestamps })
}
