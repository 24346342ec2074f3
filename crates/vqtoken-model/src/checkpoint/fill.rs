//! Putting a checkpoint's values into modules, by the name of each parameter.

use std::collections::BTreeSet;

use burn::module::Module;
use vqtoken_nn::{Pack, PackLayers, Precision};

use super::pack::{layer_kind, pack_stored};
use super::parameters::{Parameter, for_each_parameter, map_parameters};
use super::stored_tensor::StoredTensor;
use super::weights::Weights;
use crate::config::OneVisionConfig;
use crate::error::ModelError;

/// Fills modules from [`Weights`] and records what was missing, misshaped or never asked for.
#[derive(Debug)]
pub struct Filler<'a> {
    weights: &'a Weights,
    taken: BTreeSet<String>,
    missing: Vec<String>,
    failure: Option<ModelError>,
    /// Prefixes of the names of parameters that stay as they were initialised.
    skipped: Vec<String>,
}

impl<'a> Filler<'a> {
    /// A filler that has taken nothing yet.
    pub fn new(weights: &'a Weights) -> Self {
        Self { weights, taken: BTreeSet::new(), missing: Vec::new(), failure: None, skipped: Vec::new() }
    }

    /// Leaves parameters whose names start with one of these as they were initialised: parts that are new.
    pub fn skip(&mut self, prefixes: &[&str]) {
        self.skipped.extend(prefixes.iter().map(|&prefix| prefix.to_owned()));
    }

    /// Packs every linear layer of `module` straight from the mapped checkpoint; [`Self::fill`] does the rest.
    pub fn pack<M: PackLayers>(&mut self, module: &mut M, precision: Precision) {
        module.for_each_packable("", &mut |path, layer| {
            if self.failure.is_none() {
                self.pack_layer(path, layer, precision);
            }
        });
    }

    fn pack_layer(&mut self, path: &str, layer: &mut dyn Pack, precision: Precision) {
        let (name, shape) = (format!("{path}.weight"), layer.shape());
        let bias = match layer.has_bias() {
            true => match self.take(&format!("{path}.bias"), &shape[..1]) {
                None => return,
                bias => bias,
            },
            false => None,
        };
        let Some(stored) = self.stored(&name, &shape) else { return };
        self.taken.insert(name.clone());
        let kind = layer_kind(path, precision);
        match pack_stored(self.weights, &name, stored, kind, shape, bias.as_deref()) {
            Ok(packed) => layer.set_packed(packed),
            Err(error) => self.fail(error),
        }
        self.weights.release(&name);
    }

    /// Replaces every parameter of `module` by the tensor of its name.
    pub fn fill<M: Module>(&mut self, module: M) -> M {
        map_parameters(module, |parameter| self.value_of(&parameter))
    }

    /// Compares names and shapes with those of `module` as if it were filled, reading no values.
    pub(super) fn check<M: Module>(&mut self, module: &M) {
        for_each_parameter(module, |parameter| {
            if self.stored(parameter.name, parameter.shape).is_some() {
                self.taken.insert(parameter.name.to_owned());
            }
        });
    }

    fn value_of(&mut self, parameter: &Parameter<'_>) -> Option<Vec<f32>> {
        let is_skipped = self.skipped.iter().any(|prefix| parameter.name.starts_with(prefix));
        match is_skipped || self.taken.contains(parameter.name) {
            true => None,
            false => self.take(parameter.name, parameter.shape),
        }
    }

    /// The first failure, or the missing tensors, or those that no parameter took and `ignorable` does not excuse.
    ///
    /// # Errors
    ///
    /// Any of these.
    pub fn finish(self, ignorable: impl Fn(&str) -> bool) -> Result<(), ModelError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let checkpoint = self.weights.checkpoint().to_owned();
        if !self.missing.is_empty() {
            return Err(ModelError::MissingTensors { checkpoint, names: self.missing });
        }
        let is_unexpected = |name: &&str| !self.taken.contains(*name) && !ignorable(name);
        let names: Vec<String> = self.weights.names().filter(is_unexpected).map(str::to_owned).collect();
        match names.is_empty() {
            true => Ok(()),
            false => Err(ModelError::UnexpectedTensors { checkpoint, names }),
        }
    }

    /// The values of a tensor of the given shape; a failure is kept for [`Self::finish`].
    fn take(&mut self, name: &str, expected: &[usize]) -> Option<Vec<f32>> {
        self.stored(name, expected)?;
        self.taken.insert(name.to_owned());
        match self.weights.read(name) {
            Ok(values) => values,
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    /// A tensor of the given shape; a failure is kept for [`Self::finish`].
    fn stored(&mut self, name: &str, expected: &[usize]) -> Option<StoredTensor<'a>> {
        match self.weights.tensor_of_shape(name, expected) {
            Ok(Some(stored)) => return Some(stored),
            // Packing may have missed it before.
            Ok(None) if self.missing.iter().any(|missing| missing == name) => {}
            Ok(None) => self.missing.push(name.to_owned()),
            Err(error) => self.fail(error),
        }
        None
    }

    fn fail(&mut self, error: ModelError) {
        self.failure.get_or_insert(error);
    }
}

/// Whether a tensor is one that public checkpoints hold and that no computation here needs.
pub fn is_unused_by_design(name: &str, config: &OneVisionConfig) -> bool {
    if let Some(rest) = name.strip_prefix("vision_tower.encoder.layers.") {
        let layer = rest.split('.').next().and_then(|index| index.parse::<usize>().ok());
        return layer.is_some_and(|layer| layer >= config.vision.layers);
    }
    ["vision_tower.post_layernorm.", "vision_tower.head.", "vision_tower.embeddings.position_ids"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || (config.text.tied && name == "lm_head.weight")
        || name.ends_with(".rotary_emb.inv_freq")
}
