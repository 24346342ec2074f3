//! All modules of LLaVA-OneVision in one: what is trained, saved and loaded together.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use vqtoken_core::IndexMap;
use vqtoken_nn::{Linear, pack_layers};

use crate::config::OneVisionConfig;
use crate::error::ModelError;
use crate::language::{LanguageCache, LanguageModel, output_layer};
use crate::vision::{Projector, VisionTower};
use crate::vq_attention::VqAttention;

/// Pixels to tokens, codes to visual tokens, embeddings to logits. The fields' names are the checkpoints'.
#[derive(Module, Debug)]
pub struct OneVision {
    vision_tower: VisionTower,
    multi_modal_projector: Projector,
    language_model: LanguageModel,
    lm_head: Option<Linear>,
    image_newline: Param<Tensor<1>>,
    vq_attention: Option<VqAttention>,
}

impl OneVision {
    /// A model of the given shape; parameters are drawn when they are first read.
    pub fn new(config: &OneVisionConfig, device: &Device) -> Self {
        let d = config.text.hidden_size;
        Self {
            vision_tower: VisionTower::new(&config.vision, device),
            multi_modal_projector: Projector::new(config.vision.hidden_size, d, device),
            language_model: LanguageModel::new(&config.text, device),
            lm_head: (!config.text.tied).then(|| output_layer(&config.text, device)),
            image_newline: Initializer::Normal { mean: 0.0, std: 0.02 }.init([d], device),
            vq_attention: config.vq_attention.as_ref().map(|kind| VqAttention::new(kind, d, device)),
        }
    }

    /// Hidden states of the vision tower: `[T, 3, S, S]` to `[T, N, Dv]`.
    pub fn hidden_states(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.vision_tower.forward(pixels)
    }

    /// The token grid: `[T, 3, S, S]` to `[T, N, D]`.
    pub fn token_grid(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.multi_modal_projector.forward(self.vision_tower.forward(pixels))
    }

    /// The tokens of square windows of pictures, `[T, 3, s, s]` to `[T, n, D]`; `corners` are the row and column of each one's
    /// first patch in the whole grid.
    pub fn token_windows(&self, pixels: Tensor<4>, corners: &[[usize; 2]]) -> Tensor<3> {
        self.multi_modal_projector.forward(self.vision_tower.forward_windows(pixels, corners))
    }

    /// Visual tokens `[M, D]` of a codebook `[K, D]`: through the VQ-attention, or the bare codes if there is none.
    pub fn visual_tokens(&self, codebook: Tensor<2>, index_map: &IndexMap) -> Result<Tensor<2>, ModelError> {
        match &self.vq_attention {
            Some(attention) => attention.forward(codebook, index_map),
            None => Ok(codebook),
        }
    }

    /// Embeddings of a prompt, `[n, D]`: ids, visual tokens with one `image_newline` behind them, ids.
    pub fn prompt(&self, before: &[u32], visual: Option<Tensor<2>>, after: &[u32]) -> Tensor<2> {
        let mut parts = Vec::new();
        if !before.is_empty() {
            parts.push(self.language_model.embed(before));
        }
        if let Some(visual) = visual {
            parts.push(visual);
            parts.push(self.image_newline.val().unsqueeze());
        }
        if !after.is_empty() {
            parts.push(self.language_model.embed(after));
        }
        Tensor::cat(parts, 0)
    }

    /// An empty cache for [`Self::read`].
    pub fn new_cache(&self) -> LanguageCache {
        self.language_model.new_cache()
    }

    /// Reads the next embeddings `[n, D]` and returns their hidden states, `[n, D]`.
    pub fn read(&self, embeddings: Tensor<2>, cache: &mut LanguageCache) -> Tensor<2> {
        self.language_model.forward(embeddings, cache)
    }

    /// Reads the next embeddings `[batch, n, D]` of several texts of one length and returns their hidden states.
    pub fn read_batch(&self, embeddings: Tensor<3>, cache: &mut LanguageCache) -> Tensor<3> {
        self.language_model.forward_batch(embeddings, cache)
    }

    /// Reads embeddings `[batch, n, D]` at some positions and returns what goes into each layer and comes out of the last.
    pub fn read_states(
        &self,
        embeddings: Tensor<3>,
        positions: &[usize],
        cache: &mut LanguageCache,
    ) -> Vec<Tensor<3>> {
        self.language_model.states(embeddings, positions, cache)
    }

    /// Embeddings of ids, `[n, D]`.
    pub fn embed(&self, ids: &[u32]) -> Tensor<2> {
        self.language_model.embed(ids)
    }

    /// The embedding that stands behind visual tokens, `[D]`.
    pub fn image_newline(&self) -> Tensor<1> {
        self.image_newline.val()
    }

    /// The projector alone: hidden states of the tower `[T, N, Dv]` to tokens `[T, N, D]`.
    pub fn project(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.multi_modal_projector.forward(hidden)
    }

    /// Visual tokens of several clips with as many codes each: codebooks `[clips, K, D]` to `[clips, M, D]`.
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
            Some(attention) => attention.forward_batch(codebooks, index_maps),
            None => Ok(codebooks),
        }
    }

    /// Logits of hidden states: `[n, D]` to `[n, vocabulary]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        match &self.lm_head {
            Some(output) => output.forward(hidden),
            None => self.language_model.tied_logits(hidden),
        }
    }
}

pack_layers!(OneVision { vision_tower, multi_modal_projector, language_model, lm_head });
