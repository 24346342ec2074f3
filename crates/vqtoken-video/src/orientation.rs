//! Turning and mirroring a decoded picture the way the file asks players to.

use crate::frame::Frame;

/// One of the eight ways to lay a rectangle onto a rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orientation {
    /// Columns become rows.
    transposed: bool,
    /// Mirrored left to right, after transposing.
    flip_x: bool,
    /// Mirrored top to bottom, after transposing.
    flip_y: bool,
}

impl Orientation {
    /// The nearest of the eight for x' = a x + c y, y' = b x + d y (y points down).
    pub(crate) fn from_matrix([a, b, c, d]: [i64; 4]) -> Self {
        let transposed = b.unsigned_abs().max(c.unsigned_abs()) > a.unsigned_abs().max(d.unsigned_abs());
        let (to_x, to_y) = if transposed { (c, b) } else { (a, d) };
        Self { transposed, flip_x: to_x < 0, flip_y: to_y < 0 }
    }

    /// Degrees clockwise. A mirrored picture counts as turned by what remains after mirroring it left to right.
    pub(crate) fn degrees(self) -> u16 {
        match (self.transposed, self.flip_x, self.flip_y) {
            (false, _, false) => 0,
            (false, _, true) => 180,
            (true, _, false) => 90,
            (true, _, true) => 270,
        }
    }

    /// Width and height as displayed.
    pub(crate) fn size(self, width: usize, height: usize) -> (usize, usize) {
        if self.transposed { (height, width) } else { (width, height) }
    }

    /// The picture as displayed.
    pub(crate) fn apply(self, frame: Frame) -> Frame {
        if self == Self::default() {
            return frame;
        }
        let (from_width, from_height) = (frame.width(), frame.height());
        let (width, height) = self.size(from_width, from_height);
        let source = frame.rgb();
        let mut rgb = Vec::with_capacity(source.len());
        for y in 0..height {
            let y = if self.flip_y { height - 1 - y } else { y };
            for x in 0..width {
                let x = if self.flip_x { width - 1 - x } else { x };
                let (from_x, from_y) = if self.transposed { (y, x) } else { (x, y) };
                let at = (from_y * from_width + from_x) * 3;
                rgb.extend_from_slice(&source[at..at + 3]);
            }
        }
        Frame::from_parts(width, height, rgb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The picture
    ///     1 2 3
    ///     4 5 6
    fn turned(matrix: [i64; 4]) -> (usize, Vec<u8>) {
        let frame = Frame::from_parts(3, 2, (1..=6).flat_map(|v| [v; 3]).collect());
        let frame = Orientation::from_matrix(matrix).apply(frame);
        (frame.width(), frame.rgb().iter().step_by(3).copied().collect())
    }

    #[test]
    fn turns_are_clockwise() {
        assert_eq!(turned([1, 0, 0, 1]), (3, vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(turned([0, 1, -1, 0]), (2, vec![4, 1, 5, 2, 6, 3]));
        assert_eq!(turned([-1, 0, 0, -1]), (3, vec![6, 5, 4, 3, 2, 1]));
        assert_eq!(turned([0, -1, 1, 0]), (2, vec![3, 6, 2, 5, 1, 4]));
        assert_eq!(turned([-1, 0, 0, 1]), (3, vec![3, 2, 1, 6, 5, 4]));
    }

    #[test]
    fn degrees_name_the_turns() {
        let degrees = |matrix| Orientation::from_matrix(matrix).degrees();
        assert_eq!(degrees([5, 0, 0, 5]), 0);
        assert_eq!(degrees([0, 5, -5, 0]), 90);
        assert_eq!(degrees([-5, 0, 0, -5]), 180);
        assert_eq!(degrees([0, -5, 5, 0]), 270);
    }
}
