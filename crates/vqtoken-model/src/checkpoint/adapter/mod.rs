//! LoRA adapters: folders that hold a change of another model.
//!
//! The change of a weight is kept as two narrow matrices and added whenever the weight is read, so an adapter takes no more
//! memory than its file.

mod config;
pub(super) mod low_rank;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vqtoken_files::{Limits, quoted};

use self::config::AdapterConfig;
use self::low_rank::LowRank;
use self::low_rank::transposed;
use super::layout::{Part, canonical_names};
use super::text_files::TextFiles;
use super::weights::Weights;
use crate::error::ModelError;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// What LLaVA's own training writes beside an adapter: the projector.
const OTHER_WEIGHTS: &str = "non_lora_trainables.safetensors";
/// The same as pickle files.
const PICKLES: [&str; 2] = ["adapter_model.bin", "non_lora_trainables.bin"];

/// An adapter on disk.
#[derive(Debug)]
pub(super) struct Adapter {
    directory: PathBuf,
    config: AdapterConfig,
}

/// Whether a directory holds an adapter and no model of its own.
pub(super) fn is_adapter(directory: &Path) -> bool {
    let has = |name: &str| directory.join(name).exists();
    has(CONFIG) && !has(super::weight_files::WHOLE) && !has(super::weight_files::INDEX)
}

impl Adapter {
    /// Reads the configuration of an adapter.
    ///
    /// # Errors
    ///
    /// If it is of a kind that cannot be read, or its weights are pickle files.
    pub(super) fn open(directory: &Path, limits: &Limits) -> Result<Self, ModelError> {
        let config: AdapterConfig = TextFiles { directory, limits }.json(CONFIG)?;
        if let Some(feature) = config.unsupported() {
            return Err(ModelError::AdapterKind { adapter: directory.to_owned(), feature });
        }
        // A pickle beside its safetensors twin is the same again.
        let pickle = PICKLES
            .iter()
            .map(|name| directory.join(name))
            .find(|path| path.exists() && !path.with_extension("safetensors").exists());
        match pickle {
            Some(path) => Err(ModelError::WeightFormat { path, format: "PyTorch pickle" }),
            None => Ok(Self { directory: directory.to_owned(), config }),
        }
    }

    /// What the adapter calls its base model: a path, or an id on a hub.
    pub(super) fn base(&self) -> Option<&str> {
        self.config.base_model_name_or_path.as_deref().filter(|base| !base.is_empty())
    }

    /// The folder of the base model, if the adapter names one that is here: as it is, or from the adapter's own folder.
    pub(super) fn base_folder(&self) -> Option<PathBuf> {
        let base = self.base()?;
        [PathBuf::from(base), self.directory.join(base)].into_iter().find(|path| path.is_dir())
    }

    /// Changes the weights of the base model.
    ///
    /// # Errors
    ///
    /// If a tensor fits no tensor of the base model.
    pub(super) fn apply(&self, weights: &mut Weights, limits: &Limits) -> Result<(), ModelError> {
        let files = [WEIGHTS, OTHER_WEIGHTS].map(|name| self.directory.join(name));
        let files: Vec<PathBuf> = files.into_iter().filter(|path| path.exists()).collect();
        if files.is_empty() {
            let problem = format!("there is no {WEIGHTS}: download the whole adapter");
            return Err(ModelError::Config { file: quoted(&self.directory).to_string(), problem });
        }
        let own = Weights::open_files(quoted(&self.directory).to_string(), &files, limits)?;
        let mut pairs: BTreeMap<String, Pair> = BTreeMap::new();
        for name in own.names() {
            let tensor = Tensor::of(name);
            match tensor.role {
                Role::Left | Role::EmbeddingLeft => pairs.entry(tensor.module).or_default().left = Some(name),
                Role::Right | Role::EmbeddingRight => {
                    pairs.entry(tensor.module).or_default().right = Some(name)
                }
                Role::Whole => self.replace(weights, &own, name, &tensor.module)?,
                Role::Unsupported => {
                    return Err(ModelError::AdapterKind {
                        adapter: self.directory.clone(),
                        feature: format!("tensor {name}"),
                    });
                }
            }
        }
        for (module, pair) in pairs {
            self.change(weights, &own, &module, pair)?;
        }
        weights.adopt(own);
        Ok(())
    }

    fn replace(
        &self,
        weights: &mut Weights,
        own: &Weights,
        name: &str,
        stored: &str,
    ) -> Result<(), ModelError> {
        let canonical = canonical(stored).ok_or_else(|| self.without_place(name))?;
        let fits = match weights.shape(&canonical) {
            Some(shape) => own.shape(name) == Some(shape),
            // A base whose output layer is its embedding has none in the file.
            None => canonical == HEAD,
        };
        if !fits {
            return Err(self.without_place(name));
        }
        weights.replace(canonical, own, name);
        Ok(())
    }

    fn change(
        &self,
        weights: &mut Weights,
        own: &Weights,
        module: &str,
        pair: Pair<'_>,
    ) -> Result<(), ModelError> {
        let lonely = pair.left.or(pair.right).unwrap_or(module);
        let (Some(left), Some(right)) = (pair.left, pair.right) else {
            return Err(self.without_place(lonely));
        };
        let target = canonical(&format!("{module}.weight")).ok_or_else(|| self.without_place(left))?;
        let is_tied = weights.shape(HEAD).is_none();
        // A change of one of two tensors that the base shares leaves the other as it is.
        if is_tied && [HEAD, EMBEDDING].contains(&target.as_str()) {
            weights.duplicate(EMBEDDING, HEAD);
        }
        let Some(&[rows, columns]) = weights.shape(&target) else { return Err(self.without_place(left)) };
        let (Some(&[first, left_inner]), Some(&[right_inner, last])) = (own.shape(left), own.shape(right))
        else {
            return Err(self.without_place(left));
        };
        let is_embedding = Tensor::of(left).role == Role::EmbeddingLeft;
        let outer = if is_embedding { (last, first) } else { (first, last) };
        if left_inner != right_inner || left_inner == 0 || outer != (rows, columns) {
            return Err(self.without_place(left));
        }
        let (mut left, mut right) =
            (own.read(left)?.unwrap_or_default(), own.read(right)?.unwrap_or_default());
        if is_embedding {
            (left, right) = (transposed(&right, last), transposed(&left, left_inner));
        }
        let rank = left_inner;
        let scale = self.config.scale(module, rank);
        if !scale.is_finite() {
            let feature = format!("a scale of {scale} (r is {:?})", self.config.rank());
            return Err(ModelError::AdapterKind { adapter: self.directory.clone(), feature });
        }
        weights.change(&target, LowRank { left, right, rank, columns, scale });
        Ok(())
    }

    fn without_place(&self, tensor: &str) -> ModelError {
        ModelError::AdapterTensor { adapter: self.directory.clone(), name: tensor.to_owned() }
    }
}

const HEAD: &str = "lm_head.weight";
const EMBEDDING: &str = "language_model.embed_tokens.weight";

/// Names of the two matrices of a module. The left one is PEFT's B.
#[derive(Debug, Default)]
struct Pair<'a> {
    left: Option<&'a str>,
    right: Option<&'a str>,
}

/// What a tensor of an adapter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// `lora_B`, `[out, r]`.
    Left,
    /// `lora_A`, `[r, in]`.
    Right,
    /// `lora_embedding_B`, `[D, r]`.
    EmbeddingLeft,
    /// `lora_embedding_A`, `[r, vocabulary]`.
    EmbeddingRight,
    /// A tensor in place of one of the base model.
    Whole,
    Unsupported,
}

/// A tensor's name taken apart.
#[derive(Debug)]
struct Tensor {
    /// The stored name of the module, or of the whole tensor.
    module: String,
    role: Role,
}

impl Tensor {
    fn of(name: &str) -> Self {
        let mut module = name.strip_prefix("base_model.model.").unwrap_or(name).to_owned();
        for infix in [".modules_to_save.default.", ".modules_to_save.", ".base_layer."] {
            module = module.replace(infix, ".");
        }
        const ENDINGS: [(&str, Role); 4] = [
            (".lora_embedding_A", Role::EmbeddingRight),
            (".lora_embedding_B", Role::EmbeddingLeft),
            (".lora_A", Role::Right),
            (".lora_B", Role::Left),
        ];
        let plain = module.strip_suffix(".weight").unwrap_or(&module);
        let plain = plain.strip_suffix(".default").unwrap_or(plain);
        for (ending, role) in ENDINGS {
            if let Some(module) = plain.strip_suffix(ending) {
                return Self { module: module.to_owned(), role };
            }
        }
        let role = if module.contains(".lora_") { Role::Unsupported } else { Role::Whole };
        Self { module, role }
    }
}

/// The name used here of a whole tensor of the base model.
fn canonical(stored: &str) -> Option<String> {
    match canonical_names(stored).as_slice() {
        [(name, part)] if *part == Part::WHOLE => Some(name.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for (name, module, role) in [
            (
                "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight",
                "model.layers.0.mlp.up_proj",
                Role::Right,
            ),
            ("base_model.model.a.q_proj.lora_B.default.weight", "a.q_proj", Role::Left),
            ("base_model.model.a.embed_tokens.lora_embedding_A", "a.embed_tokens", Role::EmbeddingRight),
            ("base_model.model.lm_head.modules_to_save.weight", "lm_head.weight", Role::Whole),
            ("base_model.model.a.lora_magnitude_vector", "a.lora_magnitude_vector", Role::Unsupported),
            ("base_model.model.a.q_proj.lora_B.bias", "a.q_proj.lora_B.bias", Role::Unsupported),
        ] {
            let tensor = Tensor::of(name);
            assert_eq!((tensor.module.as_str(), tensor.role), (module, role), "{name}");
        }
    }
}
