//! What is trained: the model, and the heads that only pretraining needs.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_model::OneVision;
use vqtoken_model::checkpoint::{enter, exit};

use crate::config::Rates;
use crate::error::TrainError;
use crate::fact_heads::FactHeads;
use crate::patch_heads::PatchHeads;
use crate::paths::PathHeads;

/// The model and the heads of the objective that is trained.
#[derive(Module, Debug)]
pub struct Learner {
    /// The model.
    pub model: OneVision,
    /// Heads over patches, while the tower is pretrained.
    pub patch_heads: Option<PatchHeads>,
    /// Heads over codes, while the VQ-attention is pretrained.
    pub fact_heads: Option<FactHeads>,
    /// Heads over pooled tokens, where a stage asks for paths.
    pub path_heads: Option<PathHeads>,
}

impl Learner {
    /// Lets gradients reach the parts that have a rate, and no others.
    pub fn with_trainable(self, rates: &Rates) -> Self {
        self.map(&mut Freezer { path: Vec::new(), rates })
    }

    /// The values of all parameters by name.
    pub fn values(&self) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
        let mut reader = Reader::default();
        self.visit(&mut reader);
        reader.values
    }

    /// The same learner with other values.
    ///
    /// # Errors
    ///
    /// If a parameter is missing or has another shape.
    pub fn with_values(
        self,
        values: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
        file: &std::path::Path,
    ) -> Result<Self, TrainError> {
        let mut writer = Writer { path: Vec::new(), values, wrong: None };
        let learner = self.map(&mut writer);
        match writer.wrong {
            None => Ok(learner),
            Some(name) => Err(TrainError::Checkpoint {
                file: file.to_owned(),
                problem: format!("{name} is missing or has another shape"),
            }),
        }
    }
}

struct Freezer<'a> {
    path: Vec<String>,
    rates: &'a Rates,
}

impl ModuleMapper for Freezer<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        enter(&mut self.path, name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        exit(&mut self.path, container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let trainable = self.rates.of(&self.path.join(".")).is_some();
        param.set_require_grad(trainable)
    }
}

#[derive(Default)]
struct Reader {
    path: Vec<String>,
    values: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, container: &str) {
        enter(&mut self.path, name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        exit(&mut self.path, container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().into_data();
        let shape = data.shape().as_slice().to_vec();
        self.values.insert(self.path.join("."), (shape, data.try_to_vec().unwrap_or_default()));
    }
}

struct Writer {
    path: Vec<String>,
    values: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    wrong: Option<String>,
}

impl ModuleMapper for Writer {
    fn enter_module(&mut self, name: &str, container: &str) {
        enter(&mut self.path, name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        exit(&mut self.path, container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let (shape, device): (_, Device) = (param.lazy_shape(), param.lazy_device());
        match self.values.remove(&name) {
            Some((found, values)) if found == shape.as_slice() => {
                Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &device))
            }
            _ => {
                self.wrong.get_or_insert(name);
                param
            }
        }
    }
}
