//! Lettering in Noto Sans Mono: Latin with its accents; any other character shows as a box.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use super::canvas::{Canvas, Colour, Rect};

/// Size and weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    Title,
    Strong,
    Small,
}

impl Face {
    fn font(self) -> (FontWeight, RasterHeight) {
        match self {
            Self::Title => (FontWeight::Bold, RasterHeight::Size24),
            Self::Strong => (FontWeight::Bold, RasterHeight::Size16),
            Self::Small => (FontWeight::Regular, RasterHeight::Size16),
        }
    }

    /// Pixels from one line to the next.
    pub(super) fn height(self) -> usize {
        self.font().1.val()
    }

    /// Pixels from one character to the next.
    pub(super) fn advance(self) -> usize {
        let (weight, size) = self.font();
        get_raster_width(weight, size)
    }

    /// Pixels that `text` takes.
    pub(super) fn width(self, text: &str) -> usize {
        text.chars().count() * self.advance()
    }

    /// `text`, or its beginning and "..." where it is wider than `width` pixels.
    pub(super) fn fit(self, text: &str, width: usize) -> String {
        let room = width / self.advance();
        if text.chars().count() <= room {
            return text.to_owned();
        }
        text.chars().take(room.saturating_sub(3)).chain("...".chars()).take(room).collect()
    }
}

impl Canvas {
    /// Writes `text` with the upper left corner of its line at (x, y).
    pub(super) fn text(&mut self, x: usize, y: usize, text: &str, face: Face, colour: Colour) {
        let (weight, size) = face.font();
        for (place, character) in text.chars().enumerate() {
            let x = x + place * face.advance();
            match get_raster(character, weight, size) {
                Some(raster) => {
                    for (row, cover) in raster.rows().enumerate() {
                        for (column, &cover) in cover.iter().enumerate() {
                            self.blend(x + column, y + row, colour, f32::from(cover) / 255.0);
                        }
                    }
                }
                None => {
                    let (width, height) = (face.advance() - 2, face.height() / 2);
                    self.outline(Rect { x: x + 1, y: y + height / 2, width, height }, colour);
                }
            }
        }
    }

    /// Writes `text` so that its line ends at `right`.
    pub(super) fn text_ending(&mut self, right: usize, y: usize, text: &str, face: Face, colour: Colour) {
        self.text(right.saturating_sub(face.width(text)), y, text, face, colour);
    }

    /// The border of `rect`, one pixel wide, within it.
    pub(super) fn outline(&mut self, rect: Rect, colour: Colour) {
        let Rect { x, y, width, height } = rect;
        for x in x..x + width {
            self.blend(x, y, colour, 1.0);
            self.blend(x, (y + height).saturating_sub(1), colour, 1.0);
        }
        for y in y..y + height {
            self.blend(x, y, colour, 1.0);
            self.blend((x + width).saturating_sub(1), y, colour, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_every_character_has_the_same_width() {
        assert_eq!(Face::Small.fit("moving shapes", 8 * Face::Small.advance()), "movin...");
        assert_eq!(Face::Small.fit("moving shapes", 2 * Face::Small.advance()), "..");
        assert_eq!(Face::Small.width("影片é"), 3 * Face::Small.advance());
        assert_eq!(Face::Small.fit("é", Face::Small.advance()), "é");
    }
}
