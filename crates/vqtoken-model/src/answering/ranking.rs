//! How likely given answers are: for questions with options, without asking the model to write.

use burn::tensor::Tensor;
use vqtoken_nn::in_thread_pool;

use super::language_side::LanguageSide;
use super::prefill::PrefilledVideo;
use crate::error::ModelError;
use crate::language::LanguageCache;
use crate::tensors::to_vec;
use crate::text::{Chat, VideoInPrompt};

/// Likelihoods of given answers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ranking {
    /// For each answer the natural logarithm of the probability that the model writes exactly this, its end included.
    pub scores: Vec<f64>,
    /// Tokens of the prompt, the visual ones included.
    pub prompt_tokens: usize,
    /// Tokens of all answers together.
    pub answer_tokens: usize,
}

impl LanguageSide {
    /// The likelihoods of given answers to a first question. All answers are read as one batch.
    ///
    /// # Errors
    ///
    /// As [`Self::chat`], and if the tokenizer does not take an answer.
    pub fn rank(
        &self,
        video: &PrefilledVideo,
        question: &str,
        answers: &[String],
    ) -> Result<Ranking, ModelError> {
        let (before, after) = self.chat_ids(&Chat::new(question), video.video)?;
        let rest = match video.video {
            VideoInPrompt::Present => after,
            VideoInPrompt::Absent => before,
        };
        let mut cache = video.cache.clone();
        let first = self.logits_after_tokens(&rest, &mut cache)?;
        let ids = answers.iter().map(|answer| {
            let ids = self.tokenizer().encode(answer)?;
            Ok(ids.into_iter().chain(self.end_tokens().first().copied()).collect())
        });
        let ids = ids.collect::<Result<Vec<Vec<u32>>, ModelError>>()?;
        let longest = ids.iter().map(Vec::len).max().unwrap_or(0);
        let (tokens, limit) = (cache.position() + longest, self.config().max_positions);
        if tokens > limit {
            return Err(ModelError::PromptTooLong { tokens, limit });
        }
        let following = match longest {
            0 | 1 => Vec::new(),
            longest => self.batch_logits(&ids, longest - 1, &cache)?,
        };
        let score = |(answer, ids): (usize, &Vec<u32>)| {
            let logits = |index: usize| match index {
                0 => &first[..],
                index => &following[(answer * (longest - 1) + index - 1) * first.len()..][..first.len()],
            };
            ids.iter().enumerate().map(|(index, &id)| log_probability(logits(index), id)).sum()
        };
        Ok(Ranking {
            scores: ids.iter().enumerate().map(score).collect(),
            prompt_tokens: video.tokens + rest.len(),
            answer_tokens: ids.iter().map(Vec::len).sum(),
        })
    }

    /// Logits after each of the first `length` tokens of some texts, `[texts, length, vocabulary]`. Padding after a shorter
    /// text changes nothing before it.
    fn batch_logits(
        &self,
        texts: &[Vec<u32>],
        length: usize,
        cache: &LanguageCache,
    ) -> Result<Vec<f32>, ModelError> {
        let padded =
            texts.iter().flat_map(|ids| ids.iter().copied().chain(std::iter::repeat(0)).take(length));
        let padded: Vec<u32> = padded.collect();
        in_thread_pool(|| {
            let mut cache = cache.select(&vec![0; texts.len()]);
            let embedded: Tensor<2> = self.modules().embed(&padded);
            let [_, d] = embedded.dims();
            let hidden = self.modules().read_batch(embedded.reshape([texts.len(), length, d]), &mut cache);
            to_vec(self.modules().logits(hidden.reshape([texts.len() * length, d])))
        })
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
