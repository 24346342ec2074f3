//! Drawing: anti-aliased shapes on an RGB image. Everything is clipped, so nothing drawn can be out of range.

use image::{Rgb, RgbImage};
use vqtoken_video::Frame;

/// sRGB, 8 bits a channel.
pub(super) type Colour = [u8; 3];

pub(super) const BACKGROUND: Colour = [15, 17, 22];
pub(super) const PANEL: Colour = [26, 29, 37];
pub(super) const LINE: Colour = [58, 63, 76];
pub(super) const FAINT: Colour = [142, 149, 165];
pub(super) const TEXT: Colour = [236, 238, 243];

/// Whole pixels from the left and from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// A point in pixels; the centre of the first pixel is at (0.5, 0.5).
pub(super) type Point = [f32; 2];

/// An image that is being drawn.
pub(super) struct Canvas {
    image: RgbImage,
}

/// `from` moved towards `to` by `share` in `[0, 1]`.
pub(super) fn mix(from: Colour, to: Colour, share: f32) -> Colour {
    std::array::from_fn(|channel| {
        let (from, to) = (f32::from(from[channel]), f32::from(to[channel]));
        (from + (to - from) * share).round() as u8
    })
}

/// Black or white, whichever can be read on `colour`.
pub(super) fn ink_on(colour: Colour) -> Colour {
    if luma(colour) > 120.0 { BACKGROUND } else { TEXT }
}

/// Brightness in `[0, 255]`, with the weights of BT.601.
pub(super) fn luma([red, green, blue]: Colour) -> f32 {
    0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue)
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { image: RgbImage::from_pixel(width as u32, height as u32, Rgb(BACKGROUND)) }
    }

    pub(super) fn width(&self) -> usize {
        self.image.width() as usize
    }

    pub(super) fn height(&self) -> usize {
        self.image.height() as usize
    }

    pub(super) fn into_image(self) -> RgbImage {
        self.image
    }

    /// Covers `alpha` of the pixel with `colour`.
    pub(super) fn blend(&mut self, x: usize, y: usize, colour: Colour, alpha: f32) {
        if x < self.width() && y < self.height() {
            let pixel = self.image.get_pixel_mut(x as u32, y as u32);
            pixel.0 = mix(pixel.0, colour, alpha);
        }
    }

    /// Sets every pixel of `rect` to what `colour` gives for its place within `rect`.
    pub(super) fn paint(&mut self, rect: Rect, colour: impl Fn(usize, usize) -> Colour) {
        for y in 0..rect.height {
            for x in 0..rect.width {
                self.blend(rect.x + x, rect.y + y, colour(x, y), 1.0);
            }
        }
    }

    pub(super) fn fill(&mut self, rect: Rect, colour: Colour) {
        self.paint(rect, |_, _| colour);
    }

    /// Draws `frame`, which has the size of `rect`.
    pub(super) fn frame(&mut self, rect: Rect, frame: &Frame) {
        self.paint(rect, |x, y| pixel(frame, x, y));
    }

    /// Draws `other` with its upper left corner at (x, y).
    pub(super) fn place(&mut self, x: usize, y: usize, other: &Canvas) {
        let rect = Rect { x, y, width: other.width(), height: other.height() };
        self.paint(rect, |x, y| other.image.get_pixel(x as u32, y as u32).0);
    }

    /// Fills where `distance` (pixels to the edge, negative inside) is below 0, within `reach` pixels around `centre`.
    fn shape(
        &mut self,
        centre: Point,
        reach: f32,
        colour: Colour,
        alpha: f32,
        distance: impl Fn(Point) -> f32,
    ) {
        let span = |middle: f32, end: usize| {
            (middle - reach - 1.0).max(0.0) as usize..((middle + reach + 2.0).max(0.0) as usize).min(end)
        };
        for y in span(centre[1], self.height()) {
            for x in span(centre[0], self.width()) {
                let cover = (0.5 - distance([x as f32 + 0.5, y as f32 + 0.5])).clamp(0.0, 1.0);
                if cover > 0.0 {
                    self.blend(x, y, colour, cover * alpha);
                }
            }
        }
    }

    pub(super) fn disc(&mut self, centre: Point, radius: f32, colour: Colour) {
        self.shape(centre, radius, colour, 1.0, |at| length(minus(at, centre)) - radius);
    }

    /// A straight line with round ends.
    pub(super) fn line(&mut self, from: Point, to: Point, width: f32, colour: Colour, alpha: f32) {
        let along = minus(to, from);
        let middle = [(from[0] + to[0]) / 2.0, (from[1] + to[1]) / 2.0];
        let squared = dot(along, along).max(1e-6);
        self.shape(middle, (length(along) + width) / 2.0, colour, alpha, |at| {
            let off = minus(at, from);
            let share = (dot(off, along) / squared).clamp(0.0, 1.0);
            length([off[0] - along[0] * share, off[1] - along[1] * share]) - width / 2.0
        });
    }

    /// A triangle `size` long that ends at `tip` and points along `direction`.
    pub(super) fn arrow_head(&mut self, tip: Point, direction: Point, size: f32, colour: Colour) {
        let norm = length(direction).max(1e-6);
        let ahead = [direction[0] / norm, direction[1] / norm];
        const HALF_ANGLE: f32 = 0.5;
        let (sine, cosine) = HALF_ANGLE.sin_cos();
        self.shape(tip, size * 1.2, colour, 1.0, |at| {
            let back = minus(tip, at);
            let (along, aside) = (dot(back, ahead), (back[0] * ahead[1] - back[1] * ahead[0]).abs());
            (aside * cosine - along * sine).max(along - size)
        });
    }
}

/// The colour of one pixel of a frame.
pub(super) fn pixel(frame: &Frame, x: usize, y: usize) -> Colour {
    let at = (y * frame.width() + x) * 3;
    [frame.rgb()[at], frame.rgb()[at + 1], frame.rgb()[at + 2]]
}

pub(super) fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1]]
}

pub(super) fn length(a: Point) -> f32 {
    dot(a, a).sqrt()
}

fn dot(a: Point, b: Point) -> f32 {
    a[0] * b[0] + a[1] * b[1]
}
