//! The modules of the language side: codes to visual tokens, embeddings to logits.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use vqtoken_core::IndexMap;
use vqtoken_nn::{Linear, pack_layers};

use super::qwen2::{LanguageCache, LanguageModel, output_layer};
use crate::config::OneVisionConfig;
use crate::error::ModelError;
use crate::vq_attention::VqAttention;

/// VQ-attention and language model. The fields' names are the checkpoints'.
#[derive(Module, Debug)]
pub struct LanguageModules {
    language_model: LanguageModel,
    lm_head: Option<Linear>,
    image_newline: Param<Tensor<1>>,
    vq_attention: Option<VqAttention>,
}

impl LanguageModules {
    /// Modules of the given shape; parameters are initialised when they are first read.
    pub fn new(config: &OneVisionConfig, device: &Device) -> Self {
        let d = config.text.hidden_size;
        Self {
            language_model: config.text.init(device),
            lm_head: (!config.text.tied).then(|| output_layer(&config.text, device)),
            image_newline: Initializer::Normal { mean: 0.0, std: 0.02 }.init([d], device),
            vq_attention: config.vq_attention.as_ref().map(|kind| kind.init(d, device)),
        }
    }

    /// How many visual tokens [`Self::visual_tokens`] gives for `codes` codes over `frames` frames.
    pub fn visual_token_count(&self, codes: usize, frames: usize) -> usize {
        self.vq_attention.as_ref().map_or(codes, |attention| attention.visual_tokens(codes, frames))
    }

    /// Visual tokens of codes: through the VQ-attention, or the bare codes if there is none.
    ///
    /// # Shapes
    ///
    /// - codebook: `[K, D]`
    /// - index_map: `[T, H, W]`
    /// - output: `[M, D]`
    ///
    /// # Errors
    ///
    /// As [`VqAttention::forward`].
    pub fn visual_tokens(&self, codebook: Tensor<2>, index_map: &IndexMap) -> Result<Tensor<2>, ModelError> {
        match &self.vq_attention {
            Some(attention) => Ok(attention.forward(codebook, index_map)?),
            None => Ok(codebook),
        }
    }

    /// [`Self::visual_tokens`] of several clips with as many codes each.
    ///
    /// # Shapes
    ///
    /// - codebooks: `[clips, K, D]`
    /// - index_maps: `[clips]` of `[T, H, W]`
    /// - output: `[clips, M, D]`
    ///
    /// # Errors
    ///
    /// As [`VqAttention::forward`].
    pub fn visual_tokens_batch(
        &self,
        codebooks: Tensor<3>,
        index_maps: &[IndexMap],
    ) -> Result<Tensor<3>, ModelError> {
        match &self.vq_attention {
            Some(attention) => Ok(attention.forward_batch(codebooks, index_maps)?),
            None => Ok(codebooks),
        }
    }

    /// Embeddings of token ids, `[n, D]`.
    pub fn embed(&self, ids: &[u32]) -> Tensor<2> {
        self.language_model.embed(ids)
    }

    /// The embedding that follows visual tokens, `[D]`.
    pub fn image_newline(&self) -> Tensor<1> {
        self.image_newline.val()
    }

    /// An empty cache.
    pub fn new_cache(&self) -> LanguageCache {
        self.language_model.new_cache()
    }

    /// Reads texts of one length at given positions and returns their normalized hidden states.
    ///
    /// # Shapes
    ///
    /// - embeddings, output: `[batch, n, D]`
    /// - positions: `[n]`, ascending, or `[batch * n]` if each text has its own
    pub fn read_at(
        &self,
        embeddings: Tensor<3>,
        positions: &[usize],
        cache: &mut LanguageCache,
    ) -> Tensor<3> {
        self.language_model.forward_at(embeddings, positions, cache)
    }

    /// [`LanguageModel::forward_texts`].
    ///
    /// # Shapes
    ///
    /// - embeddings, output: `[n, D]`
    /// - positions: `[texts]` of `[parts]`, those of each part; `n` in all
    /// - caches: `[texts]`, of one text each
    pub fn read_texts(
        &self,
        embeddings: Tensor<2>,
        positions: &[Vec<&[usize]>],
        caches: &mut [&mut LanguageCache],
        is_wanted: impl Fn() -> bool,
    ) -> Option<Tensor<2>> {
        self.language_model.forward_texts(embeddings, positions, caches, is_wanted)
    }

    /// [`LanguageModel::forward_step`].
    ///
    /// # Shapes
    ///
    /// - embeddings, output: `[texts, 1, D]`
    /// - caches: `[texts]`, of one text each
    pub fn read_step(&self, embeddings: Tensor<3>, caches: &mut [&mut LanguageCache]) -> Tensor<3> {
        self.language_model.forward_step(embeddings, caches)
    }

    /// [`Self::read_at`] the positions that follow what the cache holds.
    ///
    /// # Shapes
    ///
    /// - embeddings, output: `[batch, n, D]`
    pub fn read_batch(&self, embeddings: Tensor<3>, cache: &mut LanguageCache) -> Tensor<3> {
        self.language_model.forward_batch(embeddings, cache)
    }

    /// Reads texts at given positions and returns the input of each layer and the output of the last.
    ///
    /// # Shapes
    ///
    /// - embeddings: `[batch, n, D]`
    /// - positions: `[n]`, or `[batch * n]` if each text has its own
    /// - output: `[layers + 1]` of `[batch, n, D]`
    pub fn read_states(
        &self,
        embeddings: Tensor<3>,
        positions: &[usize],
        cache: &mut LanguageCache,
    ) -> Vec<Tensor<3>> {
        self.language_model.states(embeddings, positions, cache)
    }

    /// Logits of hidden states, each as if it were alone: what int8 gives for one position does not depend on the others.
    ///
    /// # Shapes
    ///
    /// - hidden: `[.., D]`
    /// - output: `[.., vocabulary]`
    pub fn logits<const R: usize>(&self, hidden: Tensor<R>) -> Tensor<R> {
        let mut dims = hidden.dims();
        let d = dims[R - 1];
        let rows = hidden.reshape([-1, 1, d as i32]); // [n, 1, D]: n texts of one token
        let logits = match &self.lm_head {
            Some(output) => output.forward(rows),
            None => self.language_model.tied_logits(rows),
        };
        dims[R - 1] = logits.dims()[2];
        logits.reshape(dims) // [.., vocabulary]
    }
}

pack_layers!(LanguageModules { language_model, lm_head });
