//! The retriever: texts, pictures and parts of pictures as vectors of one space.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_nn::{Precision, in_thread_pool};
use vqtoken_video::{Cancellation, Frame, Pixels};

use super::embedded_texts::EmbeddedTexts;
use super::error::RetrievalError;
use super::modules::SiglipModules;
use super::preprocessor::Preprocessor;
use super::scoring::Scoring;
use super::text_ids::{TextIds, TextTokenizer};
use super::vectors::normalize_rows;
use crate::checkpoint::{SiglipCheckpoint, packed_bytes};
use crate::config::SiglipConfig;
use crate::encoding::FRAMES_AT_ONCE;
use crate::error::ModelError;
use crate::tensors::to_vec;

/// A whole SigLIP: compares texts with pictures, with parts of them and with the codes of a video. Clones share its weights.
///
/// `Dv` is the width of the vision tower's hidden states, `E` that of the vectors, `N` the patches of a picture.
#[derive(Clone, Debug)]
pub struct Retriever {
    id: String,
    config: SiglipConfig,
    preprocessor: Preprocessor,
    tokenizer: TextTokenizer,
    precision: Precision,
    modules: SiglipModules,
    scoring: Scoring,
    cancellation: Cancellation,
    device: Device,
}

impl Retriever {
    /// Loads a whole SigLIP, as [`SiglipCheckpoint::open`] finds it, in [`Precision::Auto`].
    ///
    /// # Errors
    ///
    /// If a file is missing or damaged, a tower or head is missing, or something in the checkpoint is not supported.
    pub fn load(model: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::load_as(model, Precision::Auto)
    }

    /// [Loads](Self::load) it in a precision.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_as(model: impl AsRef<Path>, precision: Precision) -> Result<Self, ModelError> {
        Self::from_checkpoint(&SiglipCheckpoint::open(model)?, precision)
    }

    /// The retriever of an opened checkpoint.
    ///
    /// # Errors
    ///
    /// If the tokenizer or the preprocessor does not fit, or a tensor cannot be read or holds values that are not finite.
    pub fn from_checkpoint(checkpoint: &SiglipCheckpoint, precision: Precision) -> Result<Self, ModelError> {
        let (config, files) = (checkpoint.config(), checkpoint.files());
        let precision = checkpoint.precision(precision);
        let tokenizer_file = files.place.join("tokenizer.json");
        let tokenizer = TextTokenizer::new(
            &tokenizer_file,
            &files.tokenizer,
            checkpoint.tokenizer_rules(),
            &config.text,
        )?;
        let preprocessor = Preprocessor::new(files, config.vision.image_size)?;
        let modules = checkpoint.build(precision)?;
        Ok(Self {
            id: checkpoint.id().to_owned(),
            config: config.clone(),
            preprocessor,
            tokenizer,
            precision,
            scoring: Scoring::of_parameters(modules.logit_scale.val(), modules.logit_bias.val())?,
            modules,
            cancellation: Cancellation::default(),
            device: Device::flex(),
        })
    }

    /// The same with a flag that ends whatever it computes with [`ModelError::Cancelled`] once it is set.
    #[must_use]
    pub fn with_cancellation(self, cancellation: Cancellation) -> Self {
        Self { cancellation, ..self }
    }

    /// Names the space of the vectors: vectors can be compared if their retrievers have the same id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The model's shape.
    pub fn config(&self) -> &SiglipConfig {
        &self.config
    }

    /// Features of a vector (E).
    pub fn features(&self) -> usize {
        self.config.text.embedding_size
    }

    /// Features of a hidden state of the vision tower (Dv).
    pub fn hidden_features(&self) -> usize {
        self.config.vision.hidden_size
    }

    /// Hidden states of a picture (N): its patches in rows from the top left.
    pub fn patches(&self) -> usize {
        self.config.vision.grid_side().pow(2)
    }

    /// The precision of the linear layers; never [`Precision::Auto`].
    pub fn precision(&self) -> Precision {
        self.precision
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
    /// As [`Self::pool_texts`].
    pub fn embed_texts(&self, texts: &[&str]) -> Result<EmbeddedTexts, ModelError> {
        let mut embedded = self.pool_texts(texts)?;
        normalize_rows(&mut embedded.vectors, self.features());
        Ok(embedded)
    }

    /// Vectors of texts as the text tower's head gives them.
    ///
    /// # Errors
    ///
    /// If the tokenizer gives an id outside the vocabulary, or it was [cancelled](Self::with_cancellation).
    pub fn pool_texts(&self, texts: &[&str]) -> Result<EmbeddedTexts, ModelError> {
        let length = self.tokenizer.length();
        let tower = |ids: &[u32]| {
            self.refuse_if_cancelled()?;
            in_thread_pool(|| to_vec(self.modules.text_model.forward(ids, length)))
        };
        EmbeddedTexts::of(texts, |text| self.text_ids(text), tower)
    }

    /// Pixel values of frames, `[T, 3, S, S]`, as the checkpoint's preprocessor makes them.
    pub fn pixels(&self, frames: &[Frame]) -> Pixels {
        self.preprocessor.pixels(frames)
    }

    /// Vectors of frames, `[T, E]`, of length 1.
    ///
    /// # Errors
    ///
    /// If the values cannot be read back, or it was [cancelled](Self::with_cancellation).
    pub fn embed_pictures(&self, frames: &[Frame]) -> Result<Vec<f32>, ModelError> {
        let mut vectors = Vec::with_capacity(frames.len() * self.features());
        for frames in frames.chunks(FRAMES_AT_ONCE) {
            vectors.extend(self.pool_pictures(&self.hidden_states(&self.pixels(frames))?)?);
        }
        normalize_rows(&mut vectors, self.features());
        Ok(vectors)
    }

    /// Hidden states of pixels `[T, 3, S, S]` after all layers and the last normalization: `[T, N, Dv]`, what the pooling head reads.
    ///
    /// # Errors
    ///
    /// If the pixels are of another size, or it was [cancelled](Self::with_cancellation).
    pub fn hidden_states(&self, pixels: &Pixels) -> Result<Vec<f32>, ModelError> {
        let size = self.preprocessor.size();
        let values = 3 * size * size;
        if pixels.size != size || pixels.data.len() != pixels.frames * values {
            let error = RetrievalError::Pixels {
                values: pixels.data.len(),
                frames: pixels.frames,
                size: pixels.size,
                expected: size,
            };
            return Err(error.into());
        }
        let mut hidden = Vec::new();
        for chunk in pixels.data.chunks(FRAMES_AT_ONCE * values) {
            let shape = [chunk.len() / values, 3, size, size];
            let chunk = Tensor::from_data(TensorData::new(chunk.to_vec(), shape), &self.device);
            let tower = &self.modules.vision_model;
            let computed = in_thread_pool(|| tower.hidden_states(&self.cancellation, chunk).map(to_vec));
            hidden.extend(computed.ok_or(ModelError::Cancelled)??);
        }
        Ok(hidden)
    }

    /// [`Self::hidden_states`] from the output `[T, N, Dv]` of the first `layers` layers, which a language model's vision side with the
    /// same weights computed ([`VisionSide::hidden_states`](crate::VisionSide::hidden_states),
    /// [`SiglipCheckpoint::layers_shared_with`]): only the remaining layers and the last normalization are run.
    ///
    /// # Errors
    ///
    /// If the values are not whole frames, this tower has fewer layers, or it was [cancelled](Self::with_cancellation).
    pub fn hidden_states_after(&self, layers: usize, states: &[f32]) -> Result<Vec<f32>, ModelError> {
        if layers > self.config.vision.layers {
            return Err(RetrievalError::Layers { given: layers, layers: self.config.vision.layers }.into());
        }
        let (patches, features) = (self.patches(), self.hidden_features());
        self.check_rows(states, states.len().div_ceil(patches * features) * patches)?;
        let mut hidden = Vec::with_capacity(states.len());
        for chunk in states.chunks(FRAMES_AT_ONCE * patches * features) {
            self.refuse_if_cancelled()?;
            let states = self.rows(chunk, patches);
            let tower = &self.modules.vision_model;
            hidden.extend(in_thread_pool(|| to_vec(tower.hidden_states_after(layers, states)))?);
        }
        Ok(hidden)
    }

    /// Vectors `[T, E]` of length 1 of frames whose first `layers` layers a vision side with the same weights computed, as for
    /// [`Self::hidden_states_after`].
    ///
    /// # Errors
    ///
    /// As [`Self::hidden_states_after`].
    pub fn embed_tower_states(&self, layers: usize, states: &[f32]) -> Result<Vec<f32>, ModelError> {
        let mut vectors = self.pool_pictures(&self.hidden_states_after(layers, states)?)?;
        normalize_rows(&mut vectors, self.features());
        Ok(vectors)
    }

    /// Pools each frame's hidden states `[T, N, Dv]` to `[T, E]`, as the head gives it.
    ///
    /// # Errors
    ///
    /// If the values are not whole frames.
    pub fn pool_pictures(&self, hidden: &[f32]) -> Result<Vec<f32>, ModelError> {
        let row = self.patches() * self.hidden_features();
        self.check_rows(hidden, hidden.len().div_ceil(row) * self.patches())?;
        let mut vectors = Vec::new();
        for frames in hidden.chunks(FRAMES_AT_ONCE * row) {
            vectors.extend(self.pool_sets(frames, self.patches())?);
        }
        Ok(vectors)
    }

    /// Pools `tokens` hidden states `[tokens, Dv]` together to one vector `[E]`, as the head gives it: those of a frame, of the frames of a
    /// second, or of one region.
    ///
    /// # Errors
    ///
    /// If there are none, or more or fewer values than that.
    pub fn pool_tokens(&self, hidden: &[f32], tokens: usize) -> Result<Vec<f32>, ModelError> {
        self.check_rows(hidden, tokens)?;
        self.refuse_if_cancelled()?;
        self.pool_sets(hidden, tokens)
    }

    /// Pools each of `[K, Dv]` hidden states alone to `[K, E]`, as the head gives it. A code that is the mean of the hidden states of its
    /// cells gets a place among the texts.
    ///
    /// # Errors
    ///
    /// If the values are not whole rows.
    pub fn pool_each(&self, codes: &[f32]) -> Result<Vec<f32>, ModelError> {
        self.check_rows(codes, codes.len().div_ceil(self.hidden_features()))?;
        self.refuse_if_cancelled()?;
        self.pool_sets(codes, 1)
    }

    /// Pools each `n` of the rows of `hidden`.
    fn pool_sets(&self, hidden: &[f32], n: usize) -> Result<Vec<f32>, ModelError> {
        let sets = self.rows(hidden, n);
        in_thread_pool(|| to_vec(self.modules.vision_model.pool(sets)))
    }

    /// `[sets, n, Dv]`
    fn rows(&self, hidden: &[f32], n: usize) -> Tensor<3> {
        let features = self.hidden_features();
        let shape = [hidden.len() / (n * features), n, features];
        Tensor::from_data(TensorData::new(hidden.to_vec(), shape), &self.device)
    }

    /// That `hidden` is `rows` hidden states and at least one.
    fn check_rows(&self, hidden: &[f32], rows: usize) -> Result<(), RetrievalError> {
        let features = self.hidden_features();
        match rows > 0 && rows.checked_mul(features) == Some(hidden.len()) {
            true => Ok(()),
            false => Err(RetrievalError::HiddenStates { values: hidden.len(), rows, features }),
        }
    }

    fn refuse_if_cancelled(&self) -> Result<(), ModelError> {
        if self.cancellation.is_cancelled() { Err(ModelError::Cancelled) } else { Ok(()) }
    }
}
