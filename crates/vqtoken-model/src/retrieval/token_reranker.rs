//! The token reranker: the facts that a text asks for are looked up among those that a video's codes know of their objects, which says
//! more of what is done and in which order than comparing vectors does. It orders anew what a
//! [`TokenRetriever`](crate::TokenRetriever) has found.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use vqtoken_core::VideoTokens;
use vqtoken_files::Limits;
use vqtoken_nn::{Precision, in_thread_pool};
use vqtoken_video::Cancellation;

use super::code_attention::CodeAttention;
use super::reranker_modules::{TokenRerankerConfig, TokenRerankerModules};
use super::retrieval_files::{RERANKING, RetrievalFiles, RetrievalTokenizer};
use super::seen_span::KnownTimes;
use super::windows::CodeWindow;
use crate::checkpoint::{Checkpoint, Filler, packed_bytes};
use crate::error::ModelError;
use crate::tensors::to_vec;

/// Videos of as many codes and frames that are read together.
const VIDEOS_AT_ONCE: usize = 16;

/// Says whether texts are true of videos, from video tokens alone. Clones share its weights.
///
/// It belongs to one model, whose VQ-attention it shares.
#[derive(Clone, Debug)]
pub struct TokenReranker {
    tokenizer: RetrievalTokenizer,
    attention: CodeAttention,
    modules: TokenRerankerModules,
    /// How many of the facts happen at a time.
    events: usize,
    cancellation: Cancellation,
}

impl TokenReranker {
    /// Videos that a search has it read for a text, at least: what a text is true of is hardly ever beyond them, and reading them takes well below
    /// a second.
    pub const VIDEOS: usize = 200;

    /// The token reranker of a model directory: its folder `reranking`. None where it has no such folder.
    ///
    /// # Errors
    ///
    /// If the model or the folder cannot be read, or they do not belong together.
    pub fn load_within(model: &Path, limits: &Limits) -> Result<Option<Self>, ModelError> {
        let folder = model.join(RERANKING);
        if !folder.is_dir() {
            return Ok(None);
        }
        let files = RetrievalFiles::open_within(&folder, limits)?;
        Self::from_files(&Checkpoint::open_with(model, None, limits)?, &files).map(Some)
    }

    /// The token reranker in the folder `reranking`, wherever that is, of a model directory.
    ///
    /// # Errors
    ///
    /// If one of them cannot be read, or they do not belong together.
    pub fn load_from(model: impl AsRef<Path>, reranking: impl AsRef<Path>) -> Result<Self, ModelError> {
        let files = RetrievalFiles::open(reranking.as_ref())?;
        Self::from_files(&Checkpoint::open(model)?, &files)
    }

    /// The token reranker of an opened checkpoint and of the files beside it.
    ///
    /// # Errors
    ///
    /// If they do not belong together, or a tensor cannot be read or holds values that are not finite.
    pub fn from_files(checkpoint: &Checkpoint, files: &RetrievalFiles) -> Result<Self, ModelError> {
        let config = TokenRerankerConfig::parse(&files.config_file(), &files.config)?;
        let attention = CodeAttention::of(checkpoint, files, &config.model, config.code_features)?;
        let tokenizer_file = checkpoint.files().place.join("tokenizer.json");
        let tokenizer =
            RetrievalTokenizer::new(&tokenizer_file, &checkpoint.files().tokenizer, &config.text())?;
        let layers = config.text_layers + config.code_layers;
        let mut modules = files.fill(layers, || TokenRerankerModules::new(&config, &Device::flex()))?;
        let mut filler = Filler::new(&files.weights);
        filler.pack(&mut modules, Precision::F32);
        filler.finish(|_| true)?;
        let (events, cancellation) = (config.events, Cancellation::default());
        Ok(Self { tokenizer, attention, modules, events, cancellation })
    }

    /// The same with a flag that ends whatever it computes with [`ModelError::Cancelled`] once it is set.
    #[must_use]
    pub(super) fn with_cancellation(self, cancellation: Cancellation) -> Self {
        Self { cancellation, ..self }
    }

    /// Bytes of the packed weights.
    pub fn packed_bytes(&self) -> usize {
        packed_bytes(&self.modules)
    }

    /// Whether it reads this model's video tokens: the vision side, which the part after `@` names, is the one it was trained with.
    pub fn reads_tokens_of(&self, model: &str) -> bool {
        self.attention.is_of(model)
    }

    /// For each video the logit of the probability that a text is true of it, `[videos]`. It does not depend on the other videos.
    ///
    /// # Errors
    ///
    /// If another model made the video tokens, the tokenizer gives an id outside the vocabulary, or the retriever was
    /// [cancelled](crate::TokenRetriever::with_cancellation).
    pub fn logits(&self, text: &str, videos: &[&VideoTokens]) -> Result<Vec<f32>, ModelError> {
        let (ids, length) = (self.tokenizer.encode(text)?.ids, self.tokenizer.length());
        let mut groups: BTreeMap<[usize; 2], Vec<(usize, CodeWindow)>> = BTreeMap::new();
        for (index, tokens) in videos.iter().enumerate() {
            self.attention.check_model(tokens)?;
            let frames = tokens.index_map.shape().frames;
            let window = CodeWindow::cut(&tokens.codebook, &tokens.index_map, 0..frames)?;
            groups.entry([frames, window.codes.len()]).or_default().push((index, window));
        }
        let wanted = in_thread_pool(|| self.modules.wanted(&ids, length)); // [1, 2, facts]
        let groups: Vec<_> = groups.values().flat_map(|group| group.chunks(VIDEOS_AT_ONCE)).collect();
        let read = |group: &&[(usize, CodeWindow)]| {
            if self.cancellation.is_cancelled() {
                return Err(ModelError::Cancelled);
            }
            let windows: Vec<_> = group.iter().map(|(_, window)| window).collect();
            let codes = self.attention.attend(&windows)?; // [videos, K, D]
            let wanted = Tensor::cat(vec![wanted.clone(); group.len()], 0); // [videos, 2, facts]
            to_vec(self.modules.logits(wanted, &self.modules.facts(codes)))
        };
        let found: Vec<Vec<f32>> = in_thread_pool(|| groups.par_iter().map(read).collect::<Result<_, _>>())?;
        let mut logits = vec![0.0; videos.len()];
        for (group, found) in groups.iter().zip(found) {
            for ((index, _), logit) in group.iter().zip(found) {
                logits[*index] = logit;
            }
        }
        Ok(logits)
    }

    /// From when to when a text is true of a video, in seconds, if it is. None where the text asks for no fact, or for some that are never
    /// seen together, and where the video has no length.
    ///
    /// # Errors
    ///
    /// As for [`Self::logits`].
    pub fn seconds(&self, text: &str, tokens: &VideoTokens) -> Result<Option<[f64; 2]>, ModelError> {
        let (ids, length) = (self.tokenizer.encode(text)?.ids, self.tokenizer.length());
        self.attention.check_model(tokens)?;
        let window =
            CodeWindow::cut(&tokens.codebook, &tokens.index_map, 0..tokens.index_map.shape().frames)?;
        let span = in_thread_pool(|| {
            let known = self.modules.facts(self.attention.attend(&[&window])?); // [1, K, ..]
            let wanted = to_vec(self.modules.wanted(&ids, length))?; // [1, 2, facts]
            let (holds, seen) = (to_vec(known.facts)?, to_vec(known.seen)?);
            let known = KnownTimes { wanted: &wanted, holds: &holds, seen: &seen, events: self.events };
            Ok::<_, ModelError>(known.span())
        })?;
        let (Some(first), Some(last)) = (tokens.timestamps.first(), tokens.timestamps.last()) else {
            return Ok(None);
        };
        let at = |fraction: f32| first + f64::from(fraction) * (last - first);
        Ok(span.map(|span| span.map(at)).filter(|[from, to]| from < to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::token_retriever::TokenRetriever;
    use crate::retrieval::token_retriever::tests::tokens;

    #[test]
    fn a_logit_does_not_depend_on_numbers_of_codes_or_on_other_videos() {
        let retriever = TokenRetriever::embedded().unwrap();
        let reranker = retriever.reranker().unwrap();
        let [usual, renumbered] = [[0, 1, 2, 3], [2, 0, 3, 1]].map(|order| tokens(&retriever, order));
        let text = "a red circle moves left";
        let together = reranker.logits(text, &[&usual, &renumbered, &usual]).unwrap();
        assert!((together[0] - together[1]).abs() < 1e-3, "{together:?}");
        assert_eq!(together[0], together[2]);
        assert_eq!(reranker.logits(text, &[&usual]).unwrap(), together[..1]);
        let other = reranker.logits("a green star leaves", &[&usual]).unwrap();
        assert!((other[0] - together[0]).abs() > 1e-2, "{other:?} {together:?}");
    }

    #[test]
    fn tokens_of_another_model_are_refused() {
        let retriever = TokenRetriever::embedded().unwrap();
        let other = VideoTokens { model: "mini@00000000".to_owned(), ..tokens(&retriever, [0, 1, 2, 3]) };
        let reranker = retriever.reranker().unwrap();
        assert!(!reranker.reads_tokens_of(&other.model));
        let error = reranker.logits("a red circle", &[&other]).unwrap_err();
        assert!(matches!(error, ModelError::OtherModel { .. }), "{error}");
    }

    #[test]
    fn nothing_is_read_once_nobody_waits() {
        let cancellation = Cancellation::default();
        let retriever = TokenRetriever::embedded().unwrap().with_cancellation(cancellation.clone());
        cancellation.cancel();
        let usual = tokens(&retriever, [0, 1, 2, 3]);
        let found = retriever.reranker().unwrap().logits("a red circle", &[&usual]);
        assert!(matches!(found, Err(ModelError::Cancelled)), "{found:?}");
    }
}
