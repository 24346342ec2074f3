//! Models of the Hugging Face hub, by id.

mod error;
#[cfg(feature = "hub")]
mod files;
#[cfg(feature = "hub")]
mod online;

use std::path::{Component, Path};

pub use self::error::HubError;
#[cfg(feature = "hub")]
pub(crate) use self::online::fetch;

/// `owner/name`, if the path is written like a repository of the hub.
pub(crate) fn repository_id(path: &Path) -> Option<&str> {
    let parts: Vec<_> = path.components().collect();
    let plain = parts.len() == 2 && parts.iter().all(|part| matches!(part, Component::Normal(_)));
    path.to_str().filter(|text| plain && !text.ends_with('/') && !text.contains('\\'))
}

/// The directory that holds the files of a repository, fetched if they are not there yet.
#[cfg(not(feature = "hub"))]
pub(crate) fn fetch(id: &str) -> Result<std::path::PathBuf, crate::error::ModelError> {
    Err(HubError::LeftOut { id: id.to_owned() }.into())
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
