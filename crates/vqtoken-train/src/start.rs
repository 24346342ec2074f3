//! The model that a run begins with.

use std::path::Path;

use burn::tensor::Device;
use vqtoken_model::checkpoint::{Filler, ModelFiles, Weights, is_unused_by_design};
use vqtoken_model::config::{OneVisionConfig, VqAttentionConfig};
use vqtoken_model::{ChatTemplate, OneVision, Tokenizer};
use vqtoken_video::PixelSpec;

use crate::beginnings;
use crate::config::{Part, TrainConfig};
use crate::error::TrainError;
use crate::words;

/// A model with everything that belongs to it, its parameters unpacked and on a device with gradients.
#[derive(Debug)]
pub(crate) struct Start {
    /// Its shape.
    pub config: OneVisionConfig,
    /// Its parameters.
    pub model: OneVision,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The tokenizer's file.
    pub tokenizer_json: Vec<u8>,
    /// How a conversation becomes a prompt.
    pub template: ChatTemplate,
    /// How frames become pixels.
    pub pixel_spec: PixelSpec,
}

impl Start {
    /// Makes or loads the model that a configuration names.
    ///
    /// # Errors
    ///
    /// If a file is missing or damaged, or files do not belong together.
    pub(crate) fn of(config: &TrainConfig) -> Result<Self, TrainError> {
        let device = Device::flex().autodiff();
        let own_config = match &config.model.config {
            Some(file) => Some(OneVisionConfig::parse(&file.display().to_string(), &read_text(file)?)?),
            None => None,
        };
        match &config.model.start {
            Some(directory) => {
                let wanted = Wanted {
                    seed: config.seed,
                    config: own_config,
                    vq_attention: config.model.vq_attention.clone(),
                };
                let start = Self::load(directory, wanted, &config.model.fresh, &device)?;
                match config.model.fresh.contains(&Part::LanguageModel) {
                    true => start.with_new_words(config),
                    false => Ok(start),
                }
            }
            None => Self::new(config, own_config, &device),
        }
    }

    fn new(
        config: &TrainConfig,
        own_config: Option<OneVisionConfig>,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let Some(mut own) = own_config else {
            return Err(TrainError::Config {
                file: "[model]".into(),
                problem: "a new model needs config (a config.json)".to_owned(),
            });
        };
        let (tokenizer, tokenizer_json) = tokenizer(config, own.text.vocabulary)?;
        own.text.end_tokens = tokenizer.id(words::END).into_iter().collect();
        let pixel_spec = PixelSpec { size: own.vision.image_size, ..PixelSpec::default() };
        Ok(Self {
            model: beginnings::of(
                beginnings::drawn(config.seed, device, || OneVision::new(&own, device)),
                &own.text,
            ),
            config: own,
            tokenizer,
            tokenizer_json,
            template: ChatTemplate::ChatMl,
            pixel_spec,
        })
    }

    /// The same with the tokenizer that the configuration names, or one learnt from its data: for a language model that begins
    /// anew.
    fn with_new_words(mut self, config: &TrainConfig) -> Result<Self, TrainError> {
        (self.tokenizer, self.tokenizer_json) = tokenizer(config, self.config.text.vocabulary)?;
        self.config.text.end_tokens = self.tokenizer.id(words::END).into_iter().collect();
        self.template = ChatTemplate::ChatMl;
        if let Some(file) = &config.model.prototypes {
            let rows = beginnings::prototypes(file, &self.tokenizer)?;
            self.model = beginnings::with_words(self.model, &rows);
        }
        Ok(self)
    }

    /// The same with the parameters of a model that an earlier stage has written.
    ///
    /// # Errors
    ///
    /// If that model is damaged or has another shape.
    pub(crate) fn replaced_by(self, directory: &Path) -> Result<Self, TrainError> {
        let device = Device::flex().autodiff();
        Self::load(directory, Wanted { seed: 0, config: Some(self.config), vq_attention: None }, &[], &device)
    }

    fn load(directory: &Path, wanted: Wanted, fresh: &[Part], device: &Device) -> Result<Self, TrainError> {
        let (files, weights) = (ModelFiles::open(directory)?, Weights::open(directory)?);
        let config_file = directory.join("config.json").display().to_string();
        let stored = OneVisionConfig::parse(&config_file, &files.config)?;
        let mut config = wanted.config.unwrap_or_else(|| stored.clone());
        if wanted.vq_attention.is_some() {
            config.vq_attention = wanted.vq_attention;
        }
        config.text.end_tokens.clone_from(&stored.text.end_tokens);
        let mut filler = Filler::new(&weights);
        let mut left: Vec<Part> = fresh.to_vec();
        if config.vq_attention != stored.vq_attention {
            left.push(Part::VqAttention);
        }
        let prefixes: Vec<&str> = left.iter().flat_map(|part| part.prefixes()).copied().collect();
        filler.skip(&prefixes);
        let new = beginnings::drawn(wanted.seed, device, || OneVision::new(&config, device));
        let model = filler.fill(beginnings::of(new, &config.text));
        filler.finish(|name| {
            is_unused_by_design(name, &config) || prefixes.iter().any(|prefix| name.starts_with(prefix))
        })?;
        let tokenizer_file = directory.join("tokenizer.json");
        Ok(Self {
            tokenizer: Tokenizer::from_bytes(&tokenizer_file, &files.tokenizer, config.text.vocabulary)?,
            template: files.template.clone(),
            pixel_spec: files.pixel_spec(config.vision.image_size)?,
            tokenizer_json: files.tokenizer,
            model,
            config,
        })
    }
}

/// What a loaded model shall be, where that is not what it was.
struct Wanted {
    /// Of what begins anew.
    seed: u64,
    config: Option<OneVisionConfig>,
    vq_attention: Option<VqAttentionConfig>,
}

/// The tokenizer of a new language model, and its file.
fn tokenizer(config: &TrainConfig, vocabulary: usize) -> Result<(Tokenizer, Vec<u8>), TrainError> {
    let (file, json) = match &config.model.tokenizer {
        Some(file) => {
            let read = std::fs::read(file);
            (file.clone(), read.map_err(|source| TrainError::Unreadable { path: file.clone(), source })?)
        }
        None => ("the tokenizer learnt".into(), words::learn(&config.data, vocabulary)?),
    };
    Ok((Tokenizer::from_bytes(&file, &json, vocabulary)?, json))
}

fn read_text(file: &Path) -> Result<String, TrainError> {
    std::fs::read_to_string(file).map_err(|source| TrainError::Unreadable { path: file.to_owned(), source })
}
