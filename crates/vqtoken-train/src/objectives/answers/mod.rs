//! Answering questions about clips.

mod accuracy;
mod language_loss;

use burn::tensor::Tensor;
use rayon::prelude::*;
use vqtoken_core::GridShape;
use vqtoken_model::VideoInPrompt;

use self::accuracy::Accuracy;
use self::language_loss::{HiddenStates, LanguageLoss};
use super::token_labels::{Accuracies, label_loss, labels_of_cells, labels_of_codes, shown_objects};
use super::trajectories::{trajectories, trajectory_loss};
use super::{Loss, Objective};
use crate::clips::{Clips, Conversation};
use crate::config::{AnswersConfig, KeepFirst, KeptTokens, VisualInput};
use crate::error::TrainError;
use crate::learner::Learner;
use crate::measures::Measures;
use crate::micro_batch::MicroBatch;
use crate::rng::Rng;
use crate::tensors::{scalar, training_device};
use crate::tokenized_conversation::{ConversationTokenizer, TokenizedConversation};
use crate::visual_tokens::{Keep, TokenKind, VisualTokenSource, VisualTokens};

/// Clips that are validated together.
const VALIDATION_BATCH: usize = 8;

/// Cross-entropy of the answers' tokens, and further terms where they are configured.
pub(crate) struct Answers<'a> {
    pub(crate) config: &'a AnswersConfig,
    pub(crate) clips: &'a dyn Clips,
    /// Where visual tokens come from; `None` where questions are asked blind.
    pub(crate) source: Option<VisualTokenSource>,
    pub(crate) tokenizer: ConversationTokenizer,
    pub(crate) seed: u64,
    /// Clips per micro-batch.
    pub(crate) micro_batch_size: usize,
}

impl Answers<'_> {
    /// The visual tokens of clips; `None` where questions are asked blind.
    fn visual_tokens(
        &self,
        learner: &Learner,
        indices: &[usize],
        budget: Option<usize>,
    ) -> Result<Option<VisualTokens>, TrainError> {
        let kind = match (&self.config.visual_input, budget) {
            (VisualInput::VqToken(_), Some(budget)) => TokenKind::VqToken(budget),
            (VisualInput::Codebook(_), Some(budget)) => TokenKind::Codebook(budget),
            _ => TokenKind::Pooled,
        };
        let read = |source: &VisualTokenSource| source.read(&learner.model, self.clips, indices, kind);
        self.source.as_ref().map(read).transpose()
    }

    fn tokenize(
        &self,
        conversations: &[Vec<Conversation>],
    ) -> Result<Vec<Vec<TokenizedConversation>>, TrainError> {
        let video = match self.config.visual_input {
            VisualInput::Blind => VideoInPrompt::Absent,
            VisualInput::VqToken(_) | VisualInput::Codebook(_) | VisualInput::Pooled(_) => {
                VideoInPrompt::Present
            }
        };
        let of_clip = |conversations: &Vec<Conversation>| {
            conversations.iter().map(|one| self.tokenizer.tokenize(one, video)).collect()
        };
        conversations.iter().map(of_clip).collect()
    }

    fn language_loss(
        &self,
        learner: &Learner,
        visual: Option<&VisualTokens>,
        conversations: &[Vec<Conversation>],
    ) -> Result<LanguageLoss, TrainError> {
        let auxiliary = learner.label_heads.is_some() || learner.trajectory_heads.is_some();
        let hidden_states = if auxiliary { HiddenStates::Keep } else { HiddenStates::Discard };
        let conversations = self.tokenize(conversations)?;
        Ok(LanguageLoss::new(&learner.model, visual, &conversations, hidden_states, &training_device()))
    }

    /// The weighted loss on object labels of visual tokens, if it is configured.
    fn label_loss(
        &self,
        learner: &Learner,
        hidden_states: &[Tensor<3>],
        indices: &[usize],
        visual: &VisualTokens,
    ) -> Result<Option<(Tensor<1>, Accuracies)>, TrainError> {
        let (Some(term), Some(heads)) = (self.config.object_labels, &learner.label_heads) else {
            return Ok(None);
        };
        let shape = self.pooled_shape(visual);
        let labels = indices.par_iter().enumerate().map(|(position, &clip)| {
            match (self.clips.scene(clip), visual.maps.get(position)) {
                (None, _) => Ok(Vec::new()),
                (Some(scene), Some(map)) => labels_of_codes(scene, map),
                (Some(scene), None) => labels_of_cells(scene, shape, &visual.positions[position]),
            }
        });
        let labels = labels.collect::<Result<Vec<_>, TrainError>>()?;
        let (loss, accuracies) = label_loss(heads, hidden_states[term.layer].clone(), &labels);
        Ok(Some((loss * term.weight, accuracies)))
    }

    /// The weighted loss on trajectories of what pooled tokens show, if it is configured, and the loss without its weight.
    fn trajectory_loss(
        &self,
        learner: &Learner,
        hidden_states: &[Tensor<3>],
        indices: &[usize],
        visual: &VisualTokens,
    ) -> Result<Option<(Tensor<1>, f64)>, TrainError> {
        let term = self.config.visual_input.pooled().and_then(|pooled| pooled.trajectories);
        let (Some(term), Some(heads)) = (term, &learner.trajectory_heads) else {
            return Ok(None);
        };
        let shape = self.pooled_shape(visual);
        let of_clip = |(&clip, cells): (&usize, &Vec<usize>)| match self.clips.scene(clip) {
            Some(scene) => trajectories(scene, shape, cells),
            None => Ok(Vec::new()),
        };
        let targets = indices.par_iter().zip(&visual.positions).map(of_clip);
        let targets = targets.collect::<Result<Vec<_>, TrainError>>()?;
        let loss = trajectory_loss(heads, hidden_states[term.layer].clone(), &targets);
        let error = scalar(&loss);
        Ok(Some((loss * term.weight, error)))
    }

    /// The tokens that a training step reads: all, or as many as are to be kept.
    fn kept(
        &self,
        visual: VisualTokens,
        indices: &[usize],
        micro_batch: MicroBatch,
    ) -> Result<VisualTokens, TrainError> {
        let kept = self.config.visual_input.pooled().and_then(|pooled| pooled.keep);
        let Some(KeptTokens { share, first }) = kept else { return Ok(visual) };
        let mut rng = Rng::new(self.seed, "kept tokens", micro_batch.index());
        match first {
            KeepFirst::Any => Ok(visual.keep(share, &Keep::Any, &mut rng)),
            KeepFirst::Objects => {
                let shape = self.pooled_shape(&visual);
                let of_clip = |&clip: &usize| match self.clips.scene(clip) {
                    Some(scene) => Ok(shown_objects(scene, shape)?.iter().map(Option::is_some).collect()),
                    None => Ok(vec![false; visual.total]),
                };
                let shows = indices.par_iter().map(of_clip).collect::<Result<Vec<_>, TrainError>>()?;
                Ok(visual.keep(share, &Keep::ObjectsFirst(&shows), &mut rng))
            }
        }
    }

    /// The shape of a pooled grid, which is square.
    fn pooled_shape(&self, visual: &VisualTokens) -> GridShape {
        let side = (visual.total / self.config.frames).isqrt();
        GridShape { frames: self.config.frames, height: side, width: side }
    }
}

impl Objective for Answers<'_> {
    fn loss(&self, learner: &Learner, micro_batch: MicroBatch) -> Result<Loss, TrainError> {
        let indices = micro_batch.clips(self.clips, self.seed, self.micro_batch_size);
        let codes = self.config.visual_input.codes();
        let budget = codes.map(|codes| codes.budgets.draw(self.seed, micro_batch));
        let mut rng = Rng::new(self.seed, "questions", micro_batch.index());
        let conversations: Vec<Vec<Conversation>> = indices
            .iter()
            .map(|&clip| self.clips.conversations(clip, self.config.questions, &mut rng))
            .collect();
        let visual = self.visual_tokens(learner, &indices, budget)?;
        let visual = visual.map(|visual| self.kept(visual, &indices, micro_batch)).transpose()?;
        let language = self.language_loss(learner, visual.as_ref(), &conversations)?;
        let Some(mut value) = language.value else {
            return Err(TrainError::NoQuestions { step: micro_batch.step + 1 });
        };
        let mut measures = language.accuracy.measures();
        if let Some(budget) = budget {
            measures = measures.with("codes", budget as f64);
        }
        if let Some(visual) = visual {
            let states = &language.hidden_states;
            if let Some((loss, accuracies)) = self.label_loss(learner, states, &indices, &visual)? {
                measures = measures.with_all(&accuracies.mean());
                value = value + loss;
            }
            if let Some((loss, error)) = self.trajectory_loss(learner, states, &indices, &visual)? {
                measures = measures.with("trajectory_error", error);
                value = value + loss;
            }
            if let Some(commitment) = visual.commitment {
                measures = measures.with("commitment", scalar(&commitment));
                let weight = codes.map_or(0.0, |codes| codes.commitment);
                if weight > 0.0 {
                    value = value + commitment * weight;
                }
            }
        }
        Ok(Loss { value, measures })
    }

    fn validate(&self, learner: &Learner) -> Result<Measures, TrainError> {
        let indices = self.clips.validation_clips(self.config.validation_clips);
        let budgets: Vec<Option<usize>> = match self.config.visual_input.codes() {
            Some(codes) => codes.budgets.sizes.iter().copied().map(Some).collect(),
            None => vec![None],
        };
        let mut measures = Measures::default();
        let (mut sum, mut total) = (0.0, Accuracy::default());
        let mut labels: Option<Accuracies> = None;
        let mut errors = Vec::new();
        for budget in budgets {
            let mut accuracy = Accuracy::default();
            for indices in indices.chunks(VALIDATION_BATCH) {
                let conversations: Vec<_> = indices.iter().map(|&clip| self.clips.validation(clip)).collect();
                let visual = self.visual_tokens(learner, indices, budget)?;
                let language = self.language_loss(learner, visual.as_ref(), &conversations)?;
                if let Some(visual) = &visual {
                    let states = &language.hidden_states;
                    if let Some((_, some)) = self.label_loss(learner, states, indices, visual)? {
                        labels.get_or_insert_default().add(&some);
                    }
                    let trajectories = self.trajectory_loss(learner, states, indices, visual)?;
                    errors.extend(trajectories.map(|(_, error)| error));
                }
                if let Some(value) = language.value {
                    sum += scalar(&value) * language.accuracy.answers() as f64;
                }
                accuracy.add(language.accuracy);
            }
            if let Some(budget) = budget.filter(|_| accuracy.answers() > 0) {
                measures = measures.with(format!("right_{budget}"), accuracy.share());
            }
            total.add(accuracy);
        }
        if let Some(labels) = labels {
            measures = measures.with_all(&labels.mean()).with_all(&labels.by_label());
        }
        if !errors.is_empty() {
            measures = measures.with("trajectory_error", errors.iter().sum::<f64>() / errors.len() as f64);
        }
        match total.answers() {
            0 => Ok(measures),
            count => Ok(measures.with_all(&total.measures()).with("loss", sum / count as f64)),
        }
    }
}
