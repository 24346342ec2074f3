//! The token retriever: texts, windows of videos and single codes as vectors of one space, from video tokens alone.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use vqtoken_core::VideoTokens;
use vqtoken_files::Limits;
use vqtoken_nn::{Precision, in_thread_pool};
use vqtoken_video::Cancellation;

use super::code_attention::CodeAttention;
use super::embedded_texts::EmbeddedTexts;
use super::retrieval_files::{RETRIEVAL, RetrievalFiles, RetrievalTokenizer};
use super::scoring::Scoring;
use super::text_ids::TextIds;
use super::token_modules::{TokenRetrieverConfig, TokenRetrieverModules};
use super::token_reranker::TokenReranker;
use super::vectors::normalize_rows;
use super::windows::CodeWindow;
use crate::checkpoint::{Checkpoint, Filler, packed_bytes};
use crate::error::ModelError;
use crate::tensors::to_vec;

/// Windows of as many codes and frames that go through the tower together.
const WINDOWS_AT_ONCE: usize = 32;

/// Compares texts with windows of videos, and with their codes, from video tokens alone: no frame and no language model is needed.
/// Clones share its weights.
///
/// `E` is the number of features of its vectors. It belongs to one model, whose VQ-attention it shares.
#[derive(Clone, Debug)]
pub struct TokenRetriever {
    id: String,
    config: TokenRetrieverConfig,
    tokenizer: RetrievalTokenizer,
    attention: CodeAttention,
    modules: TokenRetrieverModules,
    scoring: Scoring,
    reranker: Option<TokenReranker>,
    cancellation: Cancellation,
}

/// The vectors of a window's codes.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct EmbeddedCodes {
    /// The codes that occur in the window, as indices into the whole codebook, `[K']`, ascending.
    pub codes: Vec<usize>,
    /// The vector of each, `[K', E]`, of length 1.
    pub vectors: Vec<f32>,
}

impl TokenRetriever {
    /// The token retriever of a model directory: its folder `retrieval`, and the reranker in its folder `reranking` if there is one.
    ///
    /// # Errors
    ///
    /// If the model cannot be read or has no such folder, or they do not belong together.
    pub fn load(model: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::load_within(model, &Limits::default())
    }

    /// [`Self::load`] where each text file, and the header of each weight file, may have [`Limits::bytes`].
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_within(model: impl AsRef<Path>, limits: &Limits) -> Result<Self, ModelError> {
        let model = model.as_ref();
        let files = RetrievalFiles::open_within(&model.join(RETRIEVAL), limits)?;
        let retriever = Self::from_files(&Checkpoint::open_with(model, None, limits)?, &files)?;
        Ok(Self { reranker: TokenReranker::load_within(model, limits)?, ..retriever })
    }

    /// The token retriever in the folder `retrieval`, wherever that is, of a model directory.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_from(model: impl AsRef<Path>, retrieval: impl AsRef<Path>) -> Result<Self, ModelError> {
        let files = RetrievalFiles::open(retrieval.as_ref())?;
        Self::from_files(&Checkpoint::open(model)?, &files)
    }

    /// The token retriever of an opened checkpoint and of the files beside it.
    ///
    /// # Errors
    ///
    /// If they do not belong together, or a tensor cannot be read or holds values that are not finite.
    pub fn from_files(checkpoint: &Checkpoint, files: &RetrievalFiles) -> Result<Self, ModelError> {
        let config = TokenRetrieverConfig::parse(&files.config_file(), &files.config)?;
        let attention = CodeAttention::of(checkpoint, files, &config.model, config.code_features)?;
        let tokenizer_file = checkpoint.files().place.join("tokenizer.json");
        let tokenizer =
            RetrievalTokenizer::new(&tokenizer_file, &checkpoint.files().tokenizer, &config.text())?;
        let layers = config.text_layers + config.code_layers;
        let mut modules = files.fill(layers, || TokenRetrieverModules::new(&config, &Device::flex()))?;
        let mut filler = Filler::new(&files.weights);
        filler.pack(&mut modules, Precision::F32);
        filler.finish(|_| true)?;
        let scoring = modules.scoring()?;
        let name = checkpoint.id().rsplit_once('@').map_or(checkpoint.id(), |(name, _)| name);
        Ok(Self {
            id: format!("{name}-retrieval@{:08x}", checksum(checkpoint, files)?),
            config,
            tokenizer,
            attention,
            modules,
            scoring,
            reranker: None,
            cancellation: Cancellation::default(),
        })
    }

    /// The same with a flag that ends whatever it computes with [`ModelError::Cancelled`] once it is set.
    #[must_use]
    pub fn with_cancellation(self, cancellation: Cancellation) -> Self {
        let reranker = self.reranker.map(|reranker| reranker.with_cancellation(cancellation.clone()));
        Self { cancellation, reranker, ..self }
    }

    /// The same with what orders anew the videos that it finds.
    #[must_use]
    pub fn with_reranker(self, reranker: TokenReranker) -> Self {
        Self { reranker: Some(reranker.with_cancellation(self.cancellation.clone())), ..self }
    }

    /// For each video the mean of the logit that its vectors have given and of the reranker's, `[videos]`: each of the two readers is wrong about
    /// other videos. Without a reranker, the logits themselves.
    ///
    /// # Errors
    ///
    /// As [`TokenReranker::logits`].
    pub fn rerank(
        &self,
        text: &str,
        videos: &[&VideoTokens],
        logits: &[f32],
    ) -> Result<Vec<f32>, ModelError> {
        assert_eq!(videos.len(), logits.len(), "a logit for each video");
        let Some(reranker) = &self.reranker else { return Ok(logits.to_vec()) };
        let read = reranker.logits(text, videos)?;
        Ok(read.into_iter().zip(logits).map(|(read, logit)| 0.5 * (read + logit)).collect())
    }

    /// What orders anew the videos that it finds, if there is one.
    pub fn reranker(&self) -> Option<&TokenReranker> {
        self.reranker.as_ref()
    }

    /// Names the space of the vectors, by a checksum of all weights that they depend on: vectors can be compared if their retrievers
    /// have the same id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The model whose video tokens it reads.
    pub fn model(&self) -> &str {
        &self.config.model
    }

    /// The shape of its towers.
    pub fn config(&self) -> &TokenRetrieverConfig {
        &self.config
    }

    /// Features of a vector (E).
    pub fn features(&self) -> usize {
        self.config.features
    }

    /// Bytes of the packed weights.
    pub fn packed_bytes(&self) -> usize {
        packed_bytes(&self.modules)
    }

    /// How its vectors are compared.
    pub fn scoring(&self) -> Scoring {
        self.scoring
    }

    /// The ids of a text, cut and padded to what the text tower reads.
    ///
    /// # Errors
    ///
    /// If the tokenizer gives an id outside the vocabulary.
    pub fn text_ids(&self, text: &str) -> Result<TextIds, ModelError> {
        self.tokenizer.encode(text)
    }

    /// Vectors of texts, of length 1. An empty text has one, too.
    ///
    /// # Errors
    ///
    /// If the tokenizer gives an id outside the vocabulary, or it was [cancelled](Self::with_cancellation).
    pub fn embed_texts(&self, texts: &[&str]) -> Result<EmbeddedTexts, ModelError> {
        let length = self.tokenizer.length();
        let tower = |ids: &[u32]| {
            self.refuse_if_cancelled()?;
            in_thread_pool(|| to_vec(self.modules.embed_texts(ids, length)))
        };
        let mut embedded = EmbeddedTexts::of(texts, |text| self.text_ids(text), tower)?;
        normalize_rows(&mut embedded.vectors, self.features());
        Ok(embedded)
    }

    /// Vectors of windows, `[windows, E]`, of length 1. A window is a range of the sampled frames; it is read as if it were a video of
    /// its own, from the codes that occur in it.
    ///
    /// # Errors
    ///
    /// If another model made the video tokens, a range is empty or goes beyond the video, or it was
    /// [cancelled](Self::with_cancellation).
    pub fn embed_windows(
        &self,
        tokens: &VideoTokens,
        windows: &[Range<usize>],
    ) -> Result<Vec<f32>, ModelError> {
        let mut vectors = vec![0.0; windows.len() * self.features()];
        self.for_each_group(tokens, windows, |group, hidden| self.pool(group, hidden, &mut vectors))?;
        Ok(vectors)
    }

    /// Vectors of the codes of windows, each in the company of its window's other codes. The code whose vector is closest to a text's
    /// shows where in the picture that is: in the cells that the index map gives it.
    ///
    /// # Errors
    ///
    /// As [`Self::embed_windows`].
    pub fn embed_codes(
        &self,
        tokens: &VideoTokens,
        windows: &[Range<usize>],
    ) -> Result<Vec<EmbeddedCodes>, ModelError> {
        let mut codes = vec![EmbeddedCodes::default(); windows.len()];
        self.for_each_group(tokens, windows, |group, hidden| self.pool_each(group, hidden, &mut codes))?;
        Ok(codes)
    }

    /// Vectors of windows, as [`Self::embed_windows`] makes them, and of the codes of the first one, as [`Self::embed_codes`] does.
    ///
    /// # Errors
    ///
    /// As [`Self::embed_windows`].
    pub fn embed_windows_and_first_codes(
        &self,
        tokens: &VideoTokens,
        windows: &[Range<usize>],
    ) -> Result<(Vec<f32>, EmbeddedCodes), ModelError> {
        let mut vectors = vec![0.0; windows.len() * self.features()];
        let mut codes = vec![EmbeddedCodes::default()];
        self.for_each_group(tokens, windows, |group, hidden| {
            // Windows are in order within a group.
            if group[0].0 == 0 {
                self.pool_each(&group[..1], hidden.clone().narrow(0, 0, 1), &mut codes)?;
            }
            self.pool(group, hidden, &mut vectors)
        })?;
        Ok((vectors, codes.swap_remove(0)))
    }

    /// Writes the vectors of a group's windows where they belong among all `[windows, E]`. `hidden`: `[group, K, D]`.
    fn pool(
        &self,
        group: &[(usize, CodeWindow)],
        hidden: Tensor<3>,
        all: &mut [f32],
    ) -> Result<(), ModelError> {
        let mut rows = to_vec(self.modules.pool(hidden))?;
        normalize_rows(&mut rows, self.features());
        for ((index, _), row) in group.iter().zip(rows.chunks_exact(self.features())) {
            all[index * self.features()..][..row.len()].copy_from_slice(row);
        }
        Ok(())
    }

    /// Writes the vectors of the codes of a group's windows where they belong among those of all windows. `hidden`: `[group, K, D]`.
    fn pool_each(
        &self,
        group: &[(usize, CodeWindow)],
        hidden: Tensor<3>,
        all: &mut [EmbeddedCodes],
    ) -> Result<(), ModelError> {
        let mut rows = to_vec(self.modules.pool_each(hidden))?;
        normalize_rows(&mut rows, self.features());
        let size = rows.len() / group.len();
        for ((index, window), row) in group.iter().zip(rows.chunks_exact(size)) {
            all[*index] = EmbeddedCodes { codes: window.codes.clone(), vectors: row.to_vec() };
        }
        Ok(())
    }

    /// The code of a window that a text `[E]` is closest to, as an index into the whole codebook, and its logit; `None` of no codes. It is
    /// the best score of a window: a code stands for an object or a part of one, so who does what is not mixed up, while the vector of a
    /// whole window holds all that there is in few numbers.
    pub fn best_code(&self, text: &[f32], codes: &EmbeddedCodes) -> Option<(usize, f32)> {
        let logits = codes.vectors.chunks_exact(self.features()).map(|code| self.scoring.logit(text, code));
        codes.codes.iter().copied().zip(logits).max_by(|(_, a), (_, b)| a.total_cmp(b))
    }

    /// Hands on windows of as many frames and codes together, in order, with their codes that have read each other, `[group, K, D]`.
    fn for_each_group(
        &self,
        tokens: &VideoTokens,
        windows: &[Range<usize>],
        mut visit: impl FnMut(&[(usize, CodeWindow)], Tensor<3>) -> Result<(), ModelError> + Send,
    ) -> Result<(), ModelError> {
        self.attention.check_model(tokens)?;
        let mut groups: BTreeMap<[usize; 2], Vec<(usize, CodeWindow)>> = BTreeMap::new();
        for (index, frames) in windows.iter().enumerate() {
            let window = CodeWindow::cut(&tokens.codebook, &tokens.index_map, frames.clone())?;
            let size = [window.index_map.shape().frames, window.codes.len()];
            groups.entry(size).or_default().push((index, window));
        }
        for group in groups.values().flat_map(|group| group.chunks(WINDOWS_AT_ONCE)) {
            self.refuse_if_cancelled()?;
            let windows: Vec<_> = group.iter().map(|(_, window)| window).collect();
            in_thread_pool(|| visit(group, self.modules.read_codes(self.attention.attend(&windows)?)))?;
        }
        Ok(())
    }

    fn refuse_if_cancelled(&self) -> Result<(), ModelError> {
        if self.cancellation.is_cancelled() { Err(ModelError::Cancelled) } else { Ok(()) }
    }
}

/// CRC-32 of the values that vectors depend on: of both towers, of the VQ-attention, and of the vision side by its own checksum.
fn checksum(checkpoint: &Checkpoint, files: &RetrievalFiles) -> Result<u32, ModelError> {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(checkpoint.id().rsplit('@').next().unwrap_or_default().as_bytes());
    let attention = checkpoint.weights().names().filter(|name| name.starts_with("vq_attention."));
    let own = files.weights.names().map(|name| (&files.weights, name));
    for (weights, name) in attention.map(|name| (checkpoint.weights(), name)).chain(own) {
        checksum.update(name.as_bytes());
        let values = weights.read(name)?.unwrap_or_default();
        checksum.update(bytemuck::cast_slice(&values));
    }
    Ok(checksum.finalize())
}

#[cfg(test)]
pub(super) mod tests {
    use vqtoken_core::{Budget, Codebook, GridShape, IndexMap};

    use super::*;
    use crate::retrieval::error::RetrievalError;
    use crate::retrieval::vectors::cosine;

    /// Six frames in which codes 0 and 1 move and code 3 comes late, of the model that the retriever belongs to.
    pub(in crate::retrieval) fn tokens(retriever: &TokenRetriever, order: [u32; 4]) -> VideoTokens {
        let shape = GridShape { frames: 6, height: 5, width: 5 };
        let label = |cell: usize| {
            let (frame, row, column) = (cell / 25, cell / 5 % 5, cell % 5);
            let code = match (row, column) {
                (1, column) if column == frame % 5 => 0,
                (3, column) if column + frame % 5 == 4 => 1,
                (4, 4) if frame >= 4 => 3,
                _ => 2,
            };
            order[code]
        };
        let labels = (0..150).map(label).collect();
        let mut rows = vec![0.0; 4 * 128];
        for (code, &at) in order.iter().enumerate() {
            let row = &mut rows[at as usize * 128..][..128];
            let length = row.len();
            row.iter_mut()
                .enumerate()
                .for_each(|(i, x)| *x = ((i * (code + 2)) as f32).sin() / (length as f32).sqrt());
        }
        VideoTokens {
            codebook: Codebook::new(4, 128, rows).unwrap(),
            index_map: IndexMap::new(shape, 4, labels).unwrap(),
            timestamps: (0..6).map(f64::from).collect(),
            model: retriever.model().to_owned(),
            source: None,
            budget: Budget::Fixed(4),
            windows: None,
            quality: Default::default(),
        }
    }

    fn distance(a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn vectors_do_not_depend_on_numbers_of_codes_or_on_company() {
        let retriever = TokenRetriever::embedded().unwrap();
        let windows = [0..6, 0..3, 2..5, 1..4, 5..6];
        let usual = tokens(&retriever, [0, 1, 2, 3]);
        let vectors = retriever.embed_windows(&usual, &windows).unwrap();
        let renumbered = retriever.embed_windows(&tokens(&retriever, [2, 0, 3, 1]), &windows).unwrap();
        // Sums in another order.
        assert!(distance(&vectors, &renumbered) < 1e-4);
        for (index, window) in windows.iter().enumerate() {
            let alone = retriever.embed_windows(&usual, std::slice::from_ref(window)).unwrap();
            let row = &vectors[index * retriever.features()..][..retriever.features()];
            assert!(distance(row, &alone) < 1e-5);
            assert!((cosine(row, row) - 1.0).abs() < 1e-5);
        }
        assert!(distance(&vectors[..256], &vectors[256..512]) > 1e-3, "windows differ");
    }

    #[test]
    fn a_window_has_the_vectors_of_its_codes() {
        let retriever = TokenRetriever::embedded().unwrap();
        let usual = tokens(&retriever, [0, 1, 2, 3]);
        let found = retriever.embed_codes(&usual, &[0..4, 0..6]).unwrap();
        assert_eq!(
            (found[0].codes.as_slice(), found[1].codes.as_slice()),
            (&[0, 1, 2][..], &[0, 1, 2, 3][..])
        );
        assert_eq!(found[0].vectors.len(), 3 * retriever.features());
        let text = retriever.embed_texts(&["a red circle moves right"]).unwrap();
        let (code, logit) = retriever.best_code(&text.vectors, &found[1]).unwrap();
        let row = &found[1].vectors[code * retriever.features()..][..retriever.features()];
        assert_eq!(logit, retriever.scoring().logit(&text.vectors, row));
        let score = retriever.scoring().score(&text.vectors, row);
        assert!((score - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6);
    }

    #[test]
    fn texts_are_read_in_lower_case_and_cuts_are_told() {
        let retriever = TokenRetriever::embedded().unwrap();
        let long = "a red circle moves left ".repeat(20);
        let texts = retriever.embed_texts(&["A red Circle", " a red circle", &long, ""]).unwrap();
        let row = |index: usize| &texts.vectors[index * retriever.features()..][..retriever.features()];
        assert_eq!(row(0), row(1));
        assert_eq!(&texts.tokens_cut[..2], [0, 0]);
        assert!(texts.tokens_cut[2] > 50 && texts.tokens_cut[3] == 0);
    }

    #[test]
    fn tokens_of_another_model_and_windows_outside_are_refused() {
        let retriever = TokenRetriever::embedded().unwrap();
        let usual = tokens(&retriever, [0, 1, 2, 3]);
        let other = VideoTokens { model: "mini@00000000".to_owned(), ..usual.clone() };
        let error = retriever.embed_windows(&other, std::slice::from_ref(&(0..6))).unwrap_err();
        assert!(matches!(error, ModelError::OtherModel { .. }), "{error}");
        for window in [0..7, 3..3] {
            let error = retriever.embed_windows(&usual, &[window]).unwrap_err();
            assert!(matches!(error, ModelError::Retrieval(RetrievalError::Window { .. })), "{error}");
        }
        assert!(retriever.id().starts_with("mini-retrieval@"), "{}", retriever.id());
    }
}
