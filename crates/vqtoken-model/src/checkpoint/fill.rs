//! Putting a checkpoint's numbers into modules, by the path of each field.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::BTreeSet;

use super::layout::{enter, exit};
use super::weights::Weights;
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
            vision_checksum: crc32fast::Hasher::new(),
        }
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
        match self.weights.shape(name) {
            None => self.missing.push(name.to_owned()),
            Some(found) if found != expected => self.fail(ModelError::TensorShape {
                checkpoint: self.weights.checkpoint().to_owned(),
                name: name.to_owned(),
                found: found.to_vec(),
                expected: expected.to_vec(),
            }),
            Some(_) => match self.weights.read(name) {
                Err(error) => self.fail(error),
                Ok(values) => {
                    self.taken.insert(name.to_owned());
                    let values = values?;
                    if VISION.iter().any(|prefix| name.starts_with(prefix)) {
                        self.vision_checksum.update(bytemuck::cast_slice(&values));
                    }
                    return Some(values);
                }
            },
        }
        None
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
        match self.take(&self.path.join("."), shape.as_slice()) {
            Some(values) => {
                Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &self.device))
            }
            None => param,
        }
    }
}
