//! What stages of retrieval and reranking read: clips of moving shapes, what happens in them, and their codes.

use std::sync::OnceLock;

use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::{Codebook, IndexMap};
use vqtoken_model::RetrievalTokenizer;
use vqtoken_shapes::{Query, Scene, Script};

use crate::clips::Clips;
use crate::clips::shapes::ShapesClips;
use crate::error::TrainError;
use crate::feature_cache::FeatureCache;
use crate::learner::Learner;

/// Clips with the scripts and the codes of each, and how texts about them become ids.
pub(crate) struct SearchClips<'a> {
    pub(crate) clips: &'a ShapesClips,
    pub(crate) cache: FeatureCache,
    pub(crate) tokenizer: RetrievalTokenizer,
    pub(crate) seed: u64,
    /// Clips per micro-batch.
    pub(crate) micro_batch_size: usize,
    pub(crate) device: Device,
    /// The script of each clip, once it has been read, by its index.
    pub(crate) scripts: Vec<OnceLock<Script>>,
}

impl SearchClips<'_> {
    #[expect(clippy::expect_used, reason = "clips of moving shapes have scenes")]
    pub(super) fn scene(&self, clip: usize) -> &Scene {
        self.clips.scene(clip).expect("a clip of moving shapes has a scene")
    }

    pub(super) fn script(&self, clip: usize) -> &Script {
        self.scripts[clip].get_or_init(|| Script::of(self.scene(clip)))
    }

    /// The ids of texts, `[texts, length]`.
    pub(super) fn ids<'b>(&self, texts: impl Iterator<Item = &'b Query>) -> Result<Vec<u32>, TrainError> {
        let mut ids = Vec::new();
        for text in texts {
            ids.extend(self.tokenizer.encode(&text.text())?.ids);
        }
        Ok(ids)
    }

    /// Codes after the VQ-attention, `[clips, K, D]`, of clips or windows with `k` codes each.
    pub(super) fn attended<'b>(
        &self,
        learner: &Learner,
        k: usize,
        codes: impl Iterator<Item = (&'b Codebook, &'b IndexMap)>,
    ) -> Result<Tensor<3>, TrainError> {
        let (codebooks, maps): (Vec<&Codebook>, Vec<IndexMap>) =
            codes.map(|(codebook, map)| (codebook, map.clone())).unzip();
        let values: Vec<f32> = codebooks.iter().flat_map(|codebook| codebook.data()).copied().collect();
        let d = values.len() / (maps.len() * k);
        let codes = Tensor::from_data(TensorData::new(values, [maps.len(), k, d]), &self.device);
        Ok(learner.model.language.visual_tokens_batch(codes, &maps)?)
    }
}
