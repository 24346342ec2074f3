//! Putting a checkpoint's numbers into modules, by the path of each field.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::{BTreeMap, BTreeSet};
use vqtoken_nn::{Pack, PackLayers, Precision};

use super::layout::{enter, exit};
use super::pack::pack_stored;
use super::weights::{StoredTensor, Weights};
use crate::config::OneVisionConfig;
use crate::error::ModelError;

/// The parts that turn frames into a token grid.
const VISION: [&str; 2] = ["vision_tower.", "multi_modal_projector."];

/// Fills modules from [`Weights`] and keeps account of what was missing, misshaped or never asked for.
pub struct Filler<'a> {
    weights: &'a Weights,
    device: Device,
    path: Vec<String>,
    taken: BTreeSet<String>,
    missing: Vec<String>,
    failure: Option<ModelError>,
    /// Beginnings of the names of parameters that stay as they were drawn.
    left: Vec<String>,
    /// Of every tensor of the vision tower and the projector that was taken.
    checksums: BTreeMap<String, crc32fast::Hasher>,
    vision_checksum: crc32fast::Hasher,
}

impl<'a> Filler<'a> {
    /// A filler that has taken nothing yet.
    pub fn new(weights: &'a Weights, device: &Device) -> Self {
        Self {
            weights,
            device: device.clone(),
            path: Vec::new(),
            taken: BTreeSet::new(),
            missing: Vec::new(),
            failure: None,
            left: Vec::new(),
            checksums: BTreeMap::new(),
            vision_checksum: crc32fast::Hasher::new(),
        }
    }

    /// Leaves parameters whose names begin so as they were drawn: parts that are new, or begin anew.
    pub fn leave(&mut self, prefixes: &[&str]) {
        self.left.extend(prefixes.iter().map(|&prefix| prefix.to_owned()));
    }

    /// Packs every linear layer of `module` straight from where the checkpoint lies; [`Self::fill`] then does the rest.
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
        self.account(&name, stored);
        match pack_stored(self.weights, &name, stored, precision, shape, bias.as_deref()) {
            Ok(packed) => layer.set_packed(packed),
            Err(error) => self.fail(error),
        }
        self.weights.release(&name);
    }

    /// Replaces every parameter of `module` by the tensor that is named as the path of its field.
    pub fn fill<M: Module>(&mut self, module: M) -> M {
        module.map(self)
    }

    /// CRC-32 of the numbers that the vision tower and the projector have taken: equal for equal weights in whatever
    /// layout. Video tokens can be read by every model that shares these.
    pub fn vision_checksum(&self) -> u32 {
        self.vision_checksum.clone().finalize()
    }

    /// The first failure, or the missing tensors, or the ones that nobody took and `ignorable` does not excuse.
    pub fn finish(self, ignorable: impl Fn(&str) -> bool) -> Result<(), ModelError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let checkpoint = self.weights.checkpoint().to_owned();
        if !self.missing.is_empty() {
            return Err(ModelError::MissingTensors { checkpoint, names: self.missing });
        }
        let names: Vec<String> = self
            .weights
            .names()
            .filter(|name| !self.taken.contains(*name) && !ignorable(name))
            .map(str::to_owned)
            .collect();
        match names.is_empty() {
            true => Ok(()),
            false => Err(ModelError::UnexpectedTensors { checkpoint, names }),
        }
    }

    /// The numbers of a tensor of the given shape; what goes wrong is kept for [`Self::finish`].
    fn take(&mut self, name: &str, expected: &[usize]) -> Option<Vec<f32>> {
        let stored = self.stored(name, expected)?;
        self.account(name, stored);
        match self.weights.read(name) {
            Ok(values) => values,
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    /// A tensor of the given shape; what goes wrong is kept for [`Self::finish`].
    fn stored(&mut self, name: &str, expected: &[usize]) -> Option<StoredTensor<'a>> {
        match self.weights.shape(name) {
            // Packing may have missed it before.
            None if self.missing.iter().any(|missing| missing == name) => {}
            None => self.missing.push(name.to_owned()),
            Some(found) if found != expected => self.fail(ModelError::TensorShape {
                checkpoint: self.weights.checkpoint().to_owned(),
                name: name.to_owned(),
                found: found.to_vec(),
                expected: expected.to_vec(),
            }),
            Some(_) => match self.weights.tensor(name) {
                Err(error) => self.fail(error),
                Ok(stored) => return stored,
            },
        }
        None
    }

    /// Notes that a tensor was taken, and its checksum if it is one of the vision tower or the projector.
    fn account(&mut self, name: &str, stored: StoredTensor<'_>) {
        const AT_ONCE: usize = 1 << 14;
        self.taken.insert(name.to_owned());
        if !VISION.iter().any(|prefix| name.starts_with(prefix)) {
            return;
        }
        let mut checksum = crc32fast::Hasher::new();
        let mut buffer = vec![0.0; AT_ONCE.min(stored.len())];
        for start in (0..stored.len()).step_by(AT_ONCE) {
            let end = (start + AT_ONCE).min(stored.len());
            let numbers = &mut buffer[..end - start];
            stored.read(start..end, numbers);
            checksum.update(bytemuck::cast_slice(numbers));
        }
        self.checksums.insert(name.to_owned(), checksum);
    }

    fn fail(&mut self, error: ModelError) {
        self.failure.get_or_insert(error);
    }
}

impl ModuleMapper for Filler<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        enter(&mut self.path, name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        exit(&mut self.path, container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape();
        let name = self.path.join(".");
        if self.left.iter().any(|prefix| name.starts_with(prefix)) {
            return param;
        }
        let values = match self.taken.contains(&name) {
            true => None,
            false => self.take(&name, shape.as_slice()),
        };
        // In the order of the fields, whatever was packed before.
        if let Some(checksum) = self.checksums.remove(&name) {
            self.vision_checksum.combine(&checksum);
        }
        match values {
            Some(values) => {
                Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &self.device))
            }
            None => param,
        }
    }
}

/// Tensors that public checkpoints hold and that no computation here needs.
pub fn is_unused_by_design(name: &str, config: &OneVisionConfig) -> bool {
    if let Some(rest) = name.strip_prefix("vision_tower.encoder.layers.") {
        let layer = rest.split('.').next().and_then(|number| number.parse::<usize>().ok());
        return layer.is_some_and(|layer| layer >= config.vision.layers);
    }
    ["vision_tower.post_layernorm.", "vision_tower.head.", "vision_tower.embeddings.position_ids"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || (config.text.tied && name == "lm_head.weight")
        || name.ends_with(".rotary_emb.inv_freq")
}
