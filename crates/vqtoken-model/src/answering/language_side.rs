//! The language side of a model: what reads video tokens and words, and writes words.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::{Codebook, IndexMap, Reducer, TokenGrid, VideoTokens, pool_bilinear};
use vqtoken_nn::Precision;
use vqtoken_nn::in_thread_pool;

use super::prompt::PromptEmbeddings;
use super::visual_tokens::VisualTokens;
use crate::checkpoint::{Checkpoint, ModelFiles, packed_bytes, random_id, random_precision, randomize};
use crate::config::{OneVisionConfig, TextConfig, TrainedInput};
use crate::error::ModelError;
use crate::language::{LanguageCache, LanguageModules};
use crate::tensors::to_vec;
use crate::text::{Chat, ChatTemplate, MarkedPrompt, Tokenizer, VideoInPrompt};

/// VQ-attention, language model, tokenizer and chat template. Clones share their weights.
#[derive(Clone, Debug)]
pub struct LanguageSide {
    id: String,
    config: TextConfig,
    modules: LanguageModules,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    end_tokens: Vec<u32>,
    trained_input: TrainedInput,
    precision: Precision,
    device: Device,
}

impl LanguageSide {
    /// Loads the language side of a model, as [`Checkpoint::open`] finds it, in [`Precision::Auto`].
    ///
    /// # Errors
    ///
    /// If a file is missing or damaged, or configuration and tensors do not belong together.
    pub fn load(model: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::load_as(model, Precision::Auto)
    }

    /// [Loads](Self::load) it in a precision.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_as(model: impl AsRef<Path>, precision: Precision) -> Result<Self, ModelError> {
        Self::from_checkpoint(&Checkpoint::open(model)?, precision)
    }

    /// The language side of an opened checkpoint.
    ///
    /// # Errors
    ///
    /// If a tensor cannot be read or holds values that are not finite, or the tokenizer does not fit.
    pub fn from_checkpoint(checkpoint: &Checkpoint, precision: Precision) -> Result<Self, ModelError> {
        let precision = checkpoint.precision(precision);
        let modules = LanguageModules::new(checkpoint.config(), &Device::flex());
        let modules = checkpoint.build(modules, precision)?;
        Self::new(checkpoint.id(), checkpoint.config(), checkpoint.files(), precision, modules)
    }

    /// A language side of random weights, to measure what a real one of that shape would cost.
    ///
    /// # Errors
    ///
    /// If the tokenizer of `files` does not fit the configuration.
    pub fn random(
        name: &str,
        config: &OneVisionConfig,
        files: &ModelFiles,
        precision: Precision,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let precision = random_precision(precision)?;
        let modules = randomize(LanguageModules::new(config, &Device::flex()), precision, seed)?;
        Self::new(&random_id(name, seed), config, files, precision, modules)
    }

    fn new(
        id: &str,
        config: &OneVisionConfig,
        files: &ModelFiles,
        precision: Precision,
        modules: LanguageModules,
    ) -> Result<Self, ModelError> {
        let tokenizer_file = files.place.join("tokenizer.json");
        let vocabulary = config.text.vocabulary;
        let tokenizer = Tokenizer::from_bytes(&tokenizer_file, &files.tokenizer, vocabulary)?;
        files.template.check()?;
        Ok(Self {
            id: id.to_owned(),
            modules,
            end_tokens: end_tokens(files, config, &tokenizer)?,
            tokenizer,
            template: files.template.clone(),
            trained_input: config.trained_input(),
            config: config.text.clone(),
            precision,
            device: Device::flex(),
        })
    }

    /// Names the model whose video tokens it reads: a name and a checksum of the vision side.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The language model's shape.
    pub fn config(&self) -> &TextConfig {
        &self.config
    }

    /// What the language model was trained to read in place of a video.
    pub fn trained_input(&self) -> TrainedInput {
        self.trained_input
    }

    /// The precision of the linear layers; never [`Precision::Auto`].
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Bytes of the packed weights, all of which are read for every generated token.
    pub fn packed_bytes(&self) -> usize {
        packed_bytes(&self.modules)
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Tokens that end an answer.
    pub fn end_tokens(&self) -> &[u32] {
        &self.end_tokens
    }

    /// Visual tokens of video tokens: the codes with their motion written in by the VQ-attention, or the bare codes if
    /// the checkpoint has none.
    ///
    /// # Errors
    ///
    /// If another model made the video tokens.
    pub fn visual_tokens(&self, tokens: &VideoTokens) -> Result<VisualTokens, ModelError> {
        if checksum_of(&tokens.model) != checksum_of(&self.id) {
            return Err(ModelError::OtherModel { found: tokens.model.clone(), expected: self.id.clone() });
        }
        self.attend(&tokens.codebook, &tokens.index_map)
    }

    /// Visual tokens of a codebook and an index map, whoever made them.
    ///
    /// # Errors
    ///
    /// If the codes have another number of features, they do not fit the VQ-attention, or they give more visual tokens than the
    /// language model can read.
    pub fn attend(&self, codebook: &Codebook, index_map: &IndexMap) -> Result<VisualTokens, ModelError> {
        let tokens = self.modules.visual_token_count(codebook.codes(), index_map.shape().frames);
        let limit = self.config.max_positions;
        if tokens >= limit {
            return Err(ModelError::PromptTooLong { tokens, limit });
        }
        let codes = self.tensor(codebook.data(), codebook.dim())?;
        Ok(VisualTokens::new(in_thread_pool(|| self.modules.visual_tokens(codes, index_map))?))
    }

    /// Visual tokens of a token grid by any reducer, at the positions that it keeps; codes, where it gives some, go through the
    /// VQ-attention.
    ///
    /// # Errors
    ///
    /// If the reducer refuses the grid, or its tokens have another number of features.
    pub fn reduce(&self, grid: &TokenGrid, reducer: &dyn Reducer) -> Result<VisualTokens, ModelError> {
        let reduction = reducer.reduce(grid)?;
        match &reduction.quantization {
            Some(quantization) => self.attend(&quantization.codebook, &quantization.index_map),
            None => {
                let tokens = self.tokens_of(reduction.tokens.data(), reduction.tokens.dim())?;
                tokens.at_positions(reduction.positions, reduction.sequence_length)
            }
        }
    }

    /// The unreduced baseline: every frame's grid pooled to half its sides, as LLaVA-OneVision does.
    ///
    /// # Errors
    ///
    /// If the grid cannot be pooled, or its tokens have another number of features.
    pub fn pool(&self, grid: &TokenGrid) -> Result<VisualTokens, ModelError> {
        let pooled = pool_bilinear(grid)?;
        self.tokens_of(pooled.data(), pooled.dim())
    }

    /// Visual tokens from values `[M, D]` of any origin, read one after the other.
    ///
    /// # Errors
    ///
    /// If `d` is not the language model's width, or does not divide the values.
    pub fn tokens_of(&self, values: &[f32], d: usize) -> Result<VisualTokens, ModelError> {
        Ok(VisualTokens::new(self.tensor(values, d)?))
    }

    fn tensor(&self, values: &[f32], d: usize) -> Result<Tensor<2>, ModelError> {
        if d != self.config.hidden_size || values.is_empty() || !values.len().is_multiple_of(d) {
            return Err(ModelError::VisualTokens {
                values: values.len(),
                d,
                expected: self.config.hidden_size,
            });
        }
        let data = TensorData::new(values.to_vec(), [values.len() / d, d]);
        Ok(Tensor::from_data(data, &self.device))
    }

    /// Logits at every position of a prompt of token ids with visual tokens between them, `[positions, vocabulary]`.
    ///
    /// # Errors
    ///
    /// If the prompt is empty.
    pub fn logits(
        &self,
        before: &[u32],
        visual: Option<&VisualTokens>,
        after: &[u32],
    ) -> Result<Vec<f32>, ModelError> {
        let prompt = self.prompt(before, visual, after)?;
        in_thread_pool(|| to_vec(self.modules.logits(self.read(prompt, &mut self.new_cache()))))
    }

    /// Token ids of a conversation before and after its video; without one all of them are before it.
    pub(super) fn chat_ids(
        &self,
        chat: &Chat,
        video: VideoInPrompt,
    ) -> Result<(Vec<u32>, Vec<u32>), ModelError> {
        let special = self.tokenizer.special_texts();
        let MarkedPrompt { prompt, mark } = self.template.render_marked(chat, video, special)?;
        let before = self.tokenizer.encode_marked(&prompt.before, mark)?;
        let after = self.tokenizer.encode_marked(prompt.after.as_deref().unwrap_or_default(), mark)?;
        Ok((before, after))
    }

    /// A prompt at the start of the text.
    pub(super) fn prompt(
        &self,
        before: &[u32],
        visual: Option<&VisualTokens>,
        after: &[u32],
    ) -> Result<PromptEmbeddings, ModelError> {
        self.check_ids(before)?;
        self.check_ids(after)?;
        visual.map_or(Ok(()), |visual| self.check_width(visual))?;
        PromptEmbeddings::new(&self.modules, before, visual, after, 0)
            .ok_or(ModelError::Question("the prompt is empty: say what you want to know"))
    }

    /// Refuses ids that the embedding table has no row for.
    pub(super) fn check_ids(&self, ids: &[u32]) -> Result<(), ModelError> {
        let vocabulary = self.config.vocabulary;
        match ids.iter().find(|&&id| id as usize >= vocabulary) {
            None => Ok(()),
            Some(&id) => Err(ModelError::TokenId { id, vocabulary }),
        }
    }

    /// Refuses visual tokens of another width, which another model made.
    pub(super) fn check_width(&self, visual: &VisualTokens) -> Result<(), ModelError> {
        let (d, expected) = (visual.width(), self.config.hidden_size);
        match d == expected {
            true => Ok(()),
            false => Err(ModelError::VisualTokens { values: visual.count() * d, d, expected }),
        }
    }

    pub(super) fn modules(&self) -> &LanguageModules {
        &self.modules
    }

    pub(super) fn new_cache(&self) -> LanguageCache {
        self.modules.new_cache()
    }

    /// Reads a prompt and returns the hidden states, `[n, D]`.
    pub(super) fn read(&self, prompt: PromptEmbeddings, cache: &mut LanguageCache) -> Tensor<2> {
        let PromptEmbeddings { embeddings, positions } = prompt;
        self.modules.read_at(embeddings.unsqueeze::<3>(), &positions, cache).squeeze_dim(0)
    }

    /// Reads token ids and returns the logits after the last of them, `[vocabulary]`.
    pub(super) fn logits_after_tokens(
        &self,
        ids: &[u32],
        cache: &mut LanguageCache,
    ) -> Result<Vec<f32>, ModelError> {
        self.check_ids(ids)?;
        let prompt = PromptEmbeddings::new(&self.modules, ids, None, &[], cache.position());
        let prompt = prompt.ok_or(ModelError::Question("the prompt is empty: say what you want to know"))?;
        self.logits_after(prompt, cache)
    }

    /// Reads a prompt and returns the logits after its last position, `[vocabulary]`.
    pub(super) fn logits_after(
        &self,
        prompt: PromptEmbeddings,
        cache: &mut LanguageCache,
    ) -> Result<Vec<f32>, ModelError> {
        in_thread_pool(|| {
            let hidden = self.read(prompt, cache);
            let [count, d] = hidden.dims();
            to_vec(self.modules.logits(hidden.slice([count - 1..count, 0..d])))
        })
    }
}

/// Tokens that end an answer: what the files state, else the tokenizer's end of a message, else ChatML's.
fn end_tokens(
    files: &ModelFiles,
    config: &OneVisionConfig,
    tokenizer: &Tokenizer,
) -> Result<Vec<u32>, ModelError> {
    let stated = files.end_tokens(&config.text.end_tokens)?;
    let vocabulary = config.text.vocabulary;
    let (within, beyond): (Vec<u32>, Vec<u32>) =
        stated.into_iter().partition(|&id| (id as usize) < vocabulary);
    match beyond.first() {
        // One that can never come does no harm beside one that can.
        Some(&id) if within.is_empty() => {
            Err(ModelError::EndToken { checkpoint: files.place.clone(), id, vocabulary })
        }
        None if within.is_empty() => {
            let named = files.end_of_message.as_deref().into_iter().chain([MESSAGE_END]);
            Ok(named.filter_map(|token| tokenizer.id(token)).take(1).collect())
        }
        _ => Ok(within),
    }
}

/// What ends a message of ChatML.
const MESSAGE_END: &str = "<|im_end|>";

/// The part of a model's id that its weights decide.
fn checksum_of(id: &str) -> &str {
    id.rsplit('@').next().unwrap_or(id)
}
