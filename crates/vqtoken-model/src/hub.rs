//! Models of the Hugging Face hub, by id.

use std::path::{Component, Path, PathBuf};

use crate::error::ModelError;

/// `owner/name`, if the path is written like a repository of the hub.
pub(crate) fn repository_id(path: &Path) -> Option<&str> {
    let parts: Vec<_> = path.components().collect();
    let plain = parts.len() == 2 && parts.iter().all(|part| matches!(part, Component::Normal(_)));
    path.to_str().filter(|text| plain && !text.ends_with('/') && !text.contains('\\'))
}

/// The directory that holds the files of a repository, fetched if they are not there yet.
#[cfg(not(feature = "hub"))]
pub(crate) fn fetch(id: &str) -> Result<PathBuf, ModelError> {
    Err(ModelError::Hub(format!(
        "there is no directory {id}; to fetch it as a model of the Hugging Face hub, build with `--features hub`"
    )))
}

#[cfg(feature = "hub")]
pub(crate) use online::fetch;

#[cfg(feature = "hub")]
mod online {
    use super::{ModelError, PathBuf};

    use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};

    /// Files that a model has to have, and files that are used if they are there.
    const REQUIRED: [&str; 2] = ["config.json", "tokenizer.json"];
    const OPTIONAL: [&str; 5] = [
        "generation_config.json",
        "preprocessor_config.json",
        "chat_template.jinja",
        "chat_template.json",
        "tokenizer_config.json",
    ];

    /// Fetches what is not in the local cache yet, with a progress bar a file.
    ///
    /// The token for gated repositories is read from `HF_TOKEN`, else from where the hub's own tools keep it; `HF_HOME`
    /// and `HF_ENDPOINT` are respected.
    pub(crate) fn fetch(id: &str) -> Result<PathBuf, ModelError> {
        let mut builder = ApiBuilder::from_env().with_progress(true);
        if let Ok(token) = std::env::var("HF_TOKEN") {
            builder = builder.with_token(Some(token));
        }
        let api = builder.build().map_err(|error| failed(id, &error))?;
        let repository = api.model(id.to_owned());
        let there: Vec<String> = repository
            .info()
            .map_err(|error| failed(id, &error))?
            .siblings
            .into_iter()
            .map(|file| file.rfilename)
            .collect();

        let mut directory = None;
        for name in REQUIRED {
            directory = Some(get(&repository, id, name)?);
        }
        for name in OPTIONAL.into_iter().filter(|name| there.iter().any(|file| file == name)) {
            get(&repository, id, name)?;
        }
        for name in weight_files(&there) {
            get(&repository, id, name)?;
        }
        // All files of one revision lie in one folder.
        directory
            .and_then(|file| file.parent().map(PathBuf::from))
            .ok_or_else(|| ModelError::Hub(format!("{id}: the cache gave no folder")))
    }

    /// The whole file if there is one, else the index and its shards.
    fn weight_files(there: &[String]) -> Vec<&str> {
        const WHOLE: &str = "model.safetensors";
        if there.iter().any(|file| file == WHOLE) {
            return vec![WHOLE];
        }
        let is_part = |file: &&str| file.starts_with("model") && !file.contains('/');
        let is_weights =
            |file: &&str| file.ends_with(".safetensors") || file.ends_with(".safetensors.index.json");
        there.iter().map(String::as_str).filter(is_part).filter(is_weights).collect()
    }

    fn get(repository: &ApiRepo, id: &str, name: &str) -> Result<PathBuf, ModelError> {
        repository.get(name).map_err(|error| failed(&format!("{id}/{name}"), &error))
    }

    fn failed(what: &str, error: &ApiError) -> ModelError {
        let message = error.to_string();
        let line = message.lines().next().unwrap_or_default();
        let gated = ["401", "403"].iter().any(|status| message.contains(status));
        let id = what.split('/').take(2).collect::<Vec<_>>().join("/");
        ModelError::Hub(match (gated, message.contains("404")) {
            (true, _) => format!(
                "{what}: the hub refuses it ({line}): if the repository is gated, accept its terms on its page \
                 (https://huggingface.co/{id}) and set HF_TOKEN to a token of that account"
            ),
            (_, true) => format!("{what}: the hub has no such model or file ({line}): check the id"),
            _ => format!("{what} cannot be fetched ({line}): check the network, or give a model directory"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_pairs_are_ids() {
        assert_eq!(repository_id(Path::new("llava-hf/model")), Some("llava-hf/model"));
        for path in ["model", "./a/b", "/a/b", "a/b/c", "../b", "a/b/"] {
            assert_eq!(repository_id(Path::new(path)), None, "{path}");
        }
    }
}
