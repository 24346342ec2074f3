//! Fetching, into the cache that other tools of the hub use too.
//!
//! | variable | what it sets |
//! | --- | --- |
//! | `HF_HUB_CACHE`, else `HF_HOME` | the cache: this folder, or `hub` in it; by default `~/.cache/huggingface/hub` |
//! | `HF_TOKEN` | the token for gated models; by default the one that the hub's own tools keep |
//! | `HF_ENDPOINT` | another hub than <https://huggingface.co> |
//! | `HF_HUB_OFFLINE` | use the cache alone |

use std::env;
use std::fs;
use std::path::PathBuf;

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo};

use super::HubError;
use super::files::wanted;
use crate::error::ModelError;

const PUBLIC_HUB: &str = "https://huggingface.co";

/// How often a broken download is taken up again; one that is given up is taken up by the next run.
const RETRIES: usize = 4;

/// The directory of a model's files. What is not in the cache is fetched, with a progress bar for each file.
///
/// A model that is complete in the cache is used as it is, even if the hub has a newer revision.
///
/// # Errors
///
/// If the hub does not have it, refuses it or cannot be reached, and it is not in the cache either.
pub(crate) fn fetch(id: &str) -> Result<PathBuf, ModelError> {
    let cache = cache();
    let cached = Cached::find(&cache, id);
    if is_set("HF_HUB_OFFLINE") {
        let missing = || HubError::NotCached { id: id.to_owned(), cache: cache.path().clone() };
        return Ok(cached.ok_or_else(missing)?.snapshot);
    }
    let endpoint = env::var("HF_ENDPOINT").unwrap_or_else(|_| PUBLIC_HUB.to_owned());
    let endpoint = endpoint.trim_end_matches('/').to_owned();
    let mut builder = ApiBuilder::from_cache(Cache::from_env())
        .with_cache_dir(cache.path().clone())
        .with_endpoint(endpoint.clone())
        .with_retries(RETRIES)
        .with_progress(true);
    if let Some(token) = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"].iter().find_map(|name| env::var(name).ok()) {
        builder = builder.with_token(Some(token.trim().to_owned()).filter(|token| !token.is_empty()));
    }
    let failed = |what: &str, error: &ApiError| cause_of(id, what, &endpoint, error);
    let repository = builder.build().map_err(|error| failed(id, &error))?.model(id.to_owned());
    let info = match repository.info().map_err(|error| failed(id, &error)) {
        Ok(info) => info,
        // Without a network, what is here serves.
        Err(HubError::Unreachable { id, endpoint, cause }) => {
            let unreachable = HubError::Unreachable { id, endpoint, cause };
            return Ok(cached.ok_or(unreachable)?.snapshot);
        }
        Err(error) => return Err(error.into()),
    };
    let there: Vec<String> = info.siblings.into_iter().map(|file| file.rfilename).collect();
    let wanted = wanted(id, &there)?;
    if let Some(cached) = cached.as_ref().filter(|cached| cached.has(&wanted)) {
        return Ok(cached.snapshot.clone());
    }
    // Files of an older revision do not belong to those that are fetched now.
    let is_current = cached.is_none_or(|cached| cached.revision == info.sha);
    let get: fn(&ApiRepo, &str) -> Result<PathBuf, ApiError> = if is_current {
        |repository, name| repository.get(name)
    } else {
        |repository, name| repository.download(name)
    };
    let mut snapshot = None;
    for name in wanted {
        let path = get(&repository, name).map_err(|error| failed(&format!("{id}/{name}"), &error))?;
        // All files of one revision lie in one folder.
        snapshot = path.ancestors().nth(name.split('/').count()).map(PathBuf::from);
    }
    let not_found = || HubError::NotFound { id: id.to_owned(), what: id.to_owned() };
    Ok(snapshot.ok_or_else(not_found)?)
}

/// `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else in the user's cache.
fn cache() -> Cache {
    match env::var_os("HF_HUB_CACHE").filter(|path| !path.is_empty()) {
        Some(path) => Cache::new(PathBuf::from(path)),
        None => Cache::from_env(),
    }
}

/// Whether a variable says yes, as the hub's own tools read it.
fn is_set(name: &str) -> bool {
    env::var(name)
        .is_ok_and(|value| ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str()))
}

/// A revision of a model in the cache.
#[derive(Debug)]
struct Cached {
    revision: String,
    snapshot: PathBuf,
}

impl Cached {
    fn find(cache: &Cache, id: &str) -> Option<Self> {
        let folder = cache.path().join(Repo::model(id.to_owned()).folder_name());
        let revision = fs::read_to_string(folder.join("refs/main")).ok()?.trim().to_owned();
        let snapshot = folder.join("snapshots").join(&revision);
        snapshot.is_dir().then_some(Self { revision, snapshot })
    }

    fn has(&self, files: &[&str]) -> bool {
        files.iter().all(|name| self.snapshot.join(name).exists())
    }
}

/// Why a request failed. The status is only in the client's message.
fn cause_of(id: &str, what: &str, endpoint: &str, error: &ApiError) -> HubError {
    let message = error.to_string();
    let cause = message.lines().next().unwrap_or_default().to_owned();
    let has = |status: u16| message.contains(&format!("status: {status}"));
    let id = id.to_owned();
    match [401, 403].into_iter().find(|&status| has(status)) {
        Some(status) => HubError::Refused { id, status },
        None if has(404) => HubError::NotFound { id, what: what.to_owned() },
        None => HubError::Unreachable { id, endpoint: endpoint.to_owned(), cause },
    }
}
