//! The modules of both sides in one: what is trained and saved together.

use burn::module::Module;
use burn::tensor::Device;
use vqtoken_nn::{Pack, PackLayers};

use crate::config::OneVisionConfig;
use crate::language::LanguageModules;
use crate::vision::VisionModules;

/// All modules of a LLaVA-OneVision model. The names of the two sides are not part of the parameters' names.
#[derive(Module, Debug)]
pub struct OneVision {
    /// Pixels to tokens.
    pub vision: VisionModules,
    /// Codes to visual tokens, embeddings to logits.
    pub language: LanguageModules,
}

impl OneVision {
    /// A model of the given shape; parameters are initialised when they are first read.
    pub fn new(config: &OneVisionConfig, device: &Device) -> Self {
        Self {
            vision: VisionModules::new(&config.vision, config.text.hidden_size, device),
            language: LanguageModules::new(config, device),
        }
    }
}

impl PackLayers for OneVision {
    fn for_each_packable(&mut self, path: &str, visit: &mut dyn FnMut(&str, &mut dyn Pack)) {
        self.vision.for_each_packable(path, visit);
        self.language.for_each_packable(path, visit);
    }
}
