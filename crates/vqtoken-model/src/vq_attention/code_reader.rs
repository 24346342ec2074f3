//! The VQ-attention of a checkpoint alone, for programs that bring their own language model.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::{Codebook, IndexMap};
use vqtoken_nn::in_thread_pool;

use super::VqAttention;
use crate::checkpoint::{Checkpoint, Filler};
use crate::error::ModelError;
use crate::tensors::to_vec;

/// Turns codes into visual tokens, without a vision tower or a language model.
#[derive(Clone, Debug)]
pub struct CodeReader {
    modules: CodeReaderModules,
    features: usize,
}

/// The field's name is the checkpoints'.
#[derive(Module, Debug)]
struct CodeReaderModules {
    vq_attention: VqAttention,
}

impl CodeReader {
    /// The VQ-attention of a checkpoint; `None` where it has none.
    ///
    /// # Errors
    ///
    /// If a tensor cannot be read or holds values that are not finite.
    pub fn from_checkpoint(checkpoint: &Checkpoint) -> Result<Option<Self>, ModelError> {
        let config = checkpoint.config();
        let Some(kind) = &config.vq_attention else { return Ok(None) };
        let features = config.text.hidden_size;
        let modules = CodeReaderModules { vq_attention: kind.init(features, &Device::flex()) };
        let mut filler = Filler::new(checkpoint.weights());
        let modules = filler.fill(modules);
        filler.finish(|_| true)?;
        Ok(Some(Self { modules, features }))
    }

    /// Visual tokens `[M, D]` of codes `[K, D]` and their index map.
    ///
    /// # Errors
    ///
    /// If the codes have another number of features, or the VQ-attention refuses their number or the map.
    pub fn attend(&self, codebook: &Codebook, index_map: &IndexMap) -> Result<Vec<f32>, ModelError> {
        if codebook.dim() != self.features {
            let (values, d) = (codebook.data().len(), codebook.dim());
            return Err(ModelError::VisualTokens { values, d, expected: self.features });
        }
        let codes = TensorData::new(codebook.data().to_vec(), [codebook.codes(), codebook.dim()]);
        let codes = Tensor::from_data(codes, &Device::flex());
        in_thread_pool(|| to_vec(self.modules.vq_attention.forward(codes, index_map)?))
    }
}
