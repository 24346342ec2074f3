//! The language model's loss: it reads the visual tokens of each clip once, then every conversation about the clip.

use burn::tensor::{Device, Tensor};
use vqtoken_model::LanguageCache;
use vqtoken_model::OneVision;

use super::accuracy::{Accuracy, Outcome};
use crate::losses::{argmax_rows, cross_entropy};
use crate::tensors::indices;
use crate::tokenized_conversation::TokenizedConversation;
use crate::visual_tokens::VisualTokens;

/// Whether the hidden states of visual tokens are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HiddenStates {
    Keep,
    Discard,
}

/// What reading some conversations gives.
#[derive(Default)]
pub(super) struct LanguageLoss {
    /// The weighted cross-entropy of the answers' tokens, `[1]`; `None` where there are no conversations.
    pub(super) value: Option<Tensor<1>>,
    pub(super) accuracy: Accuracy,
    /// The visual tokens before the first layer of the language model and after each, `[clips, M, D]`; empty where they were
    /// not wanted.
    pub(super) hidden_states: Vec<Tensor<3>>,
}

impl LanguageLoss {
    /// Reads the conversations about each clip.
    pub(super) fn new(
        model: &OneVision,
        visual: Option<&VisualTokens>,
        conversations: &[Vec<TokenizedConversation>],
        hidden_states: HiddenStates,
        device: &Device,
    ) -> Self {
        let mut flat: Vec<(usize, &TokenizedConversation)> = conversations
            .iter()
            .enumerate()
            .flat_map(|(clip, of_clip)| of_clip.iter().map(move |one| (clip, one)))
            .collect();
        flat.sort_by_key(|(_, conversation)| conversation.after.len());
        let mut cache = model.language.new_cache();
        let mut loss = Self::default();
        if let Some(visual) = visual {
            let before = flat.first().map_or(&[][..], |(_, conversation)| &conversation.before);
            let states = read_visual_tokens(model, visual, before, &mut cache);
            if hidden_states == HiddenStates::Keep {
                loss.hidden_states = states;
            }
        }
        let total: f32 = flat.iter().flat_map(|(_, conversation)| &conversation.weights).sum();
        // Conversations of similar length together, so that little is padded.
        for group in flat.chunk_by(|(_, a), (_, b)| length_class(a) == length_class(b)) {
            loss.read_group(model, &cache, group, total, device);
        }
        loss
    }

    /// Reads conversations side by side, each after its clip.
    fn read_group(
        &mut self,
        model: &OneVision,
        cache: &LanguageCache,
        group: &[(usize, &TokenizedConversation)],
        total: f32,
        device: &Device,
    ) {
        // The last id of a conversation is predicted, not read.
        let longest = group.iter().map(|(_, conversation)| conversation.after.len()).max();
        let length = longest.unwrap_or(0).max(2) - 1;
        let mut ids = Vec::with_capacity(group.len() * length);
        let (mut rows, mut targets, mut weights, mut owners) = (vec![], vec![], vec![], vec![]);
        for (index, (_, conversation)) in group.iter().enumerate() {
            let inputs = conversation.after.len().saturating_sub(1);
            ids.extend_from_slice(&conversation.after[..inputs]);
            // Padding comes last: causal attention hides it from everything before it, and it is not a target.
            ids.resize((index + 1) * length, 0);
            let answers = conversation.weights.iter().enumerate().skip(1).filter(|(_, w)| **w > 0.0);
            for (position, &weight) in answers {
                rows.push((index * length + position - 1) as u32);
                targets.push(conversation.after[position]);
                weights.push(weight);
                owners.push(index);
            }
        }
        let clips: Vec<usize> = group.iter().map(|(clip, _)| *clip).collect();
        let mut cache = if cache.is_empty() { cache.clone() } else { cache.select(&clips) };
        let embedded = model.language.embed(&ids); // [group * length, D]
        let [_, d] = embedded.dims();
        let embedded = embedded.reshape([group.len(), length, d]); // [group, length, D]
        let hidden = model.language.read_batch(embedded, &mut cache); // [group, length, D]
        let hidden = hidden.reshape([group.len() * length, d]); // [group * length, D]
        let logits = model.language.logits(hidden.select(0, indices(&rows, device))); // [targets, vocabulary]
        let mut outcomes = vec![Outcome::Right; group.len()];
        for ((predicted, target), &owner) in argmax_rows(&logits).iter().zip(&targets).zip(&owners) {
            if predicted != target {
                outcomes[owner] = Outcome::Wrong;
            }
        }
        for ((_, conversation), outcome) in group.iter().zip(outcomes) {
            self.accuracy.count(conversation.kind, outcome);
        }
        let share = weights.iter().sum::<f32>() / total.max(f32::MIN_POSITIVE);
        let loss = cross_entropy(logits, &targets, &weights) * share; // [1]
        self.value = Some(match self.value.take() {
            None => loss,
            Some(sum) => sum + loss,
        });
    }
}

/// Reads the ids before the visual tokens, these, and `image_newline` into the cache, and returns the visual tokens before the
/// first layer and after each, `[clips, M, D]`. The logits after the video are not needed; only the cache is.
fn read_visual_tokens(
    model: &OneVision,
    visual: &VisualTokens,
    before: &[u32],
    cache: &mut LanguageCache,
) -> Vec<Tensor<3>> {
    let [clips, count, d] = visual.tokens.dims();
    let first = before.len();
    let mut positions: Vec<usize> = Vec::with_capacity(clips * (first + count + 1));
    for of_clip in &visual.positions {
        positions.extend(0..first);
        positions.extend(of_clip.iter().map(|position| first + position));
        positions.push(first + visual.total);
    }
    let mut parts = Vec::new();
    if !before.is_empty() {
        parts.push(model.language.embed(before).unsqueeze::<3>().expand([clips, first, d]));
    }
    parts.push(visual.tokens.clone());
    parts.push(model.language.image_newline().reshape([1, 1, d]).expand([clips, 1, d]));
    let embedded = Tensor::cat(parts, 1); // [clips, first + M + 1, D]
    let states = model.language.read_states(embedded, &positions, cache);
    states.into_iter().map(|state| state.slice([0..clips, first..first + count, 0..d])).collect()
}

/// Conversations of one class differ in length by half at most.
fn length_class(conversation: &TokenizedConversation) -> usize {
    ((conversation.after.len().max(1) as f64).ln() / 1.5_f64.ln()) as usize
}
