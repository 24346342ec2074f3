//! Why a model cannot be had from the hub.

use std::path::PathBuf;

use vqtoken_files::quoted;

/// A name is no directory here, and no model of the hub that can be had either.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The program was built without the feature.
    #[error(
        "there is no directory {id}; to fetch it as a model of the Hugging Face hub, build with the feature `hub`, which is on by default"
    )]
    LeftOut {
        /// What was asked for.
        id: String,
    },
    /// The hub does not know it.
    #[error(
        "there is no directory {id}, and the hub has no such model or file ({what}: 404): check the spelling"
    )]
    NotFound {
        /// The model.
        id: String,
        /// The model, or one of its files.
        what: String,
    },
    /// The hub wants to know who asks.
    #[error(
        "there is no directory {id}, and the hub refuses the model {id} ({status}): check the spelling; if the model is gated, accept \
         its terms on https://huggingface.co/{id} and set HF_TOKEN to a token of that account"
    )]
    Refused {
        /// The model.
        id: String,
        /// The status of the answer: 401 or 403.
        status: u16,
    },
    /// The hub cannot be reached, and the model is not in the cache.
    #[error(
        "there is no directory {id}, and the model {id} cannot be fetched from {endpoint} ({cause}): check the spelling or the network, \
         or give a model directory"
    )]
    Unreachable {
        /// The model.
        id: String,
        /// The hub.
        endpoint: String,
        /// What the network says.
        cause: String,
    },
    /// The network may not be used, and the model is not in the cache.
    #[error(
        "there is no directory {id}, and the model {id} is not in {}, with HF_HUB_OFFLINE set: fetch it once without, or give a model directory",
        quoted(cache)
    )]
    NotCached {
        /// The model.
        id: String,
        /// The cache.
        cache: PathBuf,
    },
    /// The repository has no weights that can be read.
    #[error("the repository {id} has no safetensors files{}: take a checkpoint in safetensors, or convert it", found(other.as_deref()))]
    NoWeights {
        /// The model.
        id: String,
        /// A weight file of another format that it has.
        other: Option<String>,
    },
}

fn found(other: Option<&str>) -> String {
    other.map(|file| format!(", only {file}")).unwrap_or_default()
}
