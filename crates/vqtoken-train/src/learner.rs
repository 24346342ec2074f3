//! What is trained: the model, and the heads that a stage needs.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use vqtoken_model::checkpoint::{FieldPath, for_each_parameter, map_parameters};
use vqtoken_model::{OneVision, TokenRerankerModules, TokenRetrieverModules};

use crate::config::LearningRates;
use crate::error::CheckpointError;
use crate::heads::{LabelHeads, PatchHeads, TrajectoryHeads};

/// The model and the heads of the objective that is trained. The fields' names are those of checkpoints.
#[derive(Module, Debug)]
pub(crate) struct Learner {
    /// The model.
    pub(crate) model: OneVision,
    /// Heads over patches, in a stage of patch labels.
    pub(crate) patch_heads: Option<PatchHeads>,
    /// Heads over codes or visual tokens, where object labels are predicted.
    pub(crate) label_heads: Option<LabelHeads>,
    /// Heads over pooled tokens, where trajectories are predicted.
    pub(crate) trajectory_heads: Option<TrajectoryHeads>,
    /// What compares texts with codes, in a stage of retrieval.
    pub(crate) retrieval: Option<TokenRetrieverModules>,
    /// What holds texts against codes by facts, in a stage of reranking.
    pub(crate) reranking: Option<TokenRerankerModules>,
}

/// Shapes and values of parameters by name.
pub(crate) type Parameters = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

impl Learner {
    /// A model without heads.
    pub(crate) fn new(model: OneVision) -> Self {
        Self {
            model,
            patch_heads: None,
            label_heads: None,
            trajectory_heads: None,
            retrieval: None,
            reranking: None,
        }
    }

    /// Lets gradients reach the parts that have a learning rate, and no others.
    pub(crate) fn with_trainable(self, rates: &LearningRates) -> Self {
        self.map(&mut Freezer { path: FieldPath::default(), rates })
    }

    /// All parameters.
    pub(crate) fn parameters(&self) -> Parameters {
        let mut parameters = Parameters::new();
        for_each_parameter(self, |parameter| {
            parameters.insert(parameter.name.to_owned(), (parameter.shape.to_vec(), parameter.values()));
        });
        parameters
    }

    /// The same learner with other parameters.
    ///
    /// # Errors
    ///
    /// If a parameter is missing or has another shape.
    pub(crate) fn with_parameters(self, mut parameters: Parameters) -> Result<Self, CheckpointError> {
        let mut wrong = None;
        let learner = map_parameters(self, |parameter| match parameters.remove(parameter.name) {
            Some((shape, values)) if shape == parameter.shape => Some(values),
            _ => {
                wrong.get_or_insert_with(|| parameter.name.to_owned());
                None
            }
        });
        match wrong {
            None => Ok(learner),
            Some(name) => Err(CheckpointError::Parameter { name }),
        }
    }
}

struct Freezer<'a> {
    path: FieldPath,
    rates: &'a LearningRates,
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
