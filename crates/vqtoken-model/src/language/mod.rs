//! The modules of the language side: Qwen2, and what stands around it.

mod modules;
mod qwen2;

pub use modules::LanguageModules;
pub use qwen2::{LanguageCache, LanguageModel};
