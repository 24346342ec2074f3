//! What the catalogue knows of a video, and what a new one is made of.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vqtoken_core::{GridShape, Source, VideoTokens};

use crate::error::ArchiveError;
use crate::key::VideoKey;
use crate::layout::check_budget;

/// The budget under which a video's many codes are kept, from which any smaller number is made by [`vqtoken_core::CodeTree`].
pub const FINE: &str = "fine";

/// Bytes of the longest texts of a video: its name, sampling, model and warnings together.
const LONGEST_TEXTS: u64 = 64 << 10;

/// A video in the archive.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct VideoRecord {
    /// `v` and 24 hexadecimal digits, made from the key.
    pub id: String,
    /// Content, model and sampling.
    pub key: VideoKey,
    /// What people call it, such as its file name.
    pub name: String,
    /// When it was stored, in microseconds since 1970.
    pub created: u64,
    /// When it was last used as far as that is on the disk, in microseconds since 1970.
    pub used: u64,
    /// The video that the tokens were made from, if known.
    pub source: Option<Source>,
    /// `[T, H, W]` of all its token sets.
    pub grid: GridShape,
    /// The budget of the first token set, which a request without a budget gets.
    pub budget: String,
    /// All token sets, in the order of their budgets' texts.
    pub sets: Vec<TokenSet>,
    /// How many sampled frames are kept as JPEGs: T, or 0.
    pub frames_stored: usize,
    /// What was odd about the video when it was encoded.
    pub warnings: Vec<String>,
    /// What it takes on the disk, in bytes.
    pub bytes: u64,
}

impl VideoRecord {
    /// The token set of a budget, if it is stored.
    pub fn set(&self, budget: &str) -> Option<&TokenSet> {
        self.sets.iter().find(|set| set.budget == budget)
    }

    /// The token set that a request without a budget gets.
    pub fn main_set(&self) -> Option<&TokenSet> {
        self.set(&self.budget)
    }

    /// How many fine codes are stored; 0 without the fine set.
    pub fn fine_codes(&self) -> usize {
        self.set(FINE).map_or(0, |set| set.codes)
    }

    /// Bytes of the texts that the catalogue keeps.
    pub(crate) fn text_bytes(&self) -> u64 {
        text_bytes(&self.key, &self.name, &self.warnings)
    }

    /// When it was stored.
    pub fn created_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(self.created)
    }
}

/// The tokens of a video under one budget: a `.vqt` file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenSet {
    /// The budget's text, or [`FINE`].
    pub budget: String,
    /// K.
    pub codes: usize,
    /// The size of the `.vqt` file.
    pub bytes: u64,
}

/// Some of the videos, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// The videos.
    pub videos: Vec<VideoRecord>,
    /// Whether there are older ones.
    pub has_more: bool,
}

/// A video to be stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewVideo {
    /// Content, model and sampling.
    pub key: VideoKey,
    /// What people call it.
    pub name: String,
    /// The budget of the tokens, such as `32` or `adaptive:elbow:8-32`.
    pub budget: String,
    /// Its tokens.
    pub tokens: VideoTokens,
    /// Its tokens with many codes.
    pub fine: Option<VideoTokens>,
    /// Its sampled frames as JPEGs, T or none.
    pub jpegs: Vec<Vec<u8>>,
    /// What was odd about it.
    pub warnings: Vec<String>,
}

impl NewVideo {
    /// A video with one token set. Size, length and number of frames are those of the tokens' source.
    pub fn new(
        key: VideoKey,
        name: impl Into<String>,
        budget: impl Into<String>,
        tokens: VideoTokens,
    ) -> Self {
        let (name, budget) = (name.into(), budget.into());
        Self { key, name, budget, tokens, fine: None, jpegs: vec![], warnings: vec![] }
    }

    /// The same with tokens of many codes.
    #[must_use]
    pub fn with_fine(self, fine: Option<VideoTokens>) -> Self {
        Self { fine, ..self }
    }

    /// The same with its sampled frames.
    #[must_use]
    pub fn with_jpegs(self, jpegs: Vec<Vec<u8>>) -> Self {
        Self { jpegs, ..self }
    }

    /// The same with what was odd about it.
    #[must_use]
    pub fn with_warnings(self, warnings: Vec<String>) -> Self {
        Self { warnings, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), ArchiveError> {
        check_budget(&self.budget)?;
        check_tokens(&self.tokens, &self.key.model, self.tokens.index_map.shape())?;
        if let Some(fine) = &self.fine {
            check_tokens(fine, &self.key.model, self.tokens.index_map.shape())?;
        }
        let (frames, jpegs) = (self.tokens.index_map.shape().frames, self.jpegs.len());
        if jpegs != 0 && jpegs != frames {
            return Err(ArchiveError::Jpegs { frames, jpegs });
        }
        if self.budget == FINE && self.fine.is_some() {
            return Err(ArchiveError::TwiceFine);
        }
        match text_bytes(&self.key, &self.name, &self.warnings) {
            bytes if bytes > LONGEST_TEXTS => Err(ArchiveError::LongTexts { bytes, most: LONGEST_TEXTS }),
            _ => Ok(()),
        }
    }
}

/// Whether tokens belong to a video of this model and grid.
pub(crate) fn check_tokens(tokens: &VideoTokens, model: &str, grid: GridShape) -> Result<(), ArchiveError> {
    if tokens.model != model {
        return Err(ArchiveError::Model { video: model.to_owned(), tokens: tokens.model.clone() });
    }
    let found = tokens.index_map.shape();
    if found != grid {
        return Err(ArchiveError::Grid { video: grid, tokens: found });
    }
    Ok(())
}

fn text_bytes(key: &VideoKey, name: &str, warnings: &[String]) -> u64 {
    let warnings: usize = warnings.iter().map(String::len).sum();
    (name.len() + key.model.len() + key.sampling.len() + warnings) as u64
}
