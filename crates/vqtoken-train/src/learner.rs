//! What is trained: the model, and the heads that only pretraining needs.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use vqtoken_model::OneVision;
use vqtoken_model::checkpoint::{FieldPath, for_each_parameter, map_parameters};

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
        self.map(&mut Freezer { path: FieldPath::default(), rates })
    }

    /// The values of all parameters by name.
    pub fn values(&self) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
        let mut values = BTreeMap::new();
        for_each_parameter(self, |parameter| {
            values.insert(parameter.name.to_owned(), (parameter.shape.to_vec(), parameter.values()));
        });
        values
    }

    /// The same learner with other values.
    ///
    /// # Errors
    ///
    /// If a parameter is missing or has another shape.
    pub fn with_values(
        self,
        mut values: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
        file: &std::path::Path,
    ) -> Result<Self, TrainError> {
        let mut wrong = None;
        let learner = map_parameters(self, |parameter| match values.remove(parameter.name) {
            Some((shape, values)) if shape == parameter.shape => Some(values),
            _ => {
                wrong.get_or_insert_with(|| parameter.name.to_owned());
                None
            }
        });
        match wrong {
            None => Ok(learner),
            Some(name) => Err(TrainError::Checkpoint {
                file: file.to_owned(),
                problem: format!("{name} is missing or has another shape"),
            }),
        }
    }
}

struct Freezer<'a> {
    path: FieldPath,
    rates: &'a Rates,
}

impl ModuleMapper for Freezer<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let trainable = self.rates.of(&self.path.name()).is_some();
        param.set_require_grad(trainable)
    }
}
