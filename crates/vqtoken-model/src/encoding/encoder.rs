//! The streaming encoder: frames in one by one, video tokens out, in bounded memory.

use std::sync::Arc;
use std::time::Instant;

use vqtoken_core::{Budget, QuantizerStream, VideoTokens, WindowedQuantizer, Windows};
use vqtoken_video::Frame;

use super::frame_embedder::{FrameEmbedder, VisionSeconds};
use super::vision_side::VisionSide;
use crate::error::ModelError;

/// How frames become video tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct EncoderOptions {
    /// How many codes; with windows, of each window.
    pub budget: Budget,
    /// Windows of time with a codebook each, and the codes of the whole.
    pub windows: Option<Windows>,
    /// Frames that differ from the last computed one by no more than this mean number of 8-bit levels, in every cell of the
    /// grid, get its tokens. 0 finds exact repeats only.
    pub near_repeats: f64,
    /// A second set of so many codes over the whole video, or as many as it has tokens: see [`Encoder::fine`].
    pub fine: Option<usize>,
    /// Of the quantizer.
    pub seed: u64,
    /// Whether the tower's hidden states are kept until [they are taken](Encoder::take_states).
    pub tower_states: bool,
}

impl EncoderOptions {
    /// One codebook under a budget.
    pub fn new(budget: Budget) -> Self {
        Self { budget, windows: None, near_repeats: 0.0, fine: None, seed: 0, tower_states: false }
    }

    /// The same in windows.
    pub fn with_windows(self, windows: impl Into<Option<Windows>>) -> Self {
        Self { windows: windows.into(), ..self }
    }

    /// The same with a threshold for near repeats.
    pub fn with_near_repeats(self, near_repeats: f64) -> Self {
        Self { near_repeats, ..self }
    }

    /// The same with a second set of codes.
    pub fn with_fine(self, fine: impl Into<Option<usize>>) -> Self {
        Self { fine: fine.into(), ..self }
    }

    /// The same under another seed.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same, with the tower's hidden states handed out.
    pub fn with_tower_states(self) -> Self {
        Self { tower_states: true, ..self }
    }
}

impl Default for EncoderOptions {
    /// The paper's fixed budget.
    fn default() -> Self {
        Self::new(Budget::PAPER_FIXED)
    }
}

/// Turns frames that come one by one into video tokens. It holds a few frames, and a bounded part of their tokens.
#[derive(Debug)]
pub struct Encoder {
    vision: VisionSide,
    options: EncoderOptions,
    embedder: FrameEmbedder,
    quantizer: WindowedQuantizer,
    fine_quantizer: Option<QuantizerStream>,
    fine: Option<VideoTokens>,
    timestamps: Vec<f64>,
    /// Frames whose tokens the quantizer has.
    quantized: usize,
    quantizer_seconds: f64,
}

impl Encoder {
    /// Takes the next frame and the time at which it is shown, in seconds.
    ///
    /// # Errors
    ///
    /// If the quantizer refuses its tokens.
    pub fn push(&mut self, frame: Frame, seconds: f64) -> Result<(), ModelError> {
        let tokens = self.embedder.push(frame)?;
        self.timestamps.push(seconds);
        tokens.map_or(Ok(()), |tokens| self.quantize(tokens))
    }

    /// [Takes](Self::push) several frames.
    ///
    /// # Errors
    ///
    /// As [`Self::push`].
    pub fn extend(&mut self, frames: impl IntoIterator<Item = (Frame, f64)>) -> Result<(), ModelError> {
        frames.into_iter().try_for_each(|(frame, seconds)| self.push(frame, seconds))
    }

    /// The video tokens of all frames since the start. The encoder is then ready for another video.
    ///
    /// # Errors
    ///
    /// If there were no frames, or the budget asks for more codes than there are tokens.
    pub fn finish(&mut self) -> Result<VideoTokens, ModelError> {
        let tokens = self.embedder.flush()?;
        self.quantize(tokens)?;
        let start = Instant::now();
        let next = self.options.quantizer(&self.vision)?;
        let quantization = std::mem::replace(&mut self.quantizer, next).finish()?;
        self.quantized = 0;
        let timestamps = std::mem::take(&mut self.timestamps);
        self.finish_fine(&timestamps)?;
        self.quantizer_seconds += start.elapsed().as_secs_f64();
        let tokens = self.vision.unnamed_tokens(timestamps, quantization, self.options.budget);
        Ok(VideoTokens { windows: self.options.windows, ..tokens })
    }

    fn finish_fine(&mut self, timestamps: &[f64]) -> Result<(), ModelError> {
        let next = self.options.fine_quantizer(&self.vision)?;
        if let Some(quantizer) = std::mem::replace(&mut self.fine_quantizer, next) {
            let quantization = quantizer.finish_within()?;
            let budget = Budget::Fixed(quantization.codebook.codes());
            self.fine = Some(self.vision.unnamed_tokens(timestamps.to_vec(), quantization, budget));
        }
        Ok(())
    }

    /// The second set of codes of the video that was finished last, if [the options](EncoderOptions::fine) ask for one.
    pub fn fine(&mut self) -> Option<VideoTokens> {
        self.fine.take()
    }

    /// The hidden states `[N, Dv]` of the tower of each frame that was computed or repeats one that was, since the last call, in order; a
    /// few frames at a time, after [`Self::push`] and [`Self::finish`]. None unless [the options](EncoderOptions::tower_states) ask for them.
    pub fn take_states(&mut self) -> Vec<Arc<[f32]>> {
        self.embedder.take_states()
    }

    fn quantize(&mut self, tokens: Vec<f32>) -> Result<(), ModelError> {
        let times = &self.timestamps[self.quantized..];
        if times.is_empty() {
            return Ok(());
        }
        let grid = self.vision.token_grid(times.len(), tokens)?;
        let start = Instant::now();
        self.quantizer.push(&grid, times)?;
        if let Some(quantizer) = &mut self.fine_quantizer {
            quantizer.push(&grid)?;
        }
        self.quantizer_seconds += start.elapsed().as_secs_f64();
        self.quantized = self.timestamps.len();
        Ok(())
    }

    /// Frames so far that repeated one before them.
    pub fn repeated_frames(&self) -> usize {
        self.embedder.repeats()
    }

    /// Frames of the present video that have been quantized.
    pub fn quantized_frames(&self) -> usize {
        self.quantized
    }

    /// Seconds spent on frames so far.
    pub fn vision_seconds(&self) -> VisionSeconds {
        self.embedder.seconds()
    }

    /// Seconds spent in the quantizer so far.
    pub fn quantizer_seconds(&self) -> f64 {
        self.quantizer_seconds
    }
}

impl EncoderOptions {
    fn quantizer(&self, vision: &VisionSide) -> Result<WindowedQuantizer, ModelError> {
        let config = vision.quantizer(self.budget).with_seed(self.seed);
        Ok(WindowedQuantizer::new(config, self.windows)?)
    }

    fn fine_quantizer(&self, vision: &VisionSide) -> Result<Option<QuantizerStream>, ModelError> {
        let config = |codes| vision.quantizer(Budget::Fixed(codes)).with_seed(self.seed);
        Ok(self.fine.map(|codes| QuantizerStream::new(config(codes))).transpose()?)
    }
}

impl VisionSide {
    /// An encoder that no frame has come to yet.
    ///
    /// # Errors
    ///
    /// If a budget allows no code, or windows have no length.
    pub fn encoder(&self, options: EncoderOptions) -> Result<Encoder, ModelError> {
        let embedder = FrameEmbedder::new(self, options.near_repeats);
        Ok(Encoder {
            vision: self.clone(),
            options,
            embedder: if options.tower_states { embedder.keeping_states() } else { embedder },
            quantizer: options.quantizer(self)?,
            fine_quantizer: options.fine_quantizer(self)?,
            fine: None,
            timestamps: Vec::new(),
            quantized: 0,
            quantizer_seconds: 0.0,
        })
    }

    /// Video tokens of frames, each with the time at which it is shown, in seconds.
    ///
    /// # Errors
    ///
    /// As [`Encoder::push`] and [`Encoder::finish`].
    pub fn encode_frames(
        &self,
        frames: impl IntoIterator<Item = (Frame, f64)>,
        options: EncoderOptions,
    ) -> Result<VideoTokens, ModelError> {
        let mut encoder = self.encoder(options)?;
        encoder.extend(frames)?;
        encoder.finish()
    }
}
