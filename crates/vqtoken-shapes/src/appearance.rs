//! What an object looks like: shape, colour, texture. The names are the words of the questions.

use serde::{Deserialize, Serialize};

/// Outline of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// A disc.
    Circle,
    /// Four equal sides.
    Square,
    /// Three equal sides.
    Triangle,
    /// Five points.
    Star,
    /// Two bars of equal length.
    Cross,
    /// A disc with a hole.
    Ring,
}

impl Shape {
    /// Every shape, in the order of their class indices.
    pub const ALL: [Shape; 6] =
        [Shape::Circle, Shape::Square, Shape::Triangle, Shape::Star, Shape::Cross, Shape::Ring];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Circle => "circle",
            Shape::Square => "square",
            Shape::Triangle => "triangle",
            Shape::Star => "star",
            Shape::Cross => "cross",
            Shape::Ring => "ring",
        }
    }

    /// Whether another object can be hidden entirely behind it.
    pub(crate) fn hides(self) -> bool {
        matches!(self, Shape::Circle | Shape::Square)
    }

    /// Whether a rotation is visible without a texture.
    pub(crate) fn shows_turning(self) -> bool {
        !matches!(self, Shape::Circle | Shape::Ring)
    }

    /// The distance from the centre, in radii, at which it seems to touch another object.
    pub(crate) fn reach(self) -> f32 {
        match self {
            Shape::Circle => 0.9,
            Shape::Square => 0.78,
            Shape::Triangle | Shape::Star => 0.74,
            Shape::Cross => 0.85,
            Shape::Ring => 0.95,
        }
    }
}

/// Colour of an object. Backgrounds are greyish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// Red.
    Red,
    /// Orange.
    Orange,
    /// Yellow.
    Yellow,
    /// Green.
    Green,
    /// Blue.
    Blue,
    /// Purple.
    Purple,
    /// Pink.
    Pink,
}

impl Colour {
    /// Every colour, in the order of their class indices.
    pub const ALL: [Colour; 7] = [
        Colour::Red,
        Colour::Orange,
        Colour::Yellow,
        Colour::Green,
        Colour::Blue,
        Colour::Purple,
        Colour::Pink,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Colour::Red => "red",
            Colour::Orange => "orange",
            Colour::Yellow => "yellow",
            Colour::Green => "green",
            Colour::Blue => "blue",
            Colour::Purple => "purple",
            Colour::Pink => "pink",
        }
    }

    /// In sRGB.
    pub fn rgb(self) -> [u8; 3] {
        match self {
            Colour::Red => [214, 32, 38],
            Colour::Orange => [246, 134, 18],
            Colour::Yellow => [250, 222, 40],
            Colour::Green => [36, 158, 62],
            Colour::Blue => [34, 84, 216],
            Colour::Purple => [128, 44, 168],
            Colour::Pink => [252, 144, 194],
        }
    }
}

/// What is drawn on an object: darker marks of its own colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Texture {
    /// Nothing.
    Plain,
    /// Bars.
    Striped,
    /// Dots.
    Dotted,
    /// A chequerboard.
    Checked,
}

impl Texture {
    /// Every texture.
    pub const ALL: [Texture; 4] = [Texture::Plain, Texture::Striped, Texture::Dotted, Texture::Checked];
}

/// Shape and first colour: what an object is named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appearance {
    /// Outline.
    pub shape: Shape,
    /// Colour in the first frame.
    pub colour: Colour,
}

impl std::fmt::Display for Appearance {
    /// "red circle".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.colour.name(), self.shape.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_far_apart_from_each_other_and_from_grey() {
        for (index, one) in Colour::ALL.iter().enumerate() {
            let rgb = one.rgb().map(i32::from);
            let spread = rgb.iter().max().unwrap() - rgb.iter().min().unwrap();
            assert!(spread > 90, "{one:?} is nearly grey");
            for other in &Colour::ALL[index + 1..] {
                let apart: i32 = rgb.iter().zip(other.rgb()).map(|(a, b)| (a - i32::from(b)).pow(2)).sum();
                assert!(apart > 80 * 80, "{one:?} and {other:?}: {apart}");
            }
        }
    }

    #[test]
    fn class_indices_follow_the_lists() {
        assert!(Shape::ALL.iter().enumerate().all(|(index, &shape)| shape as usize == index));
        assert!(Colour::ALL.iter().enumerate().all(|(index, &colour)| colour as usize == index));
    }
}
