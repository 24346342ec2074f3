//! Packing the weights of linear layers, from a checkpoint or made up, without a copy of all of them in between.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use vqtoken_kernels::{PackedLinear, WeightKind};
use vqtoken_nn::kernel_ops::kernels;
use vqtoken_nn::{PackLayers, Packed, Precision};

use super::weights::{StoredTensor, Weights};
use crate::error::ModelError;

/// Packs every linear layer of a module with numbers drawn from `U(-0.035, 0.035)`, whose deviation is 0.02, as models
/// are initialised; biases are zero. A row depends on the seed and its place alone.
pub fn pack_random<M: PackLayers>(module: &mut M, precision: Precision, seed: u64) -> Result<(), ModelError> {
    const BOUND: f32 = 0.035;
    let (mut layers, mut result) = (0, Ok(()));
    module.for_each_packable("", &mut |_, layer| {
        layers += 1;
        let shape = layer.shape();
        let bias = layer.has_bias().then(|| vec![0.0; shape[0]]);
        let packed = pack_rows(precision, shape, bias.as_deref(), |rows, out| {
            for (row, out) in rows.zip(out.chunks_exact_mut(shape[1].max(1))) {
                let mut random = ChaCha8Rng::seed_from_u64(seed ^ ((layers << 32) + row as u64));
                for pair in out.chunks_mut(2) {
                    let bits = random.next_u64();
                    for (x, bits) in pair.iter_mut().zip([bits as u32, (bits >> 32) as u32]) {
                        *x = (bits as i32 as f32 / 2_147_483_648.0) * BOUND;
                    }
                }
            }
        });
        match packed {
            Ok(packed) if result.is_ok() => layer.set_packed(packed),
            Ok(_) => {}
            Err(error) => result = Err(error),
        }
    });
    result
}

/// Packs weights `[outputs, inputs]` that `rows` puts, some rows at a time, into a buffer.
fn pack_rows(
    precision: Precision,
    [outputs, inputs]: [usize; 2],
    bias: Option<&[f32]>,
    rows: impl Fn(Range<usize>, &mut [f32]) + Sync,
) -> Result<Packed, ModelError> {
    let kind = match precision {
        Precision::Int8 => WeightKind::Int8,
        Precision::Bf16 => WeightKind::Bf16,
        Precision::F32 | Precision::Auto => WeightKind::F32,
    };
    let mut packed = PackedLinear::pack(kernels(), kind, [outputs, inputs], rows)?;
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
    precision: Precision,
    shape: [usize; 2],
    bias: Option<&[f32]>,
) -> Result<Packed, ModelError> {
    let finite = AtomicBool::new(true);
    let packed = pack_rows(precision, shape, bias, |rows, out| {
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
