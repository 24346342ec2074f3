//! The files of a model beside its weights: configuration, tokenizer, chat template, what ends an answer.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use vqtoken_files::{Limits, quoted};
use vqtoken_video::PixelSpec;

use super::adapter::{Adapter, is_adapter};
use super::template_files::chat_template;
use super::text_files::{self, TextFiles};
use super::tokenizer_files::{named_special_tokens, tokenizer_json};
use super::weight_files::other_format;
use crate::config::TokenIds;
use crate::error::ModelError;
use crate::text::ChatTemplate;

/// The text files of a checkpoint, from a directory or from inside the program.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    /// Where they are, for messages.
    pub place: PathBuf,
    /// `config.json`.
    pub config: String,
    /// `tokenizer.json`, with the tokens that other files of the directory add.
    pub tokenizer: Vec<u8>,
    /// `generation_config.json`.
    pub generation: Option<String>,
    /// What says how frames become pixel values: the text of one of the preprocessors' files.
    pub preprocessor: Option<String>,
    /// The token that ends a message, as the tokenizer names it.
    pub end_of_message: Option<String>,
    /// The template that a checkpoint brings.
    pub template: ChatTemplate,
}

/// Where frames' pixel values are described, first found first, and the section of that file.
const PREPROCESSORS: [(&str, Option<&str>); 5] = [
    ("video_preprocessor_config.json", None),
    ("preprocessor_config.json", None),
    ("processor_config.json", Some("video_processor")),
    ("processor_config.json", Some("image_processor")),
    ("processor_config.json", None),
];

impl ModelFiles {
    /// Reads the files of a model directory; only `config.json` and a tokenizer have to be there.
    ///
    /// # Errors
    ///
    /// If there is no such directory, one of these is missing, or a file is damaged. An adapter without its base model is no model.
    pub fn open(directory: &Path) -> Result<Self, ModelError> {
        Self::open_within(directory, &Limits::default())
    }

    /// [`Self::open`] where each file may have [`Limits::bytes`].
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_within(directory: &Path, limits: &Limits) -> Result<Self, ModelError> {
        if !directory.exists() {
            return Err(ModelError::NotFound { path: directory.to_owned() });
        }
        if let Some(format) = directory.to_str().and_then(other_format).filter(|_| directory.is_file()) {
            return Err(ModelError::WeightFormat { path: directory.to_owned(), format });
        }
        if !directory.is_dir() {
            return Err(ModelError::Config {
                file: quoted(directory).to_string(),
                problem: "a model is a directory with config.json, model.safetensors and tokenizer.json; this is a file"
                    .to_owned(),
            });
        }
        if is_adapter(directory) {
            let adapter = Adapter::open(directory, limits)?;
            return Err(ModelError::AdapterBase {
                adapter: directory.to_owned(),
                base: adapter.base().map(str::to_owned),
                problem: "only the adapter was given".to_owned(),
            });
        }
        let files = TextFiles { directory, limits };
        let config = files.text("config.json")?;
        let config = config.ok_or_else(|| without_config(directory))?;
        Ok(Self {
            place: directory.to_owned(),
            config,
            tokenizer: tokenizer_json(&files)?,
            generation: files.text("generation_config.json")?,
            preprocessor: preprocessor(&files)?,
            template: chat_template(&files)?,
            end_of_message: named_special_tokens(&files)?.remove("eos_token"),
        })
    }

    /// The same with the tokenizer and the chat template of an adapter, as far as it has its own.
    pub(super) fn with_text_of(mut self, adapter: &TextFiles<'_>) -> Result<Self, ModelError> {
        let has = |name: &str| adapter.path(name).exists();
        if has("tokenizer.json") || has("vocab.json") {
            self.tokenizer = tokenizer_json(adapter)?;
            self.end_of_message = named_special_tokens(adapter)?.remove("eos_token").or(self.end_of_message);
        }
        if let template @ ChatTemplate::Jinja(_) = chat_template(adapter)? {
            self.template = template;
        }
        Ok(self)
    }

    /// How frames become pixel values: as the preprocessor says, else the mean and deviation of 0.5 that SigLIP has.
    ///
    /// # Errors
    ///
    /// If the preprocessor's file is damaged.
    pub fn pixel_spec(&self, image_size: usize) -> Result<PixelSpec, ModelError> {
        #[derive(Deserialize)]
        struct Preprocessor {
            image_mean: Option<[f32; 3]>,
            image_std: Option<[f32; 3]>,
        }
        let mut spec = PixelSpec { size: image_size, ..PixelSpec::default() };
        if let Some(text) = &self.preprocessor {
            let file = "preprocessor_config.json";
            let preprocessor: Preprocessor =
                serde_json::from_str(text).map_err(|error| self.bad(file, error.to_string()))?;
            spec.mean = preprocessor.image_mean.unwrap_or(spec.mean);
            spec.std = preprocessor.image_std.unwrap_or(spec.std);
            let is_deviation = |x: &f32| x.is_finite() && *x > 0.0;
            if !spec.std.iter().all(is_deviation) || !spec.mean.iter().all(|x| x.is_finite()) {
                let problem = format!(
                    "image_mean is {:?} and image_std {:?}; both have to be finite and image_std above 0",
                    spec.mean, spec.std
                );
                return Err(self.bad(file, problem));
            }
        }
        Ok(spec)
    }

    /// Tokens that end an answer: those of `generation_config.json`, or `configured` if it names none.
    ///
    /// # Errors
    ///
    /// If `generation_config.json` is damaged.
    pub fn end_tokens(&self, configured: &[u32]) -> Result<Vec<u32>, ModelError> {
        #[derive(Deserialize)]
        struct Generation {
            eos_token_id: Option<TokenIds>,
        }
        let Some(text) = &self.generation else { return Ok(configured.to_vec()) };
        let generation: Generation = serde_json::from_str(text)
            .map_err(|error| self.bad("generation_config.json", error.to_string()))?;
        Ok(generation.eos_token_id.map_or_else(|| configured.to_vec(), TokenIds::into_vec))
    }

    fn bad(&self, file: &str, problem: String) -> ModelError {
        text_files::bad(&self.place.join(file), problem)
    }
}

fn without_config(directory: &Path) -> ModelError {
    let has_gguf = std::fs::read_dir(directory).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.path().extension().is_some_and(|extension| extension == "gguf"))
    });
    match has_gguf {
        true => ModelError::WeightFormat { path: directory.to_owned(), format: "GGUF" },
        false => ModelError::Config {
            file: quoted(directory).to_string(),
            problem: "there is no config.json: give a directory that holds a whole model".to_owned(),
        },
    }
}

/// The text of the first preprocessor that says something about pixel values.
fn preprocessor(files: &TextFiles<'_>) -> Result<Option<String>, ModelError> {
    for (file, section) in PREPROCESSORS {
        let Some(mut json) = files.optional_json::<Value>(file)? else { continue };
        if let Some(section) = section {
            json = json[section].take();
        }
        if json.get("image_mean").is_some() || json.get("image_std").is_some() {
            return Ok(Some(json.to_string()));
        }
    }
    Ok(None)
}
