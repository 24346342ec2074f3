//! What an archive keeps of each video in memory, to find the few that are worth an exact comparison.

use vqtoken_core::VideoTokens;

use crate::comparison::Comparison;
use crate::error::SimilarityError;
use crate::frames::{FrameCodes, WHOLE_WEIGHT, frame_codes, mirror_invariant, relative_frames};
use crate::mean::ArchiveMean;
use crate::picture_area::PictureArea;
use crate::prepare::{check, check_mean, relative_codes, scale_to_unit};
use crate::projection::{byte_dot, project_codes, to_bytes};

/// Frames that a signature keeps; of longer videos so many are taken at even distances.
pub(crate) const MOST_FRAMES: usize = 32;
/// Channels of a kept frame.
pub(crate) const CHANNELS: usize = 96;
/// Parts of a frame that mirroring leaves: the rows' middles and sides, and the whole.
pub(crate) const PARTS: usize = 7;
/// Parts of a video that are looked at first.
const QUARTERS: usize = 4;

/// A video in at most 32 vectors of 96 bytes: sampled frames by their codes and coarse places. Mirroring the picture does not change
/// it. Signatures are compared with those of the same model and mean only.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    pub(crate) family: u32,
    pub(crate) seconds: f32,
    pub(crate) frames: Vec<KeptFrame>,
    quarters: [KeptFrame; QUARTERS],
}

/// A frame's direction, and one over its length in steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct KeptFrame {
    pub(crate) values: [i8; CHANNELS],
    pub(crate) inverse_length: f32,
}

impl Signature {
    /// A signature of 1 to 32 frames.
    pub(crate) fn new(family: u32, seconds: f32, frames: Vec<KeptFrame>) -> Self {
        Self { family, seconds, quarters: quarters(&frames), frames }
    }

    /// The signature of a video relative to its own mean code. [`Comparison::signature`] makes better ones.
    ///
    /// # Errors
    /// If the video cannot be compared at all.
    pub fn of(tokens: &VideoTokens) -> Result<Self, SimilarityError> {
        Comparison::default().signature(tokens)
    }

    /// Seconds from the first frame to the last.
    pub fn seconds(&self) -> f32 {
        self.seconds
    }

    /// Bytes that it takes in memory, about.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.frames.len() * size_of::<KeptFrame>()
    }

    /// Whether two were made with the same model and mean.
    pub fn is_comparable_with(&self, other: &Self) -> bool {
        self.family == other.family
    }

    /// How alike two videos are at their best, in `[0, 1]`: each frame of one finds its best partner in the other, and the better of
    /// both directions counts, so that a clip is found in a longer one.
    pub(crate) fn likeness(&self, other: &Self) -> f32 {
        likeness(&self.frames, &other.frames)
    }

    /// The same of quarters instead of frames, which is 64 times as fast.
    pub(crate) fn first_look(&self, other: &Self) -> f32 {
        likeness(&self.quarters, &other.quarters)
    }
}

fn likeness(a: &[KeptFrame], b: &[KeptFrame]) -> f32 {
    let mut best_of_b = [-1.0_f32; MOST_FRAMES];
    let mut sum = 0.0;
    for a in a {
        let mut best = -1.0_f32;
        for (b, best_of_b) in b.iter().zip(&mut best_of_b) {
            let cosine = a.cosine(b);
            best = best.max(cosine);
            *best_of_b = best_of_b.max(cosine);
        }
        sum += best;
    }
    let sum_of_b: f32 = best_of_b[..b.len()].iter().sum();
    (sum / a.len() as f32).max(sum_of_b / b.len() as f32).clamp(0.0, 1.0)
}

/// The mean directions of the four quarters of a video, of at least one frame each.
fn quarters(frames: &[KeptFrame]) -> [KeptFrame; QUARTERS] {
    std::array::from_fn(|quarter| {
        let first = quarter * frames.len() / QUARTERS;
        let last = ((quarter + 1) * frames.len() / QUARTERS).max(first + 1);
        let mut sum = [0.0; CHANNELS];
        for frame in &frames[first..last] {
            sum.iter_mut()
                .zip(frame.values)
                .for_each(|(sum, value)| *sum += f32::from(value) * frame.inverse_length);
        }
        KeptFrame::new(to_bytes(sum))
    })
}

impl KeptFrame {
    pub(crate) fn new(values: [i8; CHANNELS]) -> Self {
        let square = byte_dot(&values, &values) as f32;
        Self { values, inverse_length: if square > 0.0 { 1.0 / square.sqrt() } else { 0.0 } }
    }

    fn cosine(&self, other: &Self) -> f32 {
        byte_dot(&self.values, &other.values) as f32 * self.inverse_length * other.inverse_length
    }
}

impl Comparison {
    /// The signature of a video relative to the mean of this comparison, or to its own.
    ///
    /// # Errors
    /// If the video cannot be compared at all, or the mean is of another model.
    pub fn signature(&self, tokens: &VideoTokens) -> Result<Signature, SimilarityError> {
        check(tokens)?;
        let mean = match &self.mean {
            Some(mean) => check_mean(tokens, mean).map(|()| mean.clone())?,
            None => ArchiveMean::of_two(tokens, tokens),
        };
        let mut codes = relative_codes(tokens, &mean);
        codes.extend_from_slice(mean.places());
        let projected = project_codes(&codes, mean.dim(), PARTS, CHANNELS);
        let (kept, all) = (tokens.timestamps.len().min(MOST_FRAMES), tokens.timestamps.len());
        let indices: Vec<usize> = (0..kept).map(|frame| evenly(frame, kept, all)).collect();
        let frames = frame_codes(&tokens.index_map, &PictureArea::of(tokens), &indices);
        let frames = relative_frames(frames, tokens.codebook.codes());
        let frames = frames.iter().map(|frame| keep(frame, &projected)).collect();
        let seconds = match tokens.timestamps[..] {
            [first, .., last] => (last - first) as f32,
            _ => 0.0,
        };
        Ok(Signature::new(family(tokens, self.mean.as_ref()), seconds, frames))
    }
}

/// Which of `all` frames is the `index`-th of `kept` at even distances, the first and the last among them.
fn evenly(index: usize, kept: usize, all: usize) -> usize {
    if kept < 2 { 0 } else { index * (all - 1) / (kept - 1) }
}

fn keep(frame: &FrameCodes, projected: &[Vec<f32>]) -> KeptFrame {
    let (mut places, mut whole) = ([0.0; CHANNELS], [0.0; CHANNELS]);
    for (code, amounts) in &frame.0 {
        for (part, (amount, codes)) in mirror_invariant(amounts).into_iter().zip(projected).enumerate() {
            let code = &codes[*code as usize * CHANNELS..][..CHANNELS];
            let sum = if part + 1 == PARTS { &mut whole } else { &mut places };
            sum.iter_mut().zip(code).for_each(|(sum, value)| *sum += amount * value);
        }
    }
    scale_to_unit(&mut places);
    scale_to_unit(&mut whole);
    let (of_places, of_whole) = ((1.0 - WHOLE_WEIGHT).sqrt(), WHOLE_WEIGHT.sqrt());
    KeptFrame::new(to_bytes(std::array::from_fn(|channel| {
        of_places * places[channel] + of_whole * whole[channel]
    })))
}

/// A number for the model and the mean.
fn family(tokens: &VideoTokens, mean: Option<&ArchiveMean>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(tokens.model.as_bytes());
    hasher.update(&(tokens.codebook.dim() as u64).to_le_bytes());
    let values = mean.map_or(&[][..], ArchiveMean::values);
    values.iter().for_each(|value| hasher.update(&value.to_le_bytes()));
    hasher.finalize()
}
