//! Pretraining of the VQ-attention: the token of a code shall say what the object does whose patches the code stands for.

use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::config::FactsConfig;
use crate::data::{Clips, Use};
use crate::error::TrainError;
use crate::learner::Learner;
use crate::objective::{Loss, Measures, Objective, Place};
use crate::pieces::{clip_numbers, drawn_budget};
use crate::reading::Reader;
use crate::shapes_clips::ShapesClips;
use crate::truths::{Guessed, fact_loss, of_codes};

/// Clips that are validated together.
const VALIDATION_BATCH: usize = 16;

/// Cross-entropy of every fact about the object of each code.
pub(crate) struct Facts<'a> {
    config: FactsConfig,
    clips: &'a ShapesClips,
    reader: Reader,
    seed: u64,
    batch: usize,
}

impl<'a> Facts<'a> {
    /// The objective; `batch` clips a piece.
    pub(crate) fn new(
        config: FactsConfig,
        clips: &'a ShapesClips,
        reader: Reader,
        seed: u64,
        batch: usize,
    ) -> Self {
        Self { config, clips, reader, seed, batch }
    }

    fn measure(
        &self,
        learner: &Learner,
        numbers: &[usize],
        budget: usize,
    ) -> Result<(Tensor<1>, Guessed), TrainError> {
        let visual = self.reader.read(&learner.model, self.clips, numbers, budget)?;
        let (Some(heads), Some(tokens)) = (&learner.fact_heads, visual.tokens) else {
            return Err(TrainError::Config {
                file: "facts".into(),
                problem: "the learner has no heads for facts".to_owned(),
            });
        };
        let truths = numbers.par_iter().zip(&visual.maps);
        let of_clip =
            |(&number, map)| self.clips.scene(number).map_or(Ok(Vec::new()), |scene| of_codes(scene, map));
        let truths = truths.map(of_clip);
        let truths = truths.collect::<Result<Vec<_>, _>>()?;
        Ok(fact_loss(heads, tokens, &truths, &self.reader.device))
    }
}

impl Objective for Facts<'_> {
    fn loss(&self, learner: &Learner, place: Place) -> Result<Loss, TrainError> {
        let numbers = clip_numbers(self.clips, self.seed, self.batch, place);
        let budget = drawn_budget(&self.config.budgets, 0.0, self.seed, place);
        let (value, guessed) = self.measure(learner, &numbers, budget)?;
        let measures = guessed.measures(false).with("codes", self.config.budgets[budget] as f64);
        Ok(Loss { value, measures })
    }

    fn validate(&self, learner: &Learner) -> Result<Measures, TrainError> {
        let count = self.config.validation_clips.min(self.clips.count(Use::Validation));
        let numbers: Vec<usize> = (0..count).map(|index| self.clips.number(Use::Validation, index)).collect();
        let mut guessed = Guessed::default();
        let (mut sum, mut clips) = (0.0, 0);
        for budget in 0..self.config.budgets.len() {
            for numbers in numbers.chunks(VALIDATION_BATCH) {
                let (loss, some) = self.measure(learner, numbers, budget)?;
                sum += f64::from(loss.into_scalar::<f32>()) * numbers.len() as f64;
                clips += numbers.len();
                guessed.add(&some);
            }
        }
        if clips == 0 {
            return Ok(Measures::default());
        }
        Ok(guessed.measures(true).with("loss", sum / clips as f64))
    }
}
