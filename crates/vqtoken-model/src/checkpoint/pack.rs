//! Packing the weights of linear layers without a copy of all of them in between.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use vqtoken_kernels::{Kernels, PackedLinear, WeightKind};
use vqtoken_nn::{PackLayers, Packed, Precision};

use super::stored_tensor::StoredTensor;
use super::weights::Weights;
use crate::error::ModelError;

/// Bytes of the packed weights of a module; 0 if none were packed.
pub(crate) fn packed_bytes<M: PackLayers + Clone>(module: &M) -> usize {
    let mut bytes = 0;
    // A clone shares its weights; walking over the layers needs a mutable module.
    module.clone().for_each_packable("", &mut |_, layer| bytes += layer.packed_bytes());
    bytes
}

/// Layers that int4 is for. What reads pictures, and the words' table, lose too much by it.
const INT4_LAYERS: &str = "language_model.layers.";

/// Layers of vision towers.
const TOWERS: [&str; 2] = ["vision_tower.", "vision_model."];

/// How the weights of one layer are stored, by its path in a checkpoint.
pub(super) fn layer_kind(path: &str, precision: Precision) -> WeightKind {
    match precision {
        precision if TOWERS.iter().any(|tower| path.starts_with(tower)) => precision.tower_weight_kind(),
        Precision::Int4 if !path.starts_with(INT4_LAYERS) => WeightKind::Int8,
        other => other.weight_kind(),
    }
}

/// Packs weights `[outputs, inputs]` that `rows` puts, some rows at a time, into a buffer.
pub(super) fn pack_rows(
    kind: WeightKind,
    [outputs, inputs]: [usize; 2],
    bias: Option<&[f32]>,
    rows: impl Fn(Range<usize>, &mut [f32]) + Sync,
) -> Result<Packed, ModelError> {
    let mut packed = PackedLinear::pack(Kernels::global(), kind, [outputs, inputs], rows)?;
    if let Some(bias) = bias {
        packed = packed.with_bias(bias)?;
    }
    Ok(Packed::new(packed))
}

/// Packs a stored weight `[outputs, inputs]`.
pub(super) fn pack_stored(
    weights: &Weights,
    name: &str,
    stored: StoredTensor<'_>,
    kind: WeightKind,
    shape: [usize; 2],
    bias: Option<&[f32]>,
) -> Result<Packed, ModelError> {
    let finite = AtomicBool::new(true);
    let packed = pack_rows(kind, shape, bias, |rows, out| {
        stored.read(rows.start * shape[1]..rows.end * shape[1], out);
        if !out.iter().all(|x| x.is_finite()) {
            finite.store(false, Ordering::Relaxed);
        }
    })?;
    match finite.into_inner() {
        true => Ok(packed),
        false => Err(weights.not_finite(name)),
    }
}
