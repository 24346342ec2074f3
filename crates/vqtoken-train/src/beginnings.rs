//! What new parts of a model begin with, where that spares them long learning.
//!
//! - A tower's positions are waves over rows and columns, so that neighbours are alike from the start.
//! - A language model's keys begin as its queries, so that a word first looks at what is like it (after Trockman and Kolter,
//!   2023, who begin with products of queries and keys near the identity).
//! - What the VQ-attention adds to codes begins small, so that codes are first of all themselves.
//! - Words for shapes and colours begin as the prototypes that the tower was taught with, as language and pictures share a space
//!   in towers that were trained on both.

use std::collections::BTreeMap;
use std::f32::consts::TAU;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use safetensors::SafeTensors;
use vqtoken_model::checkpoint::map_parameters;
use vqtoken_model::config::TextConfig;
use vqtoken_model::{OneVision, Tokenizer};
use vqtoken_shapes::{Colour, Shape};

use crate::checkpoint::PARAMETERS;
use crate::error::TrainError;

/// Rows of the embedding table.
pub(crate) type Words = BTreeMap<u32, Vec<f32>>;

const POSITIONS: &str = "vision_tower.embeddings.position_embedding.weight";
const EMBEDDINGS: &str = "language_model.embed_tokens.weight";

/// What the VQ-attention adds goes through these last.
const LAST: [&str; 4] = [
    "vq_attention.out_proj.",
    "vq_attention.path.fc2.",
    "vq_attention.self_attn.out_proj.",
    "vq_attention.feed_forward.fc2.",
];

/// How much smaller than drawn that begins.
const SMALL: f32 = 0.2;

/// Brings the score of a token with itself to about four.
const LIKENESS: f32 = std::f32::consts::SQRT_2;

/// Held while something is drawn: burn's stream of random numbers is one for the whole process.
static DRAWING: Mutex<()> = Mutex::new(());

/// Draws a module under a seed, all of it at once, whatever else this process draws.
pub(crate) fn drawn<M: Module>(seed: u64, device: &Device, make: impl FnOnce() -> M) -> M {
    let _held = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    let module = make();
    module.visit(&mut Toucher);
    module
}

struct Toucher;

impl ModuleVisitor for Toucher {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // Parameters are drawn when they are first read.
        let _ = param.val();
    }
}

/// A model that was drawn, with the beginnings of all its parts.
pub(crate) fn of(model: OneVision, text: &TextConfig) -> OneVision {
    let group = text.heads / text.key_heads * text.head_dim;
    // The queries' weights of the layer that was last seen.
    let mut queries: Vec<f32> = Vec::new();
    changed(model, |name, width, values| {
        let of_language = name.starts_with("language_model.layers.");
        if name == POSITIONS {
            *values = waves(values.len() / width, width);
        } else if of_language && name.ends_with(".self_attn.q_proj.weight") {
            values.iter_mut().for_each(|value| *value *= LIKENESS);
            queries.clone_from(values);
        } else if of_language && name.ends_with(".self_attn.k_proj.weight") {
            let heads = values.chunks_mut(text.head_dim * width).zip(queries.chunks(group * width));
            heads.for_each(|(keys, queries)| keys.copy_from_slice(&queries[..keys.len()]));
        } else if LAST.iter().any(|last| name.starts_with(last)) {
            values.iter_mut().for_each(|value| *value *= SMALL);
        }
    })
}

/// The model with these rows in its embedding table.
pub(crate) fn with_words(model: OneVision, words: &Words) -> OneVision {
    changed(model, |name, width, values| {
        if name != EMBEDDINGS {
            return;
        }
        for (&id, row) in words.iter().filter(|(_, row)| row.len() == width) {
            if let Some(place) = values.chunks_exact_mut(width).nth(id as usize) {
                place.copy_from_slice(row);
            }
        }
    })
}

/// The model with all tokens behind its projector `scale` times as long; directions stay.
pub(crate) fn with_token_scale(model: OneVision, scale: f32) -> OneVision {
    changed(model, |name, _, values| {
        if name.starts_with("multi_modal_projector.linear_2.") {
            values.iter_mut().for_each(|value| *value *= scale);
        }
    })
}

/// The model with its parameters changed, given their names, the lengths of their rows, and their values.
fn changed(model: OneVision, mut change: impl FnMut(&str, usize, &mut Vec<f32>)) -> OneVision {
    map_parameters(model, |parameter| {
        let mut values = parameter.values();
        change(parameter.name, parameter.shape.last().copied().unwrap_or(1), &mut values);
        Some(values)
    })
}

/// The prototypes of shapes and colours in the checkpoint of a stage on patches, for every word of one token that names one.
///
/// # Errors
///
/// If the file cannot be read or has no prototypes.
pub(crate) fn prototypes(file: &Path, tokenizer: &Tokenizer) -> Result<Words, TrainError> {
    let bad = |problem: String| TrainError::Checkpoint { file: file.to_owned(), problem };
    let bytes =
        std::fs::read(file).map_err(|source| TrainError::Unreadable { path: file.to_owned(), source })?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| bad(error.to_string()))?;
    let mut words = Words::new();
    let shapes: Vec<&str> = Shape::ALL.iter().map(|shape| shape.name()).collect();
    let colours: Vec<&str> = Colour::ALL.iter().map(|colour| colour.name()).collect();
    for (kind, names) in [("shapes", shapes), ("colours", colours)] {
        let name = format!("{PARAMETERS}patch_heads.{kind}");
        let tensor = tensors.tensor(&name).map_err(|_| bad(format!("it has no {name}")))?;
        let &[classes, d] = tensor.shape() else { return Err(bad(format!("{name} is no matrix"))) };
        if classes != names.len() + 1 {
            return Err(bad(format!("{name} has {classes} classes instead of {}", names.len() + 1)));
        }
        let values: Vec<f32> =
            tensor.data().as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        // The first class is "nothing".
        for (word, row) in names.into_iter().zip(values.chunks_exact(d).skip(1)) {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            for written in [word.to_owned(), format!(" {word}")] {
                if let [id] = tokenizer.encode(&written)?.as_slice() {
                    words.insert(*id, row.iter().map(|x| x / length).collect());
                }
            }
        }
    }
    Ok(words)
}

/// Sines and cosines of row and column, half of the features each, `[positions, d]`.
fn waves(positions: usize, d: usize) -> Vec<f32> {
    const AMPLITUDE: f32 = 0.3;
    // Wavelengths from two patches to more than the grid, in equal ratios.
    const LONGEST: f32 = 64.0;
    let (side, waves) = (positions.isqrt(), (d / 4).max(1));
    let value = |position: usize, feature: usize| {
        let axis = if feature < d / 2 { position / side } else { position % side };
        let feature = feature % (d / 2).max(1);
        let ratio = (feature % waves) as f32 / (waves - 1).max(1) as f32;
        let angle = TAU * axis as f32 / (2.0 * (LONGEST / 2.0).powf(ratio));
        AMPLITUDE * if feature < waves { angle.sin() } else { angle.cos() }
    };
    (0..positions * d).map(|index| value(index / d, index % d)).collect()
}
