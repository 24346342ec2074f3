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
