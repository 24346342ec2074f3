//! The VQ-attention of the model, through which codes go before a retriever or a reranker reads them.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use vqtoken_core::VideoTokens;
use vqtoken_nn::{Pack, PackLayers, Precision};

use super::error::RetrievalError;
use super::retrieval_files::RetrievalFiles;
use super::windows::CodeWindow;
use crate::checkpoint::Checkpoint;
use crate::error::ModelError;
use crate::vq_attention::VqAttention;

/// The part of the model that is shared. Clones share its weights.
#[derive(Clone, Debug)]
pub(super) struct CodeAttention {
    attention: Attention,
    /// The model that it is of: a name and a checksum.
    model: String,
    /// Features of a code (D).
    d: usize,
}

/// The field's name is the checkpoints'.
#[derive(Module, Debug)]
struct Attention {
    vq_attention: VqAttention,
}

impl PackLayers for Attention {
    /// A VQ-attention is not packed: it is small beside everything else, and its layers are few.
    fn for_each_packable(&mut self, _path: &str, _visit: &mut dyn FnMut(&str, &mut dyn Pack)) {}
}

impl CodeAttention {
    /// That of a checkpoint, for files that were trained on video tokens of `model` with `d` features a code.
    ///
    /// # Errors
    ///
    /// If these are another model's, the checkpoint has no VQ-attention, or its codes have another number of features.
    pub(super) fn of(
        checkpoint: &Checkpoint,
        files: &RetrievalFiles,
        model: &str,
        d: usize,
    ) -> Result<Self, ModelError> {
        if tower(model) != tower(checkpoint.id()) {
            let (found, expected) = (checkpoint.id().to_owned(), model.to_owned());
            return Err(RetrievalError::OtherModel { retrieval: files.place.clone(), found, expected }.into());
        }
        let (Some(kind), width) = (&checkpoint.config().vq_attention, checkpoint.config().text.hidden_size)
        else {
            return Err(RetrievalError::NoVqAttention { model: checkpoint.id().to_owned() }.into());
        };
        if d != width {
            let problem = format!("codes of {} have {width} features, not code_features", checkpoint.id());
            return Err(ModelError::Config { file: files.config_file(), problem });
        }
        let attention = Attention { vq_attention: kind.init(d, &Device::flex()) };
        let attention = checkpoint.build(attention, Precision::F32)?;
        Ok(Self { attention, model: model.to_owned(), d })
    }

    /// Whether it reads this model's video tokens.
    pub(super) fn is_of(&self, model: &str) -> bool {
        tower(model) == tower(&self.model)
    }

    /// Refuses video tokens of another model.
    pub(super) fn check_model(&self, tokens: &VideoTokens) -> Result<(), ModelError> {
        if self.is_of(&tokens.model) {
            return Ok(());
        }
        let (found, expected) = (tokens.model.clone(), self.model.clone());
        Err(ModelError::OtherModel { found, expected })
    }

    /// Codes after the VQ-attention, `[windows, K', D]`, of windows with as many codes and frames each.
    pub(super) fn attend(&self, windows: &[&CodeWindow]) -> Result<Tensor<3>, ModelError> {
        let (count, d) = (windows.first().map_or(0, |one| one.codes.len()), self.d);
        if let Some(window) = windows.iter().find(|window| window.codebook.dim() != d) {
            let problem = format!("they have {} features, not {d}", window.codebook.dim());
            return Err(RetrievalError::Codes { problem }.into());
        }
        let values: Vec<f32> = windows.iter().flat_map(|window| window.codebook.data()).copied().collect();
        let maps: Vec<_> = windows.iter().map(|window| window.index_map.clone()).collect();
        let codebooks =
            Tensor::from_data(TensorData::new(values, [windows.len(), count, d]), &Device::flex());
        Ok(self.attention.vq_attention.forward_batch(codebooks, &maps)?)
    }
}

/// The part of an id that says which vision side it is.
fn tower(id: &str) -> &str {
    id.rsplit('@').next().unwrap_or(id)
}
