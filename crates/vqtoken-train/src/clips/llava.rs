//! Conversations about videos in LLaVA's JSON, as LLaVA-Video-178K is published: a list of entries with `id`, `video` and
//! `conversations`, whose turns are from `human` and `gpt`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use thiserror::Error;
use vqtoken_shapes::Scene;
use vqtoken_video::{Frame, Sampling, Video};

use super::{AnswerKind, Clips, Conversation, Use};
use crate::config::LlavaConfig;
use crate::error::TrainError;
use crate::rng::Rng;

/// Why LLaVA's JSON cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LlavaError {
    /// It is not a list.
    #[error("it is not a list of conversations: {0}")]
    NotAList(serde_json::Error),
    /// The list is empty.
    #[error("it has no conversations")]
    Empty,
    /// An entry is malformed.
    #[error("row {row}: {source}")]
    Row {
        /// The entry, from 1.
        row: usize,
        /// What is wrong with it.
        source: LlavaRowError,
    },
    /// Videos are missing.
    #[error(
        "{count} videos are missing, the first is {} (row {row}): add them or remove their rows", first.display()
    )]
    MissingVideos {
        /// Entries whose video is missing.
        count: usize,
        /// The first such video.
        first: PathBuf,
        /// Its entry, from 1.
        row: usize,
    },
}

/// Why an entry of LLaVA's JSON cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LlavaRowError {
    /// It does not have the fields of an entry.
    #[error(transparent)]
    Fields(#[from] serde_json::Error),
    /// It is about an image, or a text alone.
    #[error("{id} has no video: remove rows about images")]
    NoVideo {
        /// Its `id` as JSON.
        id: String,
    },
    /// The number of turns is 0 or odd.
    #[error("{0} turns are not pairs of human and gpt")]
    NotPairs(usize),
    /// A pair is not from `human` and `gpt`.
    #[error("turns are from {question:?} and {answer:?}, expected \"human\" and \"gpt\"")]
    Speakers {
        /// Who asks.
        question: String,
        /// Who answers.
        answer: String,
    },
    /// A question or an answer is empty.
    #[error("a turn has no text")]
    NoText,
}

/// Videos, each with the conversations about it.
#[derive(Debug)]
pub(crate) struct LlavaClips {
    clips: Vec<(PathBuf, Vec<Conversation>)>,
    /// How many of them, from the end, are kept for validation.
    validation: usize,
}

#[derive(Deserialize)]
struct Row {
    id: Option<serde_json::Value>,
    video: Option<String>,
    conversations: Vec<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    from: String,
    value: String,
}

impl LlavaClips {
    /// Reads the conversations, and finds their videos.
    ///
    /// # Errors
    ///
    /// If a row is malformed or its video is missing.
    pub(crate) fn read(config: &LlavaConfig) -> Result<Self, TrainError> {
        let file = &config.json;
        let text = std::fs::read_to_string(file)
            .map_err(|source| TrainError::Unreadable { path: file.clone(), source })?;
        Self::parse(&text, config).map_err(|source| TrainError::Llava { file: file.clone(), source })
    }

    fn parse(text: &str, config: &LlavaConfig) -> Result<Self, LlavaError> {
        let rows: Vec<serde_json::Value> = serde_json::from_str(text).map_err(LlavaError::NotAList)?;
        let mut clips: Vec<(PathBuf, Vec<Conversation>)> = Vec::new();
        let mut by_path: BTreeMap<PathBuf, usize> = BTreeMap::new();
        let mut missing: Vec<(PathBuf, usize)> = Vec::new();
        for (index, value) in rows.into_iter().enumerate() {
            let row = index + 1;
            let (video, conversation) = entry(value).map_err(|source| LlavaError::Row { row, source })?;
            let path = config.videos.join(video);
            if !path.is_file() {
                missing.push((path, row));
                continue;
            }
            let clip = *by_path.entry(path.clone()).or_insert(clips.len());
            match clips.get_mut(clip) {
                Some((_, conversations)) => conversations.push(conversation),
                None => clips.push((path, vec![conversation])),
            }
        }
        let count = missing.len();
        if let Some((first, row)) = missing.into_iter().next() {
            return Err(LlavaError::MissingVideos { count, first, row });
        }
        if clips.is_empty() {
            return Err(LlavaError::Empty);
        }
        let validation = ((clips.len() as f64 * config.validation) as usize).min(clips.len() - 1);
        Ok(Self { clips, validation })
    }
}

/// The video of an entry and the conversation about it.
fn entry(value: serde_json::Value) -> Result<(String, Conversation), LlavaRowError> {
    let Row { id, video, conversations } = serde_json::from_value(value)?;
    let Some(video) = video else {
        let id = id.map_or_else(|| "the entry".to_owned(), |id| id.to_string());
        return Err(LlavaRowError::NoVideo { id });
    };
    let (pairs, rest) = conversations.as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return Err(LlavaRowError::NotPairs(conversations.len()));
    }
    let turns = pairs.iter().map(pair).collect::<Result<_, _>>()?;
    Ok((video, Conversation { kind: AnswerKind::Open, turns }))
}

fn pair([human, gpt]: &[Turn; 2]) -> Result<(String, String), LlavaRowError> {
    if human.from != "human" || gpt.from != "gpt" {
        return Err(LlavaRowError::Speakers { question: human.from.clone(), answer: gpt.from.clone() });
    }
    let question = human.value.replace("<image>", "").replace("<video>", "").trim().to_owned();
    let answer = gpt.value.trim().to_owned();
    match question.is_empty() || answer.is_empty() {
        true => Err(LlavaRowError::NoText),
        false => Ok((question, answer)),
    }
}

impl Clips for LlavaClips {
    fn count(&self, of: Use) -> usize {
        match of {
            Use::Training => self.clips.len() - self.validation,
            Use::Validation => self.validation,
        }
    }

    fn index(&self, of: Use, position: usize) -> usize {
        match of {
            Use::Training => position,
            Use::Validation => self.clips.len() - self.validation + position,
        }
    }

    fn frames(&self, clip: usize, frames: usize) -> Result<Vec<Frame>, TrainError> {
        Ok(Video::open(&self.clips[clip].0)?.sample(Sampling::Uniform(frames))?.frames)
    }

    fn conversations(&self, clip: usize, count: usize, rng: &mut Rng) -> Vec<Conversation> {
        let all = &self.clips[clip].1;
        (0..count).map(|_| all[rng.below(all.len())].clone()).collect()
    }

    fn validation(&self, clip: usize) -> Vec<Conversation> {
        self.clips[clip].1.clone()
    }

    fn scene(&self, _clip: usize) -> Option<&Scene> {
        None
    }

    fn pictures(&self) -> String {
        let names = self.clips.iter().map(|(path, _)| path.display().to_string());
        names.collect::<Vec<_>>().join("\n")
    }
}
