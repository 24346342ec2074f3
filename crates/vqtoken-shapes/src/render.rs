//! From a scene to frames: the background, objects with smooth edges from back to front, noise.

use vqtoken_video::{Frame, VideoError};

use crate::Scene;
use crate::geometry::turned;
use crate::object::Object;
use crate::random::Random;
use crate::scene::ObjectState;
use crate::{background, outline};

/// Paints the frames of one scene; the background is painted once.
#[derive(Clone, Debug)]
pub struct Renderer<'a> {
    scene: &'a Scene,
    size: usize,
    /// The width of the border around the picture, in pixels, that the camera's shake can show.
    margin: usize,
    background: Vec<u8>,
}

impl Scene {
    /// Paints frames at the scene's own size.
    pub fn renderer(&self) -> Renderer<'_> {
        self.renderer_at(self.size)
    }

    /// Paints frames of `size` x `size` pixels, whatever the scene's own size.
    pub fn renderer_at(&self, size: usize) -> Renderer<'_> {
        let size = size.max(1);
        let margin = (self.shake * size as f32).ceil() as usize + 1;
        let background = background::paint(self.background, self.seed, size + 2 * margin, size as f32);
        Renderer { scene: self, size, margin, background }
    }

    /// One frame. For several use one [`Renderer`].
    ///
    /// # Errors
    /// None: the bytes are made for the size.
    pub fn render(&self, frame: usize) -> Result<Frame, VideoError> {
        self.renderer().frame(frame)
    }
}

impl Renderer<'_> {
    /// The frame of an index; after the last one the last state stays.
    ///
    /// # Errors
    /// None: the bytes are made for the size.
    pub fn frame(&self, frame: usize) -> Result<Frame, VideoError> {
        Frame::new(self.size, self.size, self.rgb(frame))
    }

    /// The bytes of a frame, `[size, size, 3]`.
    pub fn rgb(&self, frame: usize) -> Vec<u8> {
        let mut rgb = self.shifted_background(frame);
        for (object, state) in self.scene.objects.iter().zip(self.scene.states(frame)) {
            if state.visible > 0.0 {
                self.paint(&mut rgb, object, &state);
            }
        }
        self.add_noise(&mut rgb, frame);
        rgb
    }

    fn shifted_background(&self, frame: usize) -> Vec<u8> {
        let shift = self.scene.shift(frame).map(|share| (share * self.size as f32).round() as isize);
        let start = |shift: isize| (self.margin as isize - shift).clamp(0, 2 * self.margin as isize) as usize;
        let (left, top) = (start(shift[0]), start(shift[1]));
        let width = self.size + 2 * self.margin;
        let mut rgb = Vec::with_capacity(self.size * self.size * 3);
        for row in top..top + self.size {
            let from = (row * width + left) * 3;
            rgb.extend_from_slice(&self.background[from..from + self.size * 3]);
        }
        rgb
    }

    fn paint(&self, rgb: &mut [u8], object: &Object, state: &ObjectState) {
        /// The lightness of marks and of the line around an object, relative to its colour.
        const MARK: f32 = 0.8;
        const LINE: f32 = 0.55;
        let unit = self.size as f32;
        let radius = state.radius * unit;
        let centre = state.centre.map(|coordinate| coordinate * unit);
        let ink = state.colour.rgb().map(f32::from);
        let line = (unit / 190.0).max(0.7);
        let span = |middle: f32| {
            let from = (middle - radius - 1.0).max(0.0) as usize;
            from..((middle + radius + 2.0).max(0.0) as usize).min(self.size)
        };
        for y in span(centre[1]) {
            for x in span(centre[0]) {
                let offset = [(x as f32 + 0.5 - centre[0]) / radius, (y as f32 + 0.5 - centre[1]) / radius];
                let own = turned(offset, -state.angle);
                let distance = outline::signed_distance(object.appearance.shape, own) * radius;
                let cover = (0.5 - distance).clamp(0.0, 1.0);
                if cover <= 0.0 {
                    continue;
                }
                let marked = if outline::marked(object.texture, own) { MARK } else { 1.0 };
                let edge = (distance + line + 0.5).clamp(0.0, 1.0);
                let light = marked + (LINE - marked) * edge;
                let first = (y * self.size + x) * 3;
                for (byte, ink) in rgb[first..first + 3].iter_mut().zip(ink) {
                    let under = f32::from(*byte);
                    *byte = (under + (ink * light - under) * cover).round() as u8;
                }
            }
        }
    }

    /// Triangular noise in every channel.
    fn add_noise(&self, rgb: &mut [u8], frame: usize) {
        if self.scene.noise <= 0.0 {
            return;
        }
        /// Standard deviation of the sum of two uniform bytes.
        const SUM_OF_BYTES: f32 = 104.51;
        let scale = (self.scene.noise / SUM_OF_BYTES * 65_536.0) as i32;
        let mut random = Random::derived(self.scene.seed, 1000 + frame as u64);
        for pixel in rgb.chunks_exact_mut(3) {
            let bytes = random.next().to_le_bytes();
            for (channel, byte) in pixel.iter_mut().enumerate() {
                let sum = i32::from(bytes[2 * channel]) + i32::from(bytes[2 * channel + 1]) - 255;
                *byte = (i32::from(*byte) + ((sum * scale + 32_768) >> 16)).clamp(0, 255) as u8;
            }
        }
    }
}
