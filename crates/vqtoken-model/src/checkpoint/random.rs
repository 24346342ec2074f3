//! Random weights: models of a known shape to measure what a real one would cost.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::BTreeSet;
use vqtoken_nn::{PackLayers, Precision};

use super::layout::{enter, exit};
use super::pack::pack_rows;
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
        let weights = pack_rows(precision, shape, bias.as_deref(), |rows, out| {
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
    match failure {
        Some(error) => Err(error),
        None => Ok(module.map(&mut Randomizer { packed, seed, path: Vec::new() })),
    }
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

struct Randomizer {
    /// What has been packed, and is not to be drawn again.
    packed: BTreeSet<String>,
    seed: u64,
    path: Vec<String>,
}

impl ModuleMapper for Randomizer {
    fn enter_module(&mut self, name: &str, container: &str) {
        enter(&mut self.path, name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        exit(&mut self.path, container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let is_norm = D == 1 && name.ends_with(".weight");
        if self.packed.contains(&name) || is_norm {
            return param;
        }
        let (shape, device) = (param.lazy_shape(), param.lazy_device());
        let mut values = vec![0.0; shape.num_elements()];
        if !name.ends_with(".bias") {
            draw(self.seed, &name, 0, &mut values);
        }
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &device))
    }
}
