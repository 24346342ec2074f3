//! The model that is trained, with its tokenizer and all else that is saved with it: how a run gets it, and how it is written.

use std::path::Path;

use burn::module::Module;
use serde::Serialize;
use vqtoken_files::Limits;
use vqtoken_model::checkpoint::{Checkpoint, Filler, ModelFiles, Weights, fit_to, is_unused_by_design};
use vqtoken_model::config::{OneVisionConfig, SiglipTextConfig, VqAttentionConfig};
use vqtoken_model::{
    ChatTemplate, OneVision, RetrievalFiles, RetrievalTokenizer, TokenRerankerConfig, TokenRetrieverConfig,
    Tokenizer,
};
use vqtoken_nn::PackLayers;
use vqtoken_shapes::{event_count, fact_count};
use vqtoken_video::PixelSpec;

use crate::config::{
    InitialModel, LoadedModel, NewModel, Part, RerankingConfig, RetrievalConfig, TrainConfig,
};
use crate::error::TrainError;
use crate::init;
use crate::input_file::{read_bytes, read_text};
use crate::tensors::training_device;
use crate::tokenized_conversation::ConversationTokenizer;
use crate::train_tokenizer::{MESSAGE_END, train_tokenizer};

/// A model with everything that belongs to it, its parameters unpacked and on a device with gradients.
#[derive(Debug)]
pub(crate) struct TrainedModel {
    /// Its shape.
    pub(crate) config: OneVisionConfig,
    /// Its parameters.
    pub(crate) model: OneVision,
    tokenizer: Tokenizer,
    tokenizer_json: Vec<u8>,
    template: ChatTemplate,
    /// How frames become pixels.
    pub(crate) pixel_spec: PixelSpec,
}

impl TrainedModel {
    /// Initialises or loads the model that a configuration names.
    ///
    /// # Errors
    ///
    /// If a file is missing or damaged, or files do not belong together.
    pub(crate) fn initial(run: &TrainConfig) -> Result<Self, TrainError> {
        match &run.model {
            InitialModel::New(new) => Self::new(new, run),
            InitialModel::Loaded(loaded) => {
                let read_config = |file| read_config(file, &run.limits);
                let config = loaded.config.as_deref().map(read_config).transpose()?;
                let (vq_attention, reinitialize) = (loaded.vq_attention.clone(), loaded.reinitialize.clone());
                let load = Load { config, vq_attention, reinitialize, seed: run.seed };
                let model = load.directory(&loaded.directory, &run.limits)?;
                match loaded.reinitialize.contains(&Part::LanguageModel) {
                    true => model.with_new_words(loaded, run),
                    false => Ok(model),
                }
            }
        }
    }

    fn new(new: &NewModel, run: &TrainConfig) -> Result<Self, TrainError> {
        let device = training_device();
        let mut config = read_config(&new.config, &run.limits)?;
        let (tokenizer, tokenizer_json) =
            new_tokenizer(new.tokenizer.as_deref(), run, config.text.vocabulary)?;
        config.text.end_tokens = tokenizer.id(MESSAGE_END).into_iter().collect();
        let model = init::seeded(run.seed, &device, || OneVision::new(&config, &device));
        Ok(Self {
            model: init::with_structure(model, &config.text),
            tokenizer,
            tokenizer_json,
            template: ChatTemplate::ChatMl,
            pixel_spec: PixelSpec { size: config.vision.image_size, ..PixelSpec::default() },
            config,
        })
    }

    /// The same with the tokenizer of a language model that is initialised anew.
    fn with_new_words(mut self, loaded: &LoadedModel, run: &TrainConfig) -> Result<Self, TrainError> {
        (self.tokenizer, self.tokenizer_json) =
            new_tokenizer(loaded.tokenizer.as_deref(), run, self.config.text.vocabulary)?;
        self.config.text.end_tokens = self.tokenizer.id(MESSAGE_END).into_iter().collect();
        self.template = ChatTemplate::ChatMl;
        if let Some(file) = &loaded.prototypes {
            let embeddings = init::prototypes(file, &self.tokenizer, self.config.text.hidden_size)?;
            self.model = init::with_embeddings(self.model, &embeddings);
        }
        Ok(self)
    }

    /// The same with the parameters that an earlier stage has written.
    ///
    /// # Errors
    ///
    /// If that model is damaged or has another shape.
    pub(crate) fn replaced_by(self, directory: &Path) -> Result<Self, TrainError> {
        let load = Load { config: Some(self.config), vq_attention: None, reinitialize: Vec::new(), seed: 0 };
        load.directory(directory, &Limits::default())
    }

    /// Writes the model as a directory in the `transformers` layout.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn save(&self, directory: &Path) -> Result<(), TrainError> {
        Ok(vqtoken_model::checkpoint::save(directory, &self.config, &self.model, &self.tokenizer_json)?)
    }

    /// The shape of what a stage of retrieval trains for this model.
    ///
    /// # Errors
    ///
    /// If the model cannot be written for a moment, which is how its id is found; `name` is what the model is called in it.
    pub(crate) fn retrieval_shape(
        &self,
        config: &RetrievalConfig,
        name: &str,
    ) -> Result<TokenRetrieverConfig, TrainError> {
        Ok(TokenRetrieverConfig {
            model: self.id(name)?,
            features: config.features,
            code_features: self.config.text.hidden_size,
            code_layers: config.code_layers,
            vocabulary: self.config.text.vocabulary,
            text_features: config.text_features,
            text_layers: config.text_layers,
            text_tokens: config.text_tokens,
            pad_token: self.pad_token(),
            heads: config.heads,
            expansion: config.expansion,
        })
    }

    /// The shape of what a stage of reranking trains for this model.
    ///
    /// # Errors
    ///
    /// As [`Self::retrieval_shape`].
    pub(crate) fn reranking_shape(
        &self,
        config: &RerankingConfig,
        name: &str,
    ) -> Result<TokenRerankerConfig, TrainError> {
        Ok(TokenRerankerConfig {
            model: self.id(name)?,
            code_features: self.config.text.hidden_size,
            code_layers: config.code_layers,
            vocabulary: self.config.text.vocabulary,
            text_features: config.text_features,
            text_layers: config.text_layers,
            text_tokens: config.text_tokens,
            pad_token: self.pad_token(),
            facts: fact_count(),
            events: event_count(),
            heads: config.heads,
            expansion: config.expansion,
        })
    }

    /// The id that the model has under a name, which is found by writing it for a moment.
    fn id(&self, name: &str) -> Result<String, TrainError> {
        let folder = std::env::temp_dir();
        let folder = tempfile::TempDir::new_in(&folder)
            .map_err(|source| TrainError::Unwritable { path: folder, source })?;
        let directory = folder.path().join(name);
        self.save(&directory)?;
        Ok(Checkpoint::open(&directory)?.id().to_owned())
    }

    /// What texts that are compared with codes are padded with.
    fn pad_token(&self) -> u32 {
        self.config.text.end_tokens.first().copied().unwrap_or_default()
    }

    /// How texts become ids for a text tower of this shape.
    ///
    /// # Errors
    ///
    /// If the tokenizer does not fit it.
    pub(crate) fn retrieval_tokenizer(
        &self,
        shape: &SiglipTextConfig,
    ) -> Result<RetrievalTokenizer, TrainError> {
        let file = Path::new("the model's tokenizer.json");
        Ok(RetrievalTokenizer::new(file, &self.tokenizer_json, shape)?)
    }

    /// Writes what a stage of retrieval or reranking has trained for this model; what is there is taken as written.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn save_beside(
        folder: &Path,
        shape: &impl Serialize,
        modules: &(impl Module + PackLayers),
    ) -> Result<(), TrainError> {
        if folder.exists() {
            return Ok(());
        }
        Ok(RetrievalFiles::save(folder, shape, modules)?)
    }

    /// How conversations become ids.
    pub(crate) fn conversation_tokenizer(&self) -> ConversationTokenizer {
        ConversationTokenizer { tokenizer: self.tokenizer.clone(), template: self.template.clone() }
    }
}

/// How a stored model is loaded.
struct Load {
    /// The shape that it gets; without it, its own.
    config: Option<OneVisionConfig>,
    /// The VQ-attention that it gets; without it, that of its shape.
    vq_attention: Option<VqAttentionConfig>,
    /// Parts that are initialised anew.
    reinitialize: Vec<Part>,
    /// Seed of their parameters.
    seed: u64,
}

impl Load {
    fn directory(self, directory: &Path, limits: &Limits) -> Result<TrainedModel, TrainError> {
        let device = training_device();
        let (files, weights) =
            (ModelFiles::open_within(directory, limits)?, Weights::open_within(directory, limits)?);
        let config_file = directory.join("config.json").display().to_string();
        let mut stored = OneVisionConfig::parse(&config_file, &files.config)?;
        fit_to(&mut stored, &weights);
        let mut config = self.config.unwrap_or_else(|| stored.clone());
        if self.vq_attention.is_some() {
            config.vq_attention = self.vq_attention;
        }
        config.text.end_tokens.clone_from(&stored.text.end_tokens);
        config.visual_input = config.visual_input.or(stored.visual_input);
        let mut new_parts = self.reinitialize;
        if config.vq_attention != stored.vq_attention {
            new_parts.push(Part::VqAttention);
        }
        let prefixes: Vec<&str> = new_parts.iter().flat_map(|part| part.prefixes()).copied().collect();
        let mut filler = Filler::new(&weights);
        filler.skip(&prefixes);
        let new = init::seeded(self.seed, &device, || OneVision::new(&config, &device));
        let model = filler.fill(init::with_structure(new, &config.text));
        filler.finish(|name| {
            is_unused_by_design(name, &config) || prefixes.iter().any(|prefix| name.starts_with(prefix))
        })?;
        let tokenizer_file = directory.join("tokenizer.json");
        Ok(TrainedModel {
            tokenizer: Tokenizer::from_bytes(&tokenizer_file, &files.tokenizer, config.text.vocabulary)?,
            template: files.template.clone(),
            pixel_spec: files.pixel_spec(config.vision.image_size)?,
            tokenizer_json: files.tokenizer,
            model,
            config,
        })
    }
}

/// The tokenizer in a file, or one trained on the data, and the bytes of its `tokenizer.json`.
fn new_tokenizer(
    file: Option<&Path>,
    run: &TrainConfig,
    vocabulary: usize,
) -> Result<(Tokenizer, Vec<u8>), TrainError> {
    let (file, json) = match file {
        Some(file) => (file, read_bytes(file, &run.limits)?),
        None => {
            let json = train_tokenizer(run.data.as_ref(), vocabulary, &run.limits)?;
            (Path::new("the trained tokenizer"), json)
        }
    };
    Ok((Tokenizer::from_bytes(file, &json, vocabulary)?, json))
}

fn read_config(file: &Path, limits: &Limits) -> Result<OneVisionConfig, TrainError> {
    let text = read_text(file, limits)?;
    Ok(OneVisionConfig::parse(&file.display().to_string(), &text)?)
}
