//! Pillow's 8-bit bicubic resize, bit for bit.
//!
//! Two passes with 8-bit values in between. Each output pixel weighs the input pixels under a cubic kernel
//! (a = -0.5) that is widened when shrinking; weights are normalised in f64 and rounded to 22 fractional bits.
//! As in Pillow's `ImagingResample`, a pass that changes nothing is left out and the horizontal pass covers
//! only the rows that the vertical pass reads.
//!
//! The horizontal pass comes first, except where the height loses much more than the width: there Pillow
//! begins vertically since version 13 (python-pillow/Pillow#9549), which rounds differently. Older versions
//! of Pillow give other bytes for such pictures, portrait videos among them.

use rayon::prelude::*;

use crate::frame::Frame;

/// 32 bits less 8 for the value and 2 for the kernel's overshoot.
const FRACTION_BITS: u32 = 32 - 8 - 2;

/// The kernel reaches so many input pixels to either side.
const REACH: f64 = 2.0;

/// For each output position the first input position and the weights from there on.
struct Weights {
    windows: Vec<(usize, Vec<i32>)>,
}

impl Weights {
    fn new(from: usize, to: usize) -> Self {
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let support = REACH * stretch;
        let per_input = 1.0 / stretch;
        let windows = (0..to).map(|at| {
            let centre = (at as f64 + 0.5) * scale;
            // Rounds half away from zero after cutting off what is below zero.
            let first = ((centre - support + 0.5) as i64).max(0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let raw: Vec<f64> =
                (first..end).map(|input| cubic((input as f64 - centre + 0.5) * per_input)).collect();
            let total: f64 = raw.iter().sum();
            let fixed = raw.iter().map(|weight| {
                let weight = if total == 0.0 { *weight } else { weight / total };
                let scaled = weight * f64::from(1_u32 << FRACTION_BITS);
                (if weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
            });
            (first, fixed.collect())
        });
        Self { windows: windows.collect() }
    }

    /// The input positions that any window touches.
    fn extent(&self) -> std::ops::Range<usize> {
        let first = self.windows.first().map_or(0, |(first, _)| *first);
        let end = self.windows.last().map_or(0, |(first, weights)| first + weights.len());
        first..end
    }
}

/// The cubic convolution kernel with a = -0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn to_byte(sum: i32) -> u8 {
    (sum >> FRACTION_BITS).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (FRACTION_BITS - 1);

/// Resizes to `width` x `height`, ignoring the aspect ratio, exactly as Pillow's
/// `Image.resize((width, height), BICUBIC)` does. A side of 0 is taken as 1.
pub fn resize_bicubic(frame: &Frame, width: usize, height: usize) -> Frame {
    let (width, height) = (width.max(1), height.max(1));
    if (width, height) == (frame.width(), frame.height()) {
        return frame.clone();
    }
    let across = (width != frame.width()).then(|| Weights::new(frame.width(), width));
    let down = (height != frame.height()).then(|| Weights::new(frame.height(), height));
    let stride = frame.width() * 3;
    let rgb = match (across, down) {
        (Some(across), Some(down)) if vertical_first(frame, width, height) => {
            resize_rows(&resize_columns(frame.rgb(), stride, 0, &down), stride, &across)
        }
        (Some(across), Some(down)) => {
            let rows = down.extent();
            let needed = &frame.rgb()[rows.start * stride..rows.end * stride];
            resize_columns(&resize_rows(needed, stride, &across), width * 3, rows.start, &down)
        }
        (Some(across), None) => resize_rows(frame.rgb(), stride, &across),
        (None, Some(down)) => resize_columns(frame.rgb(), stride, 0, &down),
        (None, None) => frame.rgb().to_vec(),
    };
    Frame::from_parts(width, height, rgb)
}

/// Pillow's choice: the height shrinks by more than twice what the width does, in pixels.
fn vertical_first(frame: &Frame, width: usize, height: usize) -> bool {
    height < frame.height() && frame.height() + 2 * width > height + 2 * frame.width()
}

fn resize_rows(rgb: &[u8], stride: usize, weights: &Weights) -> Vec<u8> {
    let new_stride = weights.windows.len() * 3;
    let mut out = vec![0; rgb.len() / stride * new_stride];
    out.par_chunks_exact_mut(new_stride).zip(rgb.par_chunks_exact(stride)).for_each(|(to, from)| {
        for (to, (first, weights)) in to.chunks_exact_mut(3).zip(&weights.windows) {
            let mut sums = [HALF; 3];
            for (pixel, &weight) in from[first * 3..].chunks_exact(3).zip(weights) {
                for channel in 0..3 {
                    sums[channel] += i32::from(pixel[channel]) * weight;
                }
            }
            to.copy_from_slice(&sums.map(to_byte));
        }
    });
    out
}

/// `rgb` begins with input row `first_row`.
fn resize_columns(rgb: &[u8], stride: usize, first_row: usize, weights: &Weights) -> Vec<u8> {
    let mut out = vec![0; weights.windows.len() * stride];
    out.par_chunks_exact_mut(stride).zip(&weights.windows).for_each(|(to, (first, weights))| {
        let mut sums = vec![HALF; stride];
        let rows = rgb[(first - first_row) * stride..].chunks_exact(stride);
        for (row, &weight) in rows.zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        for (to, sum) in to.iter_mut().zip(sums) {
            *to = to_byte(sum);
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_colours_stay_flat() {
        let frame = Frame::from_parts(7, 5, [10, 200, 255].repeat(35));
        for (width, height) in [(3, 2), (14, 11), (7, 2), (2, 5), (1, 1)] {
            let out = resize_bicubic(&frame, width, height);
            assert_eq!((out.width(), out.height()), (width, height));
            assert!(out.rgb().chunks_exact(3).all(|pixel| pixel == [10, 200, 255]));
        }
    }

    #[test]
    fn the_same_size_changes_nothing() {
        let frame = Frame::from_parts(2, 2, (0..12).collect());
        assert_eq!(resize_bicubic(&frame, 2, 2), frame);
    }

    /// What Pillow gives for a step from 0 to 255 of two pixels, stretched to four: the overshoot is clamped.
    #[test]
    fn a_step_is_stretched_as_pillow_does() {
        let frame = Frame::from_parts(2, 1, vec![0, 0, 0, 255, 255, 255]);
        let out = resize_bicubic(&frame, 4, 1);
        assert_eq!(out.rgb().iter().step_by(3).copied().collect::<Vec<_>>(), [0, 53, 202, 255]);
    }
}
