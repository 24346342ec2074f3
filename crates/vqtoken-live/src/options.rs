//! How a stream becomes windows, and what is kept of it.

use std::path::PathBuf;
use std::time::SystemTime;

use vqtoken_core::Budget;
use vqtoken_files::{Limit, Limits};
use vqtoken_model::VisionSide;

use crate::error::LiveError;

/// How a stream becomes windows, and what is kept of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LiveOptions {
    /// The name of the stream, for its video tokens.
    pub name: String,
    /// Seconds of a window. Default 10.
    pub window: f64,
    /// How long a window is kept after it is over, in seconds. Default 600.
    pub keep: f64,
    /// The codes of a window. Default 32.
    pub budget: Budget,
    /// The codes of what is asked about: a second quantization of the windows' codes. Default 32.
    pub total: Budget,
    /// The most frames a second that are taken; those in between are passed over. `None` takes all. Default 2.
    pub fps: Option<f64>,
    /// Frames that differ from the last computed one by no more than this mean number of 8-bit levels get its tokens. Default 0.
    pub near_repeats: f64,
    /// Seed of the quantizer. Default 0.
    pub seed: u64,
    /// Where windows are kept, too, as `.vqt` files; with those that are there already the stream goes on.
    pub folder: Option<PathBuf>,
    /// The time of day at which the stream began. Default now.
    pub started: Option<SystemTime>,
    /// How large what is kept may be.
    pub limits: Limits,
}

impl LiveOptions {
    /// A stream of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            window: 10.0,
            keep: 600.0,
            budget: Budget::PAPER_FIXED,
            total: Budget::PAPER_FIXED,
            fps: Some(2.0),
            near_repeats: 0.0,
            seed: 0,
            folder: None,
            started: None,
            limits: Limits::default(),
        }
    }

    /// The same with windows of so many seconds, kept for so many seconds.
    #[must_use]
    pub fn with_windows(self, window: f64, keep: f64) -> Self {
        Self { window, keep, ..self }
    }

    /// The same with so many codes for a window, and for what is asked about.
    #[must_use]
    pub fn with_codes(self, budget: Budget, total: Budget) -> Self {
        Self { budget, total, ..self }
    }

    /// The same with at most so many frames a second.
    #[must_use]
    pub fn with_fps(self, fps: impl Into<Option<f64>>) -> Self {
        Self { fps: fps.into(), ..self }
    }

    /// The same with a threshold for near repeats.
    #[must_use]
    pub fn with_near_repeats(self, near_repeats: f64) -> Self {
        Self { near_repeats, ..self }
    }

    /// The same under another seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same with windows kept in a folder.
    #[must_use]
    pub fn with_folder(self, folder: impl Into<Option<PathBuf>>) -> Self {
        Self { folder: folder.into(), ..self }
    }

    /// The same, begun at another time of day.
    #[must_use]
    pub fn with_started(self, started: impl Into<Option<SystemTime>>) -> Self {
        Self { started: started.into(), ..self }
    }

    /// The same within other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Refuses what could never work for a model's token grid.
    pub(crate) fn check(&self, vision: &VisionSide) -> Result<(), LiveError> {
        for (name, value) in [("window", Some(self.window)), ("keep", Some(self.keep)), ("fps", self.fps)] {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return Err(LiveError::Option { name, value });
            }
        }
        if self.keep < self.window {
            return Err(LiveError::KeepTooShort { window: self.window, keep: self.keep });
        }
        self.budget.check()?;
        self.total.check()?;
        if let Some(fps) = self.fps {
            let side = vision.config().grid_side();
            // A window is kept until its last frame is too old, and the open one comes on top.
            let frames = ((self.keep + 2.0 * self.window) * fps).ceil() as usize;
            let checked = self.limits.check_product(Limit::Labels, &[frames, side, side]);
            checked.map_err(|source| LiveError::TooMuch { keep: self.keep, fps, source })?;
        }
        Ok(())
    }
}
