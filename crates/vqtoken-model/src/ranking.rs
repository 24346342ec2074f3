//! How likely given answers are: for questions with options, without asking the model to write.

use crate::chat::Chat;
use crate::error::ModelError;
use crate::video_llm::{VideoLlm, VisualTokens};

/// Answers as a model judges them.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// For each answer the natural logarithm of the probability that the model writes exactly this, its end included.
    pub scores: Vec<f64>,
    /// Tokens of the prompt, the visual ones included.
    pub prompt_tokens: usize,
    /// Tokens of all answers together.
    pub answer_tokens: usize,
}

impl VideoLlm {
    /// The probabilities of given answers to the next question of a conversation. The prompt is read once.
    ///
    /// # Errors
    ///
    /// As [`Self::chat`], and if an answer has a mark that the tokenizer does not take.
    pub fn rank(
        &self,
        visual: Option<&VisualTokens>,
        chat: &Chat,
        answers: &[String],
    ) -> Result<Ranking, ModelError> {
        let prompt = self.chat_prompt(visual, chat)?;
        let [prompt_tokens, _] = prompt.dims();
        let mut cache = self.new_cache();
        let first = self.last_logits(prompt, &mut cache)?;
        let mut ranking = Ranking { scores: Vec::new(), prompt_tokens, answer_tokens: 0 };
        for answer in answers {
            let mut ids = self.tokenizer().encode(answer)?;
            ids.extend(self.end_tokens().first());
            ranking.answer_tokens += ids.len();
            let mut cache = cache.clone();
            let mut logits = first.clone();
            let mut score = 0.0;
            for (index, &id) in ids.iter().enumerate() {
                score += log_probability(&logits, id);
                if index + 1 < ids.len() {
                    logits = self.logits_behind_token(id, &mut cache)?;
                }
            }
            ranking.scores.push(score);
        }
        Ok(ranking)
    }
}

fn log_probability(logits: &[f32], id: u32) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - most).exp()).sum();
    logits.get(id as usize).map_or(f64::NEG_INFINITY, |&logit| f64::from(logit - most) - sum.ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one() {
        let logits = [0.5, -1.0, 300.0, 299.0];
        let sum: f64 = (0..4).map(|id| log_probability(&logits, id).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        assert!((log_probability(&logits, 2) - log_probability(&logits, 3) - 1.0).abs() < 1e-9);
        assert_eq!(log_probability(&logits, 4), f64::NEG_INFINITY);
    }
}
