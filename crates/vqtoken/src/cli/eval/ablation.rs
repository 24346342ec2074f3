//! What the paper's ablation makes random: the parameters of the VQ-attention, the index map, the codebook.

use crate::{Codebook, IndexMap};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::{CodebookError, IndexMapError};
use vqtoken_model::VqAttention;
use vqtoken_model::config::OneVisionConfig;
use vqtoken_nn::in_thread_pool;

use super::random::Random;

/// The seed of everything that is made random.
pub(super) const SEED: u64 = 0;

/// The VQ-attention of a model as it was before training: the same shape, with parameters as they are first drawn.
pub(super) struct UntrainedAttention {
    module: VqAttention,
    device: Device,
}

/// Draws the parameters of a module: they are made when they are first read.
struct Draw;

impl ModuleVisitor for Draw {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        param.val();
    }
}

impl UntrainedAttention {
    /// None for a model without VQ-attention.
    pub(super) fn new(config: &OneVisionConfig) -> Option<Self> {
        let device = Device::flex();
        device.seed(SEED);
        let module = config.vq_attention.as_ref()?.init(config.text.hidden_size, &device);
        module.visit(&mut Draw);
        Some(Self { module, device })
    }

    /// Visual tokens `[M, D]` of a codebook `[K, D]`.
    pub(super) fn forward(&self, codebook: &Codebook, index_map: &IndexMap) -> anyhow::Result<Vec<f32>> {
        let shape = [codebook.codes(), codebook.dim()];
        let codes = Tensor::from_data(TensorData::new(codebook.data().to_vec(), shape), &self.device);
        let tokens = in_thread_pool(|| self.module.forward(codes, index_map))?;
        tokens
            .into_data()
            .try_into_vec()
            .map_err(|error| anyhow::anyhow!("the VQ-attention gave no numbers: {error}"))
    }
}

/// The same labels, each somewhere else in the clip.
pub(super) fn shuffled(map: &IndexMap, video: &str) -> Result<IndexMap, IndexMapError> {
    let mut labels = map.labels().to_vec();
    Random::new(SEED, video).shuffle(&mut labels);
    IndexMap::new(map.shape(), map.codes(), labels)
}

/// Vectors in random directions, each as long as the code that it replaces.
pub(super) fn random_codes(codebook: &Codebook, video: &str) -> Result<Codebook, CodebookError> {
    let mut random = Random::new(SEED, video);
    let data = (0..codebook.codes()).flat_map(|code| {
        let length = |code: &[f64]| code.iter().map(|value| value * value).sum::<f64>().sqrt();
        let old: Vec<f64> = codebook.code(code).iter().copied().map(f64::from).collect();
        let new: Vec<f64> = old.iter().map(|_| random.normal()).collect();
        let scale = length(&old) / length(&new).max(f64::MIN_POSITIVE);
        new.into_iter().map(move |value| (value * scale) as f32)
    });
    Codebook::new(codebook.codes(), codebook.dim(), data.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GridShape, builtin};
    use vqtoken_model::Precision;

    #[test]
    fn shuffling_keeps_how_often_each_code_occurs() {
        let shape = GridShape { frames: 4, height: 3, width: 3 };
        let map = IndexMap::new(shape, 5, (0..36).map(|cell| cell * cell % 5).collect()).unwrap();
        let random = shuffled(&map, "a").unwrap();
        assert_ne!(random, map);
        assert_ne!(random, shuffled(&map, "b").unwrap());
        let sorted = |map: &IndexMap| {
            let mut labels = map.labels().to_vec();
            labels.sort_unstable();
            labels
        };
        assert_eq!(sorted(&random), sorted(&map));
    }

    #[test]
    fn random_codes_have_the_lengths_of_the_true_ones() {
        let codebook = Codebook::new(2, 3, vec![3.0, 4.0, 0.0, 0.0, 0.5, 0.0]).unwrap();
        let random = random_codes(&codebook, "a").unwrap();
        let length = |code: usize| random.code(code).iter().map(|value| value * value).sum::<f32>().sqrt();
        assert!((length(0) - 5.0).abs() < 1e-5 && (length(1) - 0.5).abs() < 1e-5);
        assert_eq!(random, random_codes(&codebook, "a").unwrap());
        assert_ne!(random, codebook);
    }

    #[test]
    fn an_untrained_attention_is_always_the_same_and_not_the_models() {
        let model = builtin::load(Precision::F32).unwrap();
        let d = model.config().text.hidden_size;
        let shape = GridShape { frames: 2, height: 2, width: 2 };
        let map = IndexMap::new(shape, 2, vec![0, 1, 0, 1, 1, 1, 0, 0]).unwrap();
        let codes = (0..2 * d).map(|i| (i as f32 * 0.37).sin()).collect();
        let codebook = Codebook::new(2, d, codes).unwrap();
        let untrained = || UntrainedAttention::new(model.config()).unwrap().forward(&codebook, &map).unwrap();
        assert_eq!(untrained(), untrained());
        assert_ne!(untrained(), model.language().attend(&codebook, &map).unwrap().to_vec().unwrap());
        let bare = OneVisionConfig { vq_attention: None, ..model.config().clone() };
        assert!(UntrainedAttention::new(&bare).is_none());
    }
}
