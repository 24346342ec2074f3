//! Pretraining of the VQ-attention: from the token of a code a linear head predicts the labels of the object whose patches the
//! code stands for.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::token_labels::{Accuracies, label_loss, labels_of_codes};
use super::{Loss, Objective};
use crate::clips::Clips;
use crate::clips::shapes::ShapesClips;
use crate::config::{Budgets, ObjectLabelsConfig};
use crate::error::TrainError;
use crate::heads::LabelHeads;
use crate::learner::Learner;
use crate::measures::Measures;
use crate::micro_batch::MicroBatch;
use crate::tensors::scalar;
use crate::visual_tokens::{TokenKind, VisualTokenSource};

/// Clips that are validated together.
const VALIDATION_BATCH: usize = 16;

/// Cross-entropy of every label of the object of each code.
pub(crate) struct ObjectLabels<'a> {
    pub(crate) config: &'a ObjectLabelsConfig,
    pub(crate) clips: &'a ShapesClips,
    pub(crate) source: VisualTokenSource,
    pub(crate) seed: u64,
    /// Clips per micro-batch.
    pub(crate) micro_batch_size: usize,
}

impl ObjectLabels<'_> {
    fn measure(
        &self,
        learner: &Learner,
        indices: &[usize],
        budget: usize,
    ) -> Result<(Tensor<1>, Accuracies), TrainError> {
        let visual = self.source.read(&learner.model, self.clips, indices, TokenKind::VqToken(budget))?;
        let labels = indices.par_iter().zip(&visual.maps).map(|(&clip, map)| match self.clips.scene(clip) {
            Some(scene) => labels_of_codes(scene, map),
            None => Ok(Vec::new()),
        });
        let labels = labels.collect::<Result<Vec<_>, TrainError>>()?;
        Ok(label_loss(heads(learner), visual.tokens, &labels))
    }
}

#[expect(clippy::expect_used, reason = "a stage of object labels adds them to its learner")]
fn heads(learner: &Learner) -> &LabelHeads {
    learner.label_heads.as_ref().expect("the learner has label heads")
}

impl Objective for ObjectLabels<'_> {
    fn loss(&self, learner: &Learner, micro_batch: MicroBatch) -> Result<Loss, TrainError> {
        let indices = micro_batch.clips(self.clips, self.seed, self.micro_batch_size);
        let budgets = Budgets { sizes: self.config.budgets.clone(), price: 0.0 };
        let budget = budgets.draw(self.seed, micro_batch);
        let (value, accuracies) = self.measure(learner, &indices, budget)?;
        let measures = Measures::default().with_all(&accuracies.mean()).with("codes", budget as f64);
        Ok(Loss { value, measures })
    }

    fn validate(&self, learner: &Learner) -> Result<Measures, TrainError> {
        let indices = self.clips.validation_clips(self.config.validation_clips);
        let mut accuracies = Accuracies::default();
        let (mut sum, mut clips) = (0.0, 0);
        for &budget in &self.config.budgets {
            for indices in indices.chunks(VALIDATION_BATCH) {
                let (loss, some) = self.measure(learner, indices, budget)?;
                sum += scalar(&loss) * indices.len() as f64;
                clips += indices.len();
                accuracies.add(&some);
            }
        }
        if clips == 0 {
            return Ok(Measures::default());
        }
        Ok(accuracies.mean().with_all(&accuracies.by_label()).with("loss", sum / clips as f64))
    }
}
