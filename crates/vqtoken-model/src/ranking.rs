//! How likely given answers are: for questions with options, without asking the model to write.

use burn::tensor::Tensor;
use vqtoken_nn::kernel_ops::in_pool;

use crate::chat::Chat;
use crate::error::ModelError;
use crate::language::LanguageCache;
use crate::video_llm::{VideoLlm, VisualTokens, to_vec};

/// Visual tokens that the language model has read, up to where a question follows: any number of first questions can be
/// asked behind them.
#[derive(Clone, Debug)]
pub struct Watched {
    cache: LanguageCache,
    /// Positions read, the visual ones included; 0 without a video.
    count: usize,
}

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
    /// Reads visual tokens once for many questions; nothing is read where there is no video.
    ///
    /// # Errors
    ///
    /// As [`Self::chat`].
    pub fn watch(&self, visual: Option<&VisualTokens>) -> Result<Watched, ModelError> {
        let mut watched = Watched { cache: self.new_cache(), count: 0 };
        if let Some(visual) = visual {
            // What stands before the video is the same for every question.
            let (before, _) = self.chat_ids(&Chat::new("?"), true)?;
            let embeddings = self.prompt(&before, Some(visual), &[])?;
            [watched.count, _] = embeddings.dims();
            in_pool(|| self.modules().read(embeddings, &mut watched.cache));
        }
        Ok(watched)
    }

    /// The probabilities of given answers to a first question. All answers are read side by side.
    ///
    /// # Errors
    ///
    /// As [`Self::chat`], and if an answer has a mark that the tokenizer does not take.
    pub fn rank(&self, watched: &Watched, question: &str, answers: &[String]) -> Result<Ranking, ModelError> {
        let (before, after) = self.chat_ids(&Chat::new(question), watched.count > 0)?;
        let rest = if watched.count > 0 { after } else { before };
        let mut cache = watched.cache.clone();
        let first = self.last_logits(self.prompt(&[], None, &rest)?, &mut cache)?;
        let ids = answers.iter().map(|answer| {
            let ids = self.tokenizer().encode(answer)?;
            Ok(ids.into_iter().chain(self.end_tokens().first().copied()).collect())
        });
        let ids = ids.collect::<Result<Vec<Vec<u32>>, ModelError>>()?;
        let longest = ids.iter().map(Vec::len).max().unwrap_or(0);
        let (tokens, limit) = (watched.count + rest.len() + longest, self.config().text.max_positions);
        if tokens > limit {
            return Err(ModelError::PromptTooLong { tokens, limit });
        }
        let behind = match longest {
            0 | 1 => Vec::new(),
            longest => self.logits_side_by_side(&ids, longest - 1, &cache)?,
        };
        let score = |(answer, ids): (usize, &Vec<u32>)| {
            let logits = |place: usize| match place {
                0 => &first[..],
                place => &behind[(answer * (longest - 1) + place - 1) * first.len()..][..first.len()],
            };
            ids.iter().enumerate().map(|(place, &id)| log_probability(logits(place), id)).sum()
        };
        Ok(Ranking {
            scores: ids.iter().enumerate().map(score).collect(),
            prompt_tokens: watched.count + rest.len(),
            answer_tokens: ids.iter().map(Vec::len).sum(),
        })
    }

    /// Logits behind each of the first `length` tokens of some texts, `[texts, length, vocabulary]`. What fills up a shorter
    /// one stands behind its end and changes nothing before it.
    fn logits_side_by_side(
        &self,
        texts: &[Vec<u32>],
        length: usize,
        cache: &LanguageCache,
    ) -> Result<Vec<f32>, ModelError> {
        let padded =
            texts.iter().flat_map(|ids| ids.iter().copied().chain(std::iter::repeat(0)).take(length));
        let padded: Vec<u32> = padded.collect();
        in_pool(|| {
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
