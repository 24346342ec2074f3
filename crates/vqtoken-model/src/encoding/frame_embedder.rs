//! Frames to tokens, a few at a time; a frame that repeats the one before it is not computed again.

use std::sync::Arc;
use std::time::Instant;

use vqtoken_core::TokenGrid;
use vqtoken_video::{Clip, Frame};

use super::vision_side::{FRAMES_AT_ONCE, VisionSide};
use crate::error::ModelError;

/// Frames, repeats among them, after which tokens are due at the latest.
const MOST_PENDING: usize = 64;

/// Takes frames in order and returns their tokens, several frames at a time.
///
/// A frame that equals the last computed one gets its tokens. With a threshold so does a frame that is nearly the same: in no
/// cell of the token grid is the mean absolute difference of the 8-bit values larger. It is always compared with the frame
/// that was computed, so slow changes add up to a new frame.
#[derive(Debug)]
pub struct FrameEmbedder {
    vision: VisionSide,
    threshold: f64,
    /// The last frame that was computed or is pending, and its tokens once they are known.
    reference: Option<Frame>,
    reference_tokens: Vec<f32>,
    /// Frames to compute.
    pending: Vec<Frame>,
    /// For every frame whose tokens are due: its index in `pending`, none for a repeat of the reference.
    due: Vec<Option<usize>>,
    repeats: usize,
    seconds: VisionSeconds,
    states: Option<KeptStates>,
}

/// Hidden states of the tower, `[N, Dv]` a frame; a repeat has those of the frame that it repeats.
#[derive(Debug, Default)]
struct KeptStates {
    /// Of the last frame that was computed.
    reference: Arc<[f32]>,
    /// Of frames whose tokens were returned, until they are taken.
    ready: Vec<Arc<[f32]>>,
}

impl KeptStates {
    /// Adds `states` of `new` computed frames, and which of them each due frame has; none for the reference.
    fn add(&mut self, states: &[f32], new: usize, due: &[Option<usize>]) {
        let row = states.len().checked_div(new).unwrap_or_default().max(1);
        let computed: Vec<Arc<[f32]>> = states.chunks_exact(row).map(Arc::from).collect();
        let of = |index: &Option<usize>| index.map_or(&self.reference, |index| &computed[index]).clone();
        self.ready.extend(due.iter().map(of));
        if let Some(last) = computed.last() {
            self.reference = last.clone();
        }
    }
}

/// Seconds spent on the way from frames to tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct VisionSeconds {
    /// Resizing and normalising.
    pub pixels: f64,
    /// Tower and projector.
    pub vision: f64,
}

impl FrameEmbedder {
    /// An embedder that finds exact repeats, and near ones up to `threshold` levels of 255 if that is above 0.
    pub fn new(vision: &VisionSide, threshold: f64) -> Self {
        Self {
            vision: vision.clone(),
            threshold,
            reference: None,
            reference_tokens: Vec::new(),
            pending: Vec::new(),
            due: Vec::new(),
            repeats: 0,
            seconds: VisionSeconds::default(),
            states: None,
        }
    }

    /// The same, which keeps the tower's hidden states for [`Self::take_states`].
    pub(super) fn keeping_states(self) -> Self {
        Self { states: Some(KeptStates::default()), ..self }
    }

    /// The tower's hidden states `[N, Dv]` of each frame whose tokens were returned since the last call, in order.
    pub(super) fn take_states(&mut self) -> Vec<Arc<[f32]>> {
        self.states.as_mut().map(|states| std::mem::take(&mut states.ready)).unwrap_or_default()
    }

    /// Takes the next frame. Returns the tokens `[t * H * W, D]` of the `t` frames since the last result when there are enough of
    /// them.
    ///
    /// # Errors
    ///
    /// As [`VisionSide::embed_pixels`].
    pub fn push(&mut self, frame: Frame) -> Result<Option<Vec<f32>>, ModelError> {
        let side = self.vision.config().grid_side();
        let repeats = self.reference.as_ref().is_some_and(|reference| {
            *reference == frame || self.threshold > 0.0 && change(reference, &frame, side) <= self.threshold
        });
        if repeats {
            self.repeats += 1;
        } else {
            self.reference = Some(frame.clone());
            self.pending.push(frame);
        }
        self.due.push(self.pending.len().checked_sub(1));
        match self.pending.len() == FRAMES_AT_ONCE || self.due.len() == MOST_PENDING {
            true => self.flush().map(Some),
            false => Ok(None),
        }
    }

    /// The tokens `[t * H * W, D]` of the `t` frames since the last result; empty if there are none.
    ///
    /// # Errors
    ///
    /// As [`VisionSide::embed_pixels`].
    pub fn flush(&mut self) -> Result<Vec<f32>, ModelError> {
        let start = Instant::now();
        let pixels = self.vision.pixel_spec().pixels(&self.pending);
        let resized = Instant::now();
        let mut states = self.states.is_some().then(Vec::new);
        let computed = self.vision.embed_pixels_keeping(&pixels, states.as_mut())?;
        self.seconds.pixels += (resized - start).as_secs_f64();
        self.seconds.vision += resized.elapsed().as_secs_f64();

        let new = std::mem::take(&mut self.pending).len();
        let due = std::mem::take(&mut self.due);
        if let (Some(kept), Some(states)) = (&mut self.states, states) {
            kept.add(&states, new, &due);
        }
        let length = computed.len().checked_div(new).unwrap_or(self.reference_tokens.len());
        let tokens_of = |index: usize| &computed[index * length..][..length];
        // Usually every frame is new, and nothing has to be copied.
        let assembled = (due.len() != new).then(|| {
            let tokens =
                due.iter().flat_map(|index| index.map_or(self.reference_tokens.as_slice(), tokens_of));
            tokens.copied().collect::<Vec<f32>>()
        });
        if let Some(last) = new.checked_sub(1) {
            self.reference_tokens = tokens_of(last).to_vec();
        }
        Ok(assembled.unwrap_or(computed))
    }

    /// Frames so far that repeated one before them.
    pub fn repeats(&self) -> usize {
        self.repeats
    }

    /// Seconds spent so far.
    pub fn seconds(&self) -> VisionSeconds {
        self.seconds
    }
}

/// The token grid of some frames.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EmbeddedFrames {
    /// `[T, H, W, D]`
    pub grid: TokenGrid,
    /// What it took.
    pub seconds: VisionSeconds,
}

impl VisionSide {
    /// The token grid of a clip.
    ///
    /// # Errors
    ///
    /// If the clip has no frames.
    pub fn embed(&self, clip: &Clip) -> Result<TokenGrid, ModelError> {
        Ok(self.embed_frames(clip.frames.iter().cloned(), 0.0)?.grid)
    }

    /// The token grid of frames, of which near repeats up to `threshold` levels of 255 are computed once.
    ///
    /// # Errors
    ///
    /// If there are no frames.
    pub fn embed_frames(
        &self,
        frames: impl IntoIterator<Item = Frame>,
        threshold: f64,
    ) -> Result<EmbeddedFrames, ModelError> {
        let mut embedder = FrameEmbedder::new(self, threshold);
        let (mut count, mut tokens) = (0, Vec::new());
        for frame in frames {
            count += 1;
            tokens.extend(embedder.push(frame)?.unwrap_or_default());
        }
        tokens.extend(embedder.flush()?);
        Ok(EmbeddedFrames { grid: self.token_grid(count, tokens)?, seconds: embedder.seconds() })
    }
}

/// The largest mean absolute difference of 8-bit values over the cells of a `side` by `side` grid; infinite for frames of
/// different sizes.
fn change(a: &Frame, b: &Frame, side: usize) -> f64 {
    let (width, height) = (a.width(), a.height());
    if (width, height) != (b.width(), b.height()) {
        return f64::INFINITY;
    }
    let bounds = |length: usize| (0..=side).map(move |i| i * length / side).collect::<Vec<_>>();
    let (columns, rows) = (bounds(width), bounds(height));
    let mut largest: f64 = 0.0;
    for row in rows.windows(2) {
        let mut sums = vec![0u64; side];
        for y in row[0]..row[1] {
            let line = y * width * 3..(y + 1) * width * 3;
            let (a, b) = (&a.rgb()[line.clone()], &b.rgb()[line]);
            for (sum, column) in sums.iter_mut().zip(columns.windows(2)) {
                let cell = 3 * column[0]..3 * column[1];
                let difference = a[cell.clone()].iter().zip(&b[cell]).map(|(a, b)| u32::from(a.abs_diff(*b)));
                *sum += u64::from(difference.sum::<u32>());
            }
        }
        for (sum, column) in sums.iter().zip(columns.windows(2)) {
            let values = 3 * (column[1] - column[0]) * (row[1] - row[0]);
            largest = largest.max(*sum as f64 / values.max(1) as f64);
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(level: u8) -> Frame {
        Frame::new(6, 4, vec![level; 6 * 4 * 3]).unwrap()
    }

    #[test]
    fn change_is_that_of_the_cell_that_changed_most() {
        assert_eq!(change(&grey(10), &grey(10), 2), 0.0);
        assert_eq!(change(&grey(10), &grey(13), 2), 3.0);
        let mut rgb = vec![10; 6 * 4 * 3];
        rgb[0] = 28;
        // One of the 3 x 2 x 3 values of its cell changed by 18.
        assert_eq!(change(&grey(10), &Frame::new(6, 4, rgb.clone()).unwrap(), 2), 1.0);
        // Cells smaller than a pixel hold nothing, the others a pixel each.
        assert_eq!(change(&grey(10), &Frame::new(6, 4, rgb).unwrap(), 100), 6.0);
        assert_eq!(change(&grey(10), &Frame::new(4, 6, vec![10; 72]).unwrap(), 2), f64::INFINITY);
    }
}
