//! From decoded planes to RGB: matrix, range and chroma subsampling.

use crate::frame::Frame;

/// A decoded picture before conversion.
pub(crate) struct Planes {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// `[H, W]`; two bytes a sample, little-endian, above 8 bits.
    pub(crate) y: Vec<u8>,
    /// `[Hc, W / 2]`, where Hc is H for 4:2:2 and half of it for 4:2:0.
    pub(crate) u: Vec<u8>,
    pub(crate) v: Vec<u8>,
    pub(crate) bit_depth: u8,
    /// 4:2:2 instead of 4:2:0.
    pub(crate) full_height_chroma: bool,
}

/// Which colour matrix and range a stream was coded with (code points of ISO/IEC 23091-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColourTag {
    pub(crate) matrix: u8,
    pub(crate) full_range: bool,
}

/// Nothing said: BT.601 in limited range, as FFmpeg reads it whatever the size of the picture.
pub(crate) const UNSPECIFIED: ColourTag = ColourTag { matrix: 2, full_range: false };

/// Fixed-point coefficients for one tag: 13 fractional bits.
#[derive(Clone, Copy)]
struct Coefficients {
    black: i32,
    luma: i32,
    red_from_v: i32,
    green_from_u: i32,
    green_from_v: i32,
    blue_from_u: i32,
}

impl ColourTag {
    /// Weights of red and blue in luma.
    fn weights(self) -> (f64, f64) {
        match self.matrix {
            1 => (0.2126, 0.0722),
            4 => (0.30, 0.11),
            7 => (0.212, 0.087),
            9 | 10 => (0.2627, 0.0593),
            _ => (0.299, 0.114),
        }
    }

    fn coefficients(self) -> Coefficients {
        let (red, blue) = self.weights();
        let green = 1.0 - red - blue;
        let (black, luma, chroma) =
            if self.full_range { (0, 1.0, 1.0) } else { (16, 255.0 / 219.0, 255.0 / 224.0) };
        let fixed = |value: f64| (value * 8192.0).round() as i32;
        Coefficients {
            black,
            luma: fixed(luma),
            red_from_v: fixed(2.0 * (1.0 - red) * chroma),
            green_from_u: fixed(-2.0 * (1.0 - blue) * blue / green * chroma),
            green_from_v: fixed(-2.0 * (1.0 - red) * red / green * chroma),
            blue_from_u: fixed(2.0 * (1.0 - blue) * chroma),
        }
    }
}

impl Coefficients {
    /// Every term is cut off on its own, as in FFmpeg's vector code: the result is its, bit for bit (and half
    /// a level a term darker than exact arithmetic). Models were trained on frames that came this way.
    fn rgb(&self, y: u8, u: u8, v: u8) -> [u8; 3] {
        let (y, u, v) = (i32::from(y) - self.black, i32::from(u) - 128, i32::from(v) - 128);
        let term = |value: i32, coefficient: i32| (value * coefficient) >> 13;
        let luma = term(y, self.luma);
        [
            luma + term(v, self.red_from_v),
            luma + term(u, self.green_from_u) + term(v, self.green_from_v),
            luma + term(u, self.blue_from_u),
        ]
        .map(|channel| channel.clamp(0, 255) as u8)
    }
}

/// Converts decoded planes, `None` when their sizes do not fit together. Every chroma sample serves all the
/// pixels it covers, and deeper samples are cut to 8 bits.
pub(crate) fn to_rgb(planes: &Planes, tag: ColourTag) -> Option<Frame> {
    let (width, height) = (planes.width, planes.height);
    let y = eight_bits(&planes.y, planes.bit_depth);
    let u = eight_bits(&planes.u, planes.bit_depth);
    let v = eight_bits(&planes.v, planes.bit_depth);
    let rows_per_chroma = if planes.full_height_chroma { 1 } else { 2 };
    let chroma_width = width / 2;
    let chroma_len = chroma_width * (height / rows_per_chroma);
    let fits = y.len() == width * height && u.len() == chroma_len && v.len() == chroma_len;
    if !fits || chroma_width == 0 || chroma_len == 0 || y.is_empty() {
        return None;
    }
    let coefficients = tag.coefficients();
    let mut rgb = Vec::with_capacity(width * height * 3);
    for (row, luma) in y.chunks_exact(width).enumerate() {
        let chroma_row = row / rows_per_chroma;
        // An odd last row or column has no chroma of its own.
        let start = chroma_row.min(chroma_len / chroma_width - 1) * chroma_width;
        let (u, v) = (&u[start..start + chroma_width], &v[start..start + chroma_width]);
        for (column, &luma) in luma.iter().enumerate() {
            let at = (column / 2).min(chroma_width - 1);
            rgb.extend_from_slice(&coefficients.rgb(luma, u[at], v[at]));
        }
    }
    Some(Frame::from_parts(width, height, rgb))
}

fn eight_bits(plane: &[u8], bit_depth: u8) -> std::borrow::Cow<'_, [u8]> {
    if bit_depth <= 8 {
        return plane.into();
    }
    let shift = u32::from(bit_depth - 8);
    let narrow = |pair: &[u8]| (u16::from_le_bytes([pair[0], pair[1]]) >> shift).min(255) as u8;
    plane.chunks_exact(2).map(narrow).collect::<Vec<u8>>().into()
}

/// Planes of 4:2:0 in BT.601 limited range: luma, then both chroma planes, each chroma sample the mean of 2 x 2.
/// Width and height must be even.
pub(crate) fn to_yuv420(frame: &Frame) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (width, height) = (frame.width(), frame.height());
    let pixel = |x: usize, y: usize| {
        let at = (y * width + x) * 3;
        let rgb = frame.rgb();
        [i32::from(rgb[at]), i32::from(rgb[at + 1]), i32::from(rgb[at + 2])]
    };
    let weigh = |[r, g, b]: [i32; 3], [wr, wg, wb]: [i32; 3]| r * wr + g * wg + b * wb;
    // 16 fractional bits; 18 for chroma, whose four pixels are summed first.
    const Y: [i32; 3] = [16829, 33039, 6416];
    const U: [i32; 3] = [-9714, -19070, 28784];
    const V: [i32; 3] = [28784, -24103, -4681];
    let luma = |at| (((weigh(at, Y) + (1 << 15)) >> 16) + 16) as u8;
    let y = (0..height).flat_map(|y| (0..width).map(move |x| luma(pixel(x, y)))).collect();
    let chroma = |weights: [i32; 3]| {
        let mut plane = Vec::with_capacity(width * height / 4);
        for y in (0..height).step_by(2) {
            for x in (0..width).step_by(2) {
                let four = [pixel(x, y), pixel(x + 1, y), pixel(x, y + 1), pixel(x + 1, y + 1)];
                let sum =
                    four.iter().fold([0; 3], |sum, at| [sum[0] + at[0], sum[1] + at[1], sum[2] + at[2]]);
                plane.push((((weigh(sum, weights) + (1 << 17)) >> 18) + 128).clamp(0, 255) as u8);
            }
        }
        plane
    };
    (y, chroma(U), chroma(V))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_white_and_grey_stay_grey() {
        for (tag, black, white) in
            [(UNSPECIFIED, 16, 235), (ColourTag { matrix: 1, full_range: true }, 0, 255)]
        {
            let coefficients = tag.coefficients();
            assert_eq!(coefficients.rgb(black, 128, 128), [0; 3]);
            assert_eq!(coefficients.rgb(white, 128, 128), [255; 3]);
        }
    }

    #[test]
    fn red_depends_on_the_matrix() {
        let red = |matrix| ColourTag { matrix, full_range: false }.coefficients().rgb(81, 90, 240);
        assert_eq!(red(6), [253, 0, 0]);
        assert_eq!(red(2), red(6));
        assert_ne!(red(1), red(6));
    }

    #[test]
    fn there_and_back_is_close() {
        for colour in [[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 120, 40], [13, 14, 15]] {
            let (y, u, v) = to_yuv420(&Frame::from_parts(2, 2, colour.repeat(4)));
            let back = UNSPECIFIED.coefficients().rgb(y[0], u[0], v[0]);
            for (a, b) in colour.iter().zip(back) {
                assert!(a.abs_diff(b) <= 3, "{colour:?} came back as {back:?}");
            }
        }
    }
}
