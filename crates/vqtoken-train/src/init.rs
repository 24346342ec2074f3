//! How new parts of a model are initialised, where that spares them long training.
//!
//! - Position embeddings of a tower are waves over rows and columns, so that neighbours are alike from the start.
//! - Keys of a language model equal its queries, so that a token first attends to similar ones (after Trockman and Kolter, 2023,
//!   who initialise the product of query and key weights near the identity).
//! - What the VQ-attention adds to codes is small, so that visual tokens are close to their codes at first.
//! - Embeddings of the words for shapes and colours can be the prototypes that the tower was trained with. Towers that were
//!   trained on images and texts share a space with language in the same way.

use std::collections::BTreeMap;
use std::f32::consts::TAU;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use safetensors::SafeTensors;
use vqtoken_model::checkpoint::{for_each_parameter, map_parameters};
use vqtoken_model::config::TextConfig;
use vqtoken_model::{
    OneVision, RetrievalFiles, TokenRerankerConfig, TokenRerankerModules, TokenRetrieverModules, Tokenizer,
};
use vqtoken_shapes::{Colour, Shape};

use crate::checkpoint::PARAMETERS;
use crate::error::{PrototypesError, TrainError};

/// Rows of the embedding table by token id.
pub(crate) type Embeddings = BTreeMap<u32, Vec<f32>>;

const POSITION_EMBEDDINGS: &str = "vision_tower.embeddings.position_embedding.weight";
const TOKEN_EMBEDDINGS: &str = "language_model.embed_tokens.weight";
const TEXT_EMBEDDINGS: &str = "text_model.embeddings.token_embedding.weight";

/// The layers of each VQ-attention whose outputs are added to codes.
const ADDED_TO_CODES: [&str; 4] = [
    "vq_attention.out_proj.",
    "vq_attention.path.fc2.",
    "vq_attention.self_attn.out_proj.",
    "vq_attention.feed_forward.fc2.",
];

/// The factor on the weights of these layers.
const ADDED_SCALE: f32 = 0.2;

/// The factor on query and key weights, which brings the score of a token with itself to about four.
const QUERY_SCALE: f32 = std::f32::consts::SQRT_2;

/// Held while parameters are drawn: burn has one stream of random numbers per process.
static DRAWING: Mutex<()> = Mutex::new(());

/// Initialises a module under a seed, all of it at once, whatever else this process draws.
pub(crate) fn seeded<M: Module>(seed: u64, device: &Device, init: impl FnOnce() -> M) -> M {
    let _held = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    let module = init();
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

/// A new model with all of the above but the words.
pub(crate) fn with_structure(model: OneVision, text: &TextConfig) -> OneVision {
    let group = text.heads / text.key_heads * text.head_dim;
    // The query weights of the layer that was visited last.
    let mut queries: Vec<f32> = Vec::new();
    changed(model, |name, width, values| {
        let in_language_model = name.starts_with("language_model.layers.");
        if name == POSITION_EMBEDDINGS {
            *values = waves(values.len() / width, width);
        } else if in_language_model && name.ends_with(".self_attn.q_proj.weight") {
            values.iter_mut().for_each(|value| *value *= QUERY_SCALE);
            queries.clone_from(values);
        } else if in_language_model && name.ends_with(".self_attn.k_proj.weight") {
            let heads = values.chunks_mut(text.head_dim * width).zip(queries.chunks(group * width));
            heads.for_each(|(keys, queries)| keys.copy_from_slice(&queries[..keys.len()]));
        } else if ADDED_TO_CODES.iter().any(|layer| name.starts_with(layer)) {
            values.iter_mut().for_each(|value| *value *= ADDED_SCALE);
        }
    })
}

/// The model with these rows in its embedding table.
pub(crate) fn with_embeddings(model: OneVision, embeddings: &Embeddings) -> OneVision {
    changed(model, |name, width, values| {
        if name != TOKEN_EMBEDDINGS {
            return;
        }
        for (&id, row) in embeddings {
            if let Some(values) = values.chunks_exact_mut(width).nth(id as usize) {
                values.copy_from_slice(row);
            }
        }
    })
}

/// A retrieval side whose text tower begins with the words of the model's language model, if both are as wide.
pub(crate) fn with_words(modules: TokenRetrieverModules, model: &OneVision) -> TokenRetrieverModules {
    let mut words: Option<(Vec<usize>, Vec<f32>)> = None;
    for_each_parameter(model, |parameter| {
        if parameter.name == TOKEN_EMBEDDINGS {
            words = Some((parameter.shape.to_vec(), parameter.values()));
        }
    });
    map_parameters(modules, |parameter| match &words {
        Some((shape, values)) if parameter.name == TEXT_EMBEDDINGS && *shape == parameter.shape => {
            Some(values.clone())
        }
        _ => None,
    })
}

/// A reranker whose layers over texts alone and over codes alone begin as those of a retriever, if there is one in `folder` with as many of
/// them.
///
/// # Errors
///
/// If the retriever's files cannot be read, or do not fit their own configuration.
pub(crate) fn with_retriever(
    modules: TokenRerankerModules,
    folder: Option<&Path>,
    shape: &TokenRerankerConfig,
) -> Result<TokenRerankerModules, TrainError> {
    match folder.filter(|folder| folder.is_dir()) {
        Some(folder) => Ok(modules.begin_as(&RetrievalFiles::open(folder)?, shape)?),
        None => Ok(modules),
    }
}

/// The model with all tokens after its projector `scale` times as long; their directions stay.
pub(crate) fn with_token_scale(model: OneVision, scale: f32) -> OneVision {
    changed(model, |name, _, values| {
        if name.starts_with("multi_modal_projector.linear_2.") {
            values.iter_mut().for_each(|value| *value *= scale);
        }
    })
}

/// The model with parameters that `change` changes, given name, size of the last axis and values.
fn changed(model: OneVision, mut change: impl FnMut(&str, usize, &mut Vec<f32>)) -> OneVision {
    map_parameters(model, |parameter| {
        let mut values = parameter.values();
        change(parameter.name, parameter.shape.last().copied().unwrap_or(1), &mut values);
        Some(values)
    })
}

/// Unit prototypes of shapes and colours from the checkpoint of a stage of patch labels, for every word for one that the
/// tokenizer writes as a single token; `width` features each.
///
/// # Errors
///
/// If the file cannot be read, has no prototypes, or has prototypes of another width.
pub(crate) fn prototypes(file: &Path, tokenizer: &Tokenizer, width: usize) -> Result<Embeddings, TrainError> {
    let bytes =
        std::fs::read(file).map_err(|source| TrainError::Unreadable { path: file.to_owned(), source })?;
    let by_word = prototypes_by_word(&bytes, width)
        .map_err(|source| TrainError::Prototypes { file: file.to_owned(), source })?;
    let mut embeddings = Embeddings::new();
    for (word, prototype) in by_word {
        let length = prototype.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        for written in [word.to_owned(), format!(" {word}")] {
            if let [id] = tokenizer.encode(&written)?.as_slice() {
                embeddings.insert(*id, prototype.iter().map(|x| x / length).collect());
            }
        }
    }
    Ok(embeddings)
}

fn prototypes_by_word(bytes: &[u8], width: usize) -> Result<Vec<(&'static str, Vec<f32>)>, PrototypesError> {
    let tensors = SafeTensors::deserialize(bytes)?;
    let shapes: Vec<&str> = Shape::ALL.iter().map(|shape| shape.name()).collect();
    let colours: Vec<&str> = Colour::ALL.iter().map(|colour| colour.name()).collect();
    let mut all = Vec::new();
    for (kind, words) in [("shapes", shapes), ("colours", colours)] {
        let name = format!("{PARAMETERS}patch_heads.{kind}");
        let tensor = tensors.tensor(&name).map_err(|_| PrototypesError::Missing { name: name.clone() })?;
        // The first class is "nothing".
        let classes = words.len() + 1;
        if tensor.shape() != [classes, width] {
            let (found, expected) = (tensor.shape().to_vec(), [classes, width]);
            return Err(PrototypesError::Shape { name, found, expected });
        }
        let values: Vec<f32> =
            tensor.data().as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        all.extend(words.into_iter().zip(values.chunks_exact(width).skip(1).map(<[f32]>::to_vec)));
    }
    Ok(all)
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
