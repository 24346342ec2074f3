//! The archive, from threads that may block, with its errors as clients are told.

use std::sync::Arc;

use vqtoken_archive::{Archive, ArchiveError, FINE, VideoRecord};
use vqtoken_core::{Budget, VideoTokens};

use crate::app::App;
use crate::error::ApiError;
use crate::videos::fewer::with_budget;

const LOOK: &str = "GET /v1/videos lists what is stored";

impl From<ArchiveError> for ApiError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::NotFound { id } => Self::NotFound { what: "video", id, remedy: LOOK },
            ArchiveError::NoFrame { frame, stored, .. } => Self::NotFound {
                what: "frame",
                id: frame.to_string(),
                remedy: if stored == 0 {
                    "no frames of this video are stored"
                } else {
                    "the first is frame 0"
                },
            },
            ArchiveError::TooLarge { .. } | ArchiveError::LongTexts { .. } => Self::refused("file", error),
            error => {
                tracing::error!(%error, "the store failed");
                Self::Store { problem: "a file of the store cannot be read or written".to_owned() }
            }
        }
    }
}

/// Asks the archive in a thread that may block.
pub(crate) async fn ask<T: Send + 'static>(
    app: &App,
    ask: impl FnOnce(&Archive) -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, ApiError> {
    let archive = app.archive.clone();
    Ok(crate::blocking(move || ask(&archive)).await??)
}

/// Tokens of a stored video under a budget, from memory, from their file, or made from its many codes.
pub(crate) async fn tokens(
    app: &App,
    record: &VideoRecord,
    budget: Option<Budget>,
) -> Result<(Arc<VideoTokens>, Option<String>), ApiError> {
    let text = match budget {
        Some(budget) => budget.to_string(),
        None => record.budget.clone(),
    };
    let is_stored = record.set(&text).is_some();
    let key = (record.id.clone(), text.clone());
    let note = (!is_stored)
        .then(|| format!("the {text} codes were made from the {} codes that are stored", finest(record).1));
    if let Some(tokens) = app.tokens.get(&key) {
        let id = record.id.clone();
        let archive = app.archive.clone();
        // Noting a use may wait for the catalogue.
        drop(tokio::task::spawn_blocking(move || archive.touch(&id)));
        return Ok((tokens, note));
    }
    let (archive, record) = (app.archive.clone(), record.clone());
    let made = move || -> Result<VideoTokens, ApiError> {
        if record.set(&text).is_some() {
            return Ok(archive.tokens(&record.id, &text)?);
        }
        let (set, _) = finest(&record);
        let fine = archive.tokens(&record.id, &set)?;
        match budget {
            Some(budget) => with_budget(&fine, budget),
            None => Ok(fine),
        }
    };
    let tokens = Arc::new(crate::blocking(made).await??);
    app.tokens.put(key, tokens.clone(), weight(&tokens));
    Ok((tokens, note))
}

/// The token set with the most codes, and how many these are.
pub(crate) fn finest(record: &VideoRecord) -> (String, usize) {
    let main = record.main_set().or(record.sets.first());
    let fine = record.set(FINE).or(main);
    fine.map_or_else(|| (FINE.to_owned(), 0), |set| (set.budget.clone(), set.codes))
}

/// What video tokens take in memory.
pub(crate) fn weight(tokens: &VideoTokens) -> usize {
    4 * (tokens.codebook.data().len() + tokens.index_map.labels().len()) + 8 * tokens.timestamps.len()
}
