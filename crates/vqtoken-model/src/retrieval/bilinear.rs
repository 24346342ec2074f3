//! Pillow's 8-bit bilinear resize, which SigLIP 2 was trained with.
//!
//! Two passes with 8-bit values in between. Each output pixel weighs the input pixels under a triangle that is widened when shrinking;
//! weights are normalised in f64 and rounded to 22 fractional bits. The order of the passes is Pillow's since version 13: vertical first
//! where the height loses much more than the width.

use vqtoken_video::Frame;

const FRACTION_BITS: u32 = 22;

/// Resizes to `size` by `size`, ignoring the aspect ratio.
pub(super) fn resize_bilinear(frame: &Frame, size: usize) -> Frame {
    let (width, height) = (frame.width(), frame.height());
    let across = |rgb: &[u8]| {
        if width == size { rgb.to_vec() } else { resample(rgb, [rgb.len() / 3 / width, width, 3], size) }
    };
    let down = |rgb: &[u8]| {
        if height == size { rgb.to_vec() } else { resample(rgb, [1, height, rgb.len() / height], size) }
    };
    let is_vertical_first = size < height && height + 2 * size > size + 2 * width;
    let rgb = match is_vertical_first {
        true => across(&down(frame.rgb())),
        false => down(&across(frame.rgb())),
    };
    // The two passes leave exactly the values of a frame of this size.
    Frame::new(size, size, rgb).unwrap_or_else(|_| frame.clone())
}

/// Resamples the middle axis of `[outer, length, inner]` values to `to` positions.
fn resample(values: &[u8], [outer, length, inner]: [usize; 3], to: usize) -> Vec<u8> {
    let windows: Vec<_> = (0..to).map(|at| window(at, length, to)).collect();
    let mut out = Vec::with_capacity(outer * to * inner);
    for block in values.chunks_exact(length * inner) {
        for (first, weights) in &windows {
            let mut sums = vec![1_i32 << (FRACTION_BITS - 1); inner];
            for (row, &weight) in block[first * inner..].chunks_exact(inner).zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(row) {
                    *sum += i32::from(value) * weight;
                }
            }
            out.extend(sums.into_iter().map(|sum| (sum >> FRACTION_BITS).clamp(0, 255) as u8));
        }
    }
    out
}

/// The first input position of an output position, and the weights from there on.
fn window(at: usize, from: usize, to: usize) -> (usize, Vec<i32>) {
    let scale = from as f64 / to as f64;
    // A triangle reaches as far as it is wide.
    let support = scale.max(1.0);
    let centre = (at as f64 + 0.5) * scale;
    let first = ((centre - support + 0.5) as i64).max(0) as usize;
    let end = ((centre + support + 0.5) as usize).min(from);
    let per_input = 1.0 / support;
    let triangle = |input: usize| (1.0 - ((input as f64 - centre + 0.5) * per_input).abs()).max(0.0);
    let raw: Vec<f64> = (first..end).map(triangle).collect();
    let total: f64 = raw.iter().sum();
    let fixed = raw.iter().map(|weight| (weight / total * f64::from(1_u32 << FRACTION_BITS) + 0.5) as i32);
    (first, fixed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, height: usize) -> Frame {
        let value =
            |x: usize, y: usize, channel: usize| (x * 37 + y * 91 + channel * 50 + (x * y) % 17 * 9) % 256;
        let rgb = (0..width * height * 3).map(|i| value(i / 3 % width, i / 3 / width, i % 3) as u8).collect();
        Frame::new(width, height, rgb).unwrap()
    }

    /// CRC-32 of the bytes that Pillow 13.0 gives: larger, smaller, either side alone, and tall pictures, whose columns come first.
    #[test]
    fn every_byte_is_pillows() {
        for (width, height, size, expected) in [
            (7, 5, 4, 0x55b3_1c8d),
            (5, 9, 3, 0x491b_c508),
            (3, 2, 8, 0xee59_f456),
            (40, 30, 14, 0x46b8_396a),
            (30, 100, 14, 0x37bf_42fb),
            (100, 30, 14, 0x079f_ebfd),
            (14, 20, 14, 0x03a8_62bf),
            (64, 64, 14, 0x2ab5_680c),
        ] {
            let resized = resize_bilinear(&picture(width, height), size);
            assert_eq!((resized.width(), resized.height()), (size, size));
            assert_eq!(crc32fast::hash(resized.rgb()), expected, "{width} x {height} to {size}");
        }
        assert_eq!(resize_bilinear(&picture(6, 6), 6), picture(6, 6));
    }
}
