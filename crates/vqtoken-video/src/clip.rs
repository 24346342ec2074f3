//! Sampled frames.

use crate::damage::Damage;
use crate::frame::Frame;
use crate::info::VideoInfo;
use crate::pixels::{PixelSpec, Pixels};
use crate::warning::Warning;

/// The sampled frames of a video.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Clip {
    /// The frames, in display order; none if [`Video::sample_each`](crate::Video::sample_each) handed them out.
    pub frames: Vec<Frame>,
    /// When each is shown, in seconds.
    pub timestamps: Vec<f64>,
    /// Which of the decoded frames each is, counted in display order.
    pub indices: Vec<usize>,
    /// What is known of the video; width and height are those of the frames.
    pub info: VideoInfo,
    /// How many frames the stream gave.
    pub decoded_frames: usize,
    /// Where the stream is damaged; empty when it is sound. Each prints as one line for the user.
    pub damage: Vec<Damage>,
    /// What the frames show otherwise than the file has it, those of `info` among them. Each prints as one line for the user.
    pub warnings: Vec<Warning>,
}

impl Clip {
    /// Resizes and normalises every frame, `[T, 3, S, S]`.
    pub fn pixels(&self, spec: &PixelSpec) -> Pixels {
        spec.pixels(&self.frames)
    }

    /// All that the user has to be told, a line each: warnings, then damage.
    pub fn messages(&self) -> Vec<String> {
        messages(&self.warnings, &self.damage)
    }
}

/// Warnings and damage, a line each.
pub fn messages(warnings: &[Warning], damage: &[Damage]) -> Vec<String> {
    warnings.iter().map(ToString::to_string).chain(damage.iter().map(ToString::to_string)).collect()
}
