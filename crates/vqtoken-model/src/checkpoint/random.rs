//! Random weights: models of a known shape to measure what a real one would cost.

use std::collections::BTreeSet;

use burn::module::Module;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use vqtoken_kernels::Kernels;
use vqtoken_nn::{PackLayers, Precision};

use super::pack::{layer_kind, pack_rows};
use super::parameters::map_parameters;
use crate::error::ModelError;

/// Gives a module random weights: linear layers packed in a precision, everything else as `f32`.
///
/// Weights and tables are drawn from `U(-0.035, 0.035)`, whose deviation of 0.02 is the one that models are initialised
/// with; biases are zero, norms as they are. A number depends on the seed, the tensor's name and its row alone.
///
/// # Errors
///
/// If a layer cannot be packed.
pub fn randomize<M: Module + PackLayers>(
    mut module: M,
    precision: Precision,
    seed: u64,
) -> Result<M, ModelError> {
    let (mut packed, mut failure) = (BTreeSet::new(), None);
    module.for_each_packable("", &mut |path, layer| {
        let shape = layer.shape();
        let bias = layer.has_bias().then(|| vec![0.0; shape[0]]);
        let name = format!("{path}.weight");
        let weights = pack_rows(layer_kind(path, precision), shape, bias.as_deref(), |rows, out| {
            for (row, out) in rows.zip(out.chunks_exact_mut(shape[1].max(1))) {
                draw(seed, &name, row, out);
            }
        });
        match weights {
            Ok(weights) => layer.set_packed(weights),
            Err(error) => failure = Some(error),
        }
        packed.insert(format!("{path}.bias"));
        packed.insert(name);
    });
    if let Some(error) = failure {
        return Err(error);
    }
    Ok(map_parameters(module, |parameter| {
        let is_norm = parameter.shape.len() == 1 && parameter.name.ends_with(".weight");
        if packed.contains(parameter.name) || is_norm {
            return None;
        }
        let mut values = vec![0.0; parameter.shape.iter().product()];
        if !parameter.name.ends_with(".bias") {
            draw(seed, parameter.name, 0, &mut values);
        }
        Some(values)
    }))
}

/// The id of a model of random weights.
pub(crate) fn random_id(name: &str, seed: u64) -> String {
    format!("{name}@random{seed}")
}

/// The precision of random weights: bf16 loses nothing where there was nothing.
pub(crate) fn random_precision(wanted: Precision) -> Result<Precision, ModelError> {
    Kernels::from_env()?;
    Ok(wanted.resolve(Precision::Bf16))
}

fn draw(seed: u64, name: &str, row: usize, out: &mut [f32]) {
    const BOUND: f32 = 0.035;
    let tensor = u64::from(crc32fast::hash(name.as_bytes()));
    let mut random = ChaCha8Rng::seed_from_u64(seed.rotate_left(17) ^ (tensor << 32) ^ row as u64);
    for pair in out.chunks_mut(2) {
        let bits = random.next_u64();
        for (x, bits) in pair.iter_mut().zip([bits as u32, (bits >> 32) as u32]) {
            *x = bits as i32 as f32 / (1u32 << 31) as f32 * BOUND;
        }
    }
}
