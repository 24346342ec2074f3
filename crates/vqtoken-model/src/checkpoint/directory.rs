//! The files of a model beside its weights: configuration, tokenizer, chat template, what ends an answer.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use vqtoken_video::PixelSpec;

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
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// `generation_config.json`.
    pub generation: Option<String>,
    /// `preprocessor_config.json`.
    pub preprocessor: Option<String>,
    /// The template that a checkpoint brings.
    pub template: ChatTemplate,
}

impl ModelFiles {
    /// Reads the files of a model directory; only `config.json` and `tokenizer.json` have to be there.
    pub fn open(directory: &Path) -> Result<Self, ModelError> {
        if !directory.exists() {
            return Err(ModelError::NotFound { path: directory.to_owned() });
        }
        if !directory.is_dir() {
            return Err(ModelError::Config {
                file: directory.display().to_string(),
                problem: "a model is a directory with config.json, model.safetensors and tokenizer.json; this is a file"
                    .to_owned(),
            });
        }
        Ok(Self {
            place: directory.to_owned(),
            config: String::from_utf8(required(directory, "config.json")?)
                .map_err(|_| not_text(directory, "config.json"))?,
            tokenizer: required(directory, "tokenizer.json")?,
            generation: optional_text(directory, "generation_config.json")?,
            preprocessor: optional_text(directory, "preprocessor_config.json")?,
            template: template(directory)?,
        })
    }

    /// How frames become pixel values: as the preprocessor says, else the mean and deviation of 0.5 that SigLIP has.
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
            if spec.std.iter().any(|deviation| *deviation <= 0.0) {
                return Err(self.bad(file, format!("image_std is {:?}; it has to be above 0", spec.std)));
            }
        }
        Ok(spec)
    }

    /// Tokens that end an answer: those of `generation_config.json`, or `configured` if it names none.
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
        ModelError::Config { file: self.place.join(file).display().to_string(), problem }
    }
}

fn required(directory: &Path, name: &str) -> Result<Vec<u8>, ModelError> {
    let path = directory.join(name);
    std::fs::read(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ModelError::Config {
            file: directory.display().to_string(),
            problem: format!("there is no {name}: give a directory that holds a whole model"),
        },
        _ => ModelError::Unreadable { path, source },
    })
}

fn optional_text(directory: &Path, name: &str) -> Result<Option<String>, ModelError> {
    if !directory.join(name).exists() {
        return Ok(None);
    }
    String::from_utf8(required(directory, name)?).map(Some).map_err(|_| not_text(directory, name))
}

fn not_text(directory: &Path, name: &str) -> ModelError {
    ModelError::Config {
        file: directory.join(name).display().to_string(),
        problem: "it is no UTF-8 text".to_owned(),
    }
}

/// The template of the processor, else of the tokenizer, else plain ChatML.
fn template(directory: &Path) -> Result<ChatTemplate, ModelError> {
    #[derive(Deserialize)]
    struct Holder {
        chat_template: Option<serde_json::Value>,
    }
    let jinja = |file: &str, source: String| ChatTemplate::Jinja {
        file: directory.join(file).display().to_string(),
        source,
    };
    if let Some(source) = optional_text(directory, "chat_template.jinja")? {
        return Ok(jinja("chat_template.jinja", source));
    }
    for file in ["chat_template.json", "tokenizer_config.json"] {
        let Some(text) = optional_text(directory, file)? else { continue };
        let holder: Holder = serde_json::from_str(&text).map_err(|error| ModelError::Config {
            file: directory.join(file).display().to_string(),
            problem: error.to_string(),
        })?;
        // A list of named templates is possible too; it has no single answer, so plain ChatML serves.
        if let Some(serde_json::Value::String(source)) = holder.chat_template {
            return Ok(jinja(file, source));
        }
    }
    Ok(ChatTemplate::ChatMl)
}
