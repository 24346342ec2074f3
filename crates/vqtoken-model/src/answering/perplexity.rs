//! How well a language model expects a text: what a precision costs shows here before it shows in answers.

use super::language_side::LanguageSide;
use crate::error::ModelError;

impl LanguageSide {
    /// The cross-entropy of each token of a text after those before it, in nats, `[ids.len() - 1]`. The exponential of their mean is the
    /// perplexity. Memory grows with `ids.len()` times the vocabulary.
    ///
    /// # Errors
    ///
    /// If an id is outside the vocabulary, or there are none or more than the model has positions for.
    pub fn losses(&self, ids: &[u32]) -> Result<Vec<f64>, ModelError> {
        let limit = self.config().max_positions;
        if ids.len() > limit {
            return Err(ModelError::PromptTooLong { tokens: ids.len(), limit });
        }
        let logits = self.logits(ids, None, &[])?; // [ids.len(), vocabulary]
        let rows = logits.chunks_exact(self.config().vocabulary);
        Ok(rows.zip(&ids[1..]).map(|(row, &next)| loss(row, next)).collect())
    }
}

/// `-log softmax(logits)[id]`.
fn loss(logits: &[f32], id: u32) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - largest).exp()).sum();
    sum.ln() - f64::from(logits[id as usize] - largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_leave_the_choice_among_all() {
        assert!((loss(&[3.0; 5], 2) - 5_f64.ln()).abs() < 1e-12);
        assert!(loss(&[100.0, 0.0], 0) < 1e-40);
        assert!((loss(&[1000.0, 0.0], 1) - 1000.0).abs() < 1e-9);
    }
}
