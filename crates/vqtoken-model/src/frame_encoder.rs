//! Frames to tokens, where a frame that repeats the one before it is not computed again.

use vqtoken_video::{Frame, Pixels};

use crate::error::ModelError;
use crate::video_llm::VideoLlm;

/// Frames that go through the vision tower together; more would only take more memory.
pub const FRAMES_AT_ONCE: usize = 2;

/// Frames that may wait, repeats among them, before their tokens are due.
const MOST_WAITING: usize = 64;

/// Takes frames in their order and gives their tokens, some frames at a time.
///
/// A frame that equals the last one that was computed gets that one's tokens. With a threshold so does a frame that is
/// nearly the same: in no cell of the token grid the mean absolute difference of the 8-bit values is larger. It is always
/// compared with the frame that was computed, so that slow changes add up to a new frame.
#[derive(Debug)]
pub struct FrameEncoder<'a> {
    model: &'a VideoLlm,
    threshold: f64,
    /// The last frame that was computed or waits for it, and its tokens once they are known.
    reference: Option<Frame>,
    known: Vec<f32>,
    /// Frames to compute.
    waiting: Vec<Frame>,
    /// For every frame whose tokens are due: its place among those that wait, none for the known tokens.
    order: Vec<Option<usize>>,
    repeats: usize,
}

impl<'a> FrameEncoder<'a> {
    /// An encoder that finds exact repeats, and near ones up to `threshold` levels of 255 if that is above 0.
    pub fn new(model: &'a VideoLlm, threshold: f64) -> Self {
        Self {
            model,
            threshold,
            reference: None,
            known: Vec::new(),
            waiting: Vec::new(),
            order: Vec::new(),
            repeats: 0,
        }
    }

    /// Takes a frame. True if [`Self::encode`] should be called before the next one.
    pub fn take(&mut self, frame: Frame) -> bool {
        let side = self.model.config().vision.grid_side();
        let repeats = self.reference.as_ref().is_some_and(|reference| {
            *reference == frame || self.threshold > 0.0 && change(reference, &frame, side) <= self.threshold
        });
        if repeats {
            self.repeats += 1;
        } else {
            self.reference = Some(frame.clone());
            self.waiting.push(frame);
        }
        self.order.push(self.waiting.len().checked_sub(1));
        self.waiting.len() == FRAMES_AT_ONCE || self.order.len() == MOST_WAITING
    }

    /// The tokens of all frames taken since the last call, `[frames * H * W, D]`.
    ///
    /// # Errors
    ///
    /// If the model fails.
    pub fn encode(&mut self) -> Result<Vec<f32>, ModelError> {
        let pixels = self.pixels();
        self.encode_pixels(&pixels)
    }

    /// Pixel values of the frames that [`Self::encode_pixels`] has to compute, for who wants to time the two apart.
    pub fn pixels(&self) -> Pixels {
        self.model.pixel_spec().pixels(&self.waiting)
    }

    /// The tokens of all frames taken since the last call, from their [pixels](Self::pixels).
    ///
    /// # Errors
    ///
    /// If the model fails.
    pub fn encode_pixels(&mut self, pixels: &Pixels) -> Result<Vec<f32>, ModelError> {
        let computed = self.model.embed_pixels(pixels)?;
        let new = std::mem::take(&mut self.waiting).len();
        let order = std::mem::take(&mut self.order);
        let length = computed.len().checked_div(new).unwrap_or(self.known.len());
        let tokens_of = |place: usize| &computed[place * length..][..length];
        // Every frame a new one, which is the usual case: nothing has to be put together.
        let assembled = (order.len() != new).then(|| {
            order
                .iter()
                .flat_map(|place| place.map_or(self.known.as_slice(), tokens_of))
                .copied()
                .collect::<Vec<f32>>()
        });
        if let Some(last) = new.checked_sub(1) {
            self.known = tokens_of(last).to_vec();
        }
        Ok(assembled.unwrap_or(computed))
    }

    /// Frames whose tokens the next [`Self::encode`] gives.
    pub fn due(&self) -> usize {
        self.order.len()
    }

    /// Frames so far that repeated one before them.
    pub fn repeats(&self) -> usize {
        self.repeats
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
