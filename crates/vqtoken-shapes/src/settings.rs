//! The settings of a data set.

use serde::{Deserialize, Serialize};

use crate::ShapesError;

/// Everything that decides the bytes of a data set. Clip `i` depends on the seed, on `i` and on the settings of scenes, not on
/// the number of clips: a larger set of the same seed contains the smaller one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Clips, all splits together.
    pub clips: usize,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// The share of the clips for validation, in `[0, 1]`.
    pub validation: f32,
    /// The share of the clips for the test, in `[0, 1]`.
    pub test: f32,
    /// The most questions per clip.
    pub questions: usize,
    /// The length of a clip in seconds.
    pub seconds: f32,
    /// Frames per second.
    pub fps: f32,
    /// The side of the square picture in pixels; even.
    pub size: usize,
    /// Quantizer of the H.264 encoder, 0 to 51.
    pub quantizer: u8,
    /// The least objects of a scene.
    pub least_objects: usize,
    /// The most objects of a scene.
    pub most_objects: usize,
    /// The probability that the background is cluttered; else it is plain or a gradient.
    pub clutter: f32,
    /// The standard deviation of the noise in pixels, in levels of 255.
    pub noise: f32,
    /// How far the camera shakes where it does, in sides of the picture.
    pub shake: f32,
    /// The probability that two objects share their shape or their colour.
    pub lookalikes: f32,
}

/// A difficulty: sensible values for all settings that make clips easier or harder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difficulty {
    /// One to three objects, no clutter, a still camera, no noise.
    Easy,
    /// One to five objects, a third of the backgrounds cluttered, some noise and shake.
    Normal,
    /// Three to five objects that look alike more often, clutter nearly always, much noise and shake.
    Hard,
}

impl std::str::FromStr for Difficulty {
    type Err = ShapesError;

    /// `easy`, `normal` or `hard`.
    fn from_str(word: &str) -> Result<Difficulty, ShapesError> {
        match word {
            "easy" => Ok(Difficulty::Easy),
            "normal" => Ok(Difficulty::Normal),
            "hard" => Ok(Difficulty::Hard),
            _ => Err(ShapesError::Setting {
                name: "difficulty",
                value: word.to_string(),
                range: "easy, normal or hard",
            }),
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            clips: 1000,
            seed: 0,
            validation: 0.1,
            test: 0.1,
            questions: 6,
            seconds: 4.0,
            fps: 8.0,
            size: 378,
            quantizer: 26,
            least_objects: 1,
            most_objects: 5,
            clutter: 0.35,
            noise: 3.0,
            shake: 0.008,
            lookalikes: 0.2,
        }
    }
}

impl Settings {
    /// The default settings at a difficulty.
    pub fn at(difficulty: Difficulty) -> Settings {
        let normal = Settings::default();
        match difficulty {
            Difficulty::Easy => {
                Settings { most_objects: 3, clutter: 0.0, noise: 0.0, shake: 0.0, lookalikes: 0.0, ..normal }
            }
            Difficulty::Normal => normal,
            Difficulty::Hard => Settings {
                least_objects: 3,
                most_objects: 5,
                clutter: 0.9,
                noise: 8.0,
                shake: 0.02,
                lookalikes: 0.6,
                ..normal
            },
        }
    }

    /// Frames of a clip.
    pub fn frames(&self) -> usize {
        (self.seconds * self.fps).round().clamp(0.0, 1e6) as usize
    }

    /// Checks that every setting is in range.
    ///
    /// # Errors
    /// [`ShapesError::Setting`] names the first value that is out of range.
    pub fn check(&self) -> Result<(), ShapesError> {
        let is_share = |value: f32| (0.0..=1.0).contains(&value);
        let range = |value: f32, from: f32, to: f32| value.is_finite() && (from..=to).contains(&value);
        let refuse = |name: &'static str, value: String, range: &'static str| {
            Err(ShapesError::Setting { name, value, range })
        };
        if self.clips > 1_000_000 {
            return refuse("clips", self.clips.to_string(), "at most 1000000");
        }
        if !is_share(self.validation) || !is_share(self.test) || !is_share(self.validation + self.test) {
            let value = format!("{} and {}", self.validation, self.test);
            return refuse(
                "validation and test",
                value,
                "shares of the clips, 0 to 1, and 1 at most together",
            );
        }
        if !range(self.seconds, 0.5, 600.0) {
            return refuse("seconds", self.seconds.to_string(), "0.5 to 600");
        }
        if !range(self.fps, 1.0, 120.0) {
            return refuse("fps", self.fps.to_string(), "1 to 120");
        }
        if !(8..=36_000).contains(&self.frames()) {
            let value = format!("{} at {} frames per second", self.seconds, self.fps);
            return refuse("seconds", value, "8 frames at least, so that every event is seen");
        }
        if !(32..=4096).contains(&self.size) || self.size % 2 == 1 {
            return refuse("size", self.size.to_string(), "an even number of pixels from 32 to 4096");
        }
        if self.quantizer > 51 {
            return refuse("quantizer", self.quantizer.to_string(), "0 to 51");
        }
        if !(1..=self.most_objects).contains(&self.least_objects) || self.most_objects > 5 {
            let value = format!("{} to {}", self.least_objects, self.most_objects);
            return refuse("least_objects and most_objects", value, "1 to 5, in this order");
        }
        for (what, value) in [("clutter", self.clutter), ("lookalikes", self.lookalikes)] {
            if !is_share(value) {
                return refuse(what, value.to_string(), "a probability, 0 to 1");
            }
        }
        if !range(self.noise, 0.0, 64.0) {
            return refuse("noise", self.noise.to_string(), "0 to 64 levels");
        }
        if !range(self.shake, 0.0, 0.03) {
            return refuse("shake", self.shake.to_string(), "0 to 0.03 sides of the picture");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difficulty_passes_the_check() {
        for word in ["easy", "normal", "hard"] {
            Settings::at(word.parse().unwrap()).check().unwrap();
        }
        assert!("Hard".parse::<Difficulty>().is_err());
        assert_eq!(Settings::default().frames(), 32);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let good = Settings::default();
        let cases: [(&str, Settings); 12] = [
            ("clips", Settings { clips: 1_000_001, ..good.clone() }),
            ("validation", Settings { validation: 0.6, test: 0.6, ..good.clone() }),
            ("seconds", Settings { seconds: f32::NAN, ..good.clone() }),
            ("fps", Settings { fps: 0.0, ..good.clone() }),
            ("seconds", Settings { seconds: 1.0, fps: 4.0, ..good.clone() }),
            ("size", Settings { size: 377, ..good.clone() }),
            ("quantizer", Settings { quantizer: 52, ..good.clone() }),
            ("least_objects", Settings { least_objects: 0, ..good.clone() }),
            ("least_objects", Settings { most_objects: 6, ..good.clone() }),
            ("clutter", Settings { clutter: -0.1, ..good.clone() }),
            ("noise", Settings { noise: f32::INFINITY, ..good.clone() }),
            ("shake", Settings { shake: 0.5, ..good.clone() }),
        ];
        for (name, settings) in cases {
            let message = settings.check().unwrap_err().to_string();
            assert!(message.contains(name) && !message.contains('\n'), "{message}");
        }
    }
}
