//! The frames of a video and their tokens, each computed once, when a reading first asks for it.

use std::path::Path;
use std::time::Instant;

use crate::{Clip, OpenOptions, Sampling, TokenGrid, Video};
use vqtoken_files::quoted;

use super::super::output;
use super::ablation::SEED;
use super::models::LoadedModel;
use super::random::Random;
use super::reading::{Condition, Reading};

/// A decoded video.
pub(super) struct Frames {
    clip: Clip,
    /// Seconds that decoding took.
    decode: f64,
    /// For each vision tower the tokens of each frame, where they are known.
    towers: Vec<Vec<Option<FrameTokens>>>,
}

struct FrameTokens {
    /// `[H * W, D]`.
    tokens: Vec<f32>,
    pixels: f64,
    vision: f64,
}

/// A token grid, and the seconds that it took.
pub(super) struct TimedGrid {
    pub(super) tokens: TokenGrid,
    pub(super) decode: f64,
    pub(super) pixels: f64,
    pub(super) vision: f64,
}

impl Frames {
    /// Decodes `count` frames, evenly over the video.
    pub(super) fn decode(
        path: &Path,
        count: usize,
        towers: usize,
        options: &OpenOptions,
    ) -> anyhow::Result<Self> {
        let start = Instant::now();
        let clip = Video::open_with(path, options)?.sample(Sampling::Uniform(count))?;
        let decode = start.elapsed().as_secs_f64();
        for message in clip.messages() {
            output::note(format_args!("warning: {}: {message}", quoted(path)));
        }
        let towers = (0..towers).map(|_| clip.frames.iter().map(|_| None).collect()).collect();
        Ok(Self { clip, decode, towers })
    }

    /// What the user has to be told of the video.
    pub(super) fn messages(&self) -> Vec<String> {
        self.clip.messages()
    }

    /// The token grid that a reading is made from; `video` seeds its order where frames are shuffled.
    pub(super) fn token_grid(
        &mut self,
        model: &LoadedModel,
        reading: &Reading,
        video: &str,
    ) -> anyhow::Result<TimedGrid> {
        let order = order(reading, self.clip.frames.len(), video);
        self.embed(model, &order)?;
        let known = &self.towers[model.tower];
        let frames: Vec<&FrameTokens> = order.iter().filter_map(|&frame| known[frame].as_ref()).collect();
        let tokens = frames.iter().flat_map(|frame| &frame.tokens).copied().collect();
        Ok(TimedGrid {
            tokens: model.vision.token_grid(frames.len(), tokens)?,
            decode: self.decode,
            pixels: frames.iter().map(|frame| frame.pixels).sum(),
            vision: frames.iter().map(|frame| frame.vision).sum(),
        })
    }

    /// Computes the tokens of those of these frames that have none.
    fn embed(&mut self, model: &LoadedModel, frames: &[usize]) -> anyhow::Result<()> {
        let known = &mut self.towers[model.tower];
        let mut missing: Vec<usize> =
            frames.iter().copied().filter(|&frame| known[frame].is_none()).collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(());
        }
        let frames = missing.iter().map(|&frame| self.clip.frames[frame].clone());
        let embedded = model.vision.embed_frames(frames, 0.0)?;
        let (count, tokens) = (missing.len(), embedded.grid.data());
        let (pixels, vision) =
            (embedded.seconds.pixels / count as f64, embedded.seconds.vision / count as f64);
        for (frame, tokens) in missing.iter().zip(tokens.chunks_exact(tokens.len() / count)) {
            known[*frame] = Some(FrameTokens { tokens: tokens.to_vec(), pixels, vision });
        }
        Ok(())
    }
}

/// Which of the decoded frames a reading sees, in its order.
fn order(reading: &Reading, decoded: usize, video: &str) -> Vec<usize> {
    let mut order = match reading.condition {
        Condition::SingleFrame => vec![decoded / 2],
        _ if reading.frames >= decoded => (0..decoded).collect(),
        _ if reading.frames == 1 => vec![0],
        // As frames are sampled from a video: ends included, rounded down.
        _ => (0..reading.frames).map(|frame| frame * (decoded - 1) / (reading.frames - 1)).collect(),
    };
    if reading.condition == Condition::Shuffled {
        Random::new(SEED, video).shuffle(&mut order);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::super::reading::Source;
    use super::*;

    #[test]
    fn readings_see_their_frames() {
        let mut reading = Reading::new(Source::Pooled, 8);
        assert_eq!(order(&reading, 32, "a"), [0, 4, 8, 13, 17, 22, 26, 31]);
        assert_eq!(order(&reading, 3, "a"), [0, 1, 2]);
        reading.condition = Condition::SingleFrame;
        assert_eq!(order(&reading, 32, "a"), [16]);
        assert_eq!(order(&reading, 1, "a"), [0]);
        reading.condition = Condition::Shuffled;
        let mut shuffled = order(&reading, 32, "a");
        assert_ne!(shuffled, order(&reading, 32, "b"));
        assert_eq!(shuffled, order(&reading, 32, "a"));
        shuffled.sort_unstable();
        assert_eq!(shuffled, [0, 4, 8, 13, 17, 22, 26, 31]);
    }
}
