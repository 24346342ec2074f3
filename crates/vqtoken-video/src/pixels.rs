//! Pixel values: what a vision tower takes.

use rayon::prelude::*;

use crate::frame::Frame;
use crate::resize::resize_bicubic;

/// The size and normalisation that a vision tower expects.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelSpec {
    /// Frames are resized to `size` x `size` pixels, whatever their aspect ratio.
    pub size: usize,
    /// Subtracted from each channel after division by 255.
    pub mean: [f32; 3],
    /// By which each channel is then divided.
    pub std: [f32; 3],
}

impl Default for PixelSpec {
    /// SigLIP-so400m/14@384.
    fn default() -> Self {
        Self { size: 384, mean: [0.5; 3], std: [0.5; 3] }
    }
}

/// Pixel values of a clip.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// T.
    pub frames: usize,
    /// S.
    pub size: usize,
    /// `[T, 3, S, S]`.
    pub data: Vec<f32>,
}

impl PixelSpec {
    /// Resizes and normalises frames, `[T, 3, S, S]`: `(value / 255 - mean) / std` in f32, in this order.
    pub fn pixels(&self, frames: &[Frame]) -> Pixels {
        let size = self.size.max(1);
        let plane = size * size;
        let tables: Vec<[f32; 256]> = (0..3)
            .map(|channel| {
                std::array::from_fn(|value| (value as f32 / 255.0 - self.mean[channel]) / self.std[channel])
            })
            .collect();
        let mut data = vec![0.0; frames.len() * 3 * plane];
        data.par_chunks_exact_mut(3 * plane).zip(frames).for_each(|(out, frame)| {
            let resized = resize_bicubic(frame, size, size);
            for (channel, (out, table)) in out.chunks_exact_mut(plane).zip(&tables).enumerate() {
                for (out, pixel) in out.iter_mut().zip(resized.rgb().chunks_exact(3)) {
                    *out = table[usize::from(pixel[channel])];
                }
            }
        });
        Pixels { frames: frames.len(), size, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_planes() {
        let frame = Frame::from_parts(1, 1, vec![0, 51, 255]);
        let spec = PixelSpec { size: 1, mean: [0.5, 0.0, 0.5], std: [0.5, 2.0, 0.25] };
        let out = spec.pixels(&[frame.clone(), frame]);
        assert_eq!((out.frames, out.size), (2, 1));
        assert_eq!(out.data, [-1.0, 0.1, 2.0, -1.0, 0.1, 2.0]);
    }
}
