//! Checkpoints: their files, their tensors under one set of names whatever the layout, and modules filled from them.

mod adapter;
mod directory;
mod fill;
mod identity;
mod layout;
mod opened;
mod pack;
mod parameters;
mod random;
mod save;
mod siglip;
mod stored_tensor;
mod template_files;
mod text_files;
mod tokenizer_files;
mod tokenizer_rules;
mod weight_files;
mod weights;

pub use directory::ModelFiles;
pub use fill::{Filler, is_unused_by_design};
pub use opened::{Checkpoint, directory_of, fit_to};
pub(crate) use pack::packed_bytes;
pub use parameters::{FieldPath, Parameter, for_each_parameter, map_parameters};
pub use random::randomize;
pub(crate) use random::{random_id, random_precision};
pub use save::save;
pub use siglip::SiglipCheckpoint;
pub use stored_tensor::StoredTensor;
pub(crate) use tokenizer_rules::TokenizerRules;
pub use weights::Weights;
