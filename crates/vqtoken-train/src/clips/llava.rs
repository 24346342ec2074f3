//! Conversations about videos in LLaVA's JSON, as LLaVA-Video-178K is published: a list of entries with `id`, `video` and
//! `conversations`, whose turns are from `human` and `gpt`. Entries about pictures and of text alone are counted and left out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use thiserror::Error;
use vqtoken_eval::{ConversationError, questions_and_answers};
use vqtoken_files::{Limits, quoted};
use vqtoken_shapes::Scene;
use vqtoken_video::{Frame, OpenOptions, Sampling, Video};

use super::{AnswerKind, Clips, Conversation, Use};
use crate::config::LlavaConfig;
use crate::error::TrainError;
use crate::input_file::read_text;
use crate::rng::Rng;

/// Why LLaVA's JSON cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LlavaError {
    /// It is not a list.
    #[error("it is not a list of conversations: {0}")]
    NotAList(serde_json::Error),
    /// The list is empty.
    #[error("it has no conversations about a video")]
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
        "{count} videos are missing, the first is {} (row {row}): add them or remove their rows",
        quoted(first)
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
    /// Its turns are not questions with answers.
    #[error("conversations: {0}")]
    Conversation(#[from] ConversationError),
}

/// Videos, each with the conversations about it.
#[derive(Debug)]
pub(crate) struct LlavaClips {
    clips: Vec<(PathBuf, Vec<Conversation>)>,
    /// How many of them, from the end, are kept for validation.
    validation: usize,
    /// Entries about pictures, and of text alone; they are not trained on.
    pub(crate) left_out: (usize, usize),
    /// What a video may ask for.
    limits: Limits,
}

#[derive(Deserialize)]
struct Row {
    video: Option<String>,
    #[serde(alias = "images")]
    image: Option<serde_json::Value>,
    #[serde(alias = "messages")]
    conversations: serde_json::Value,
}

/// What an entry that is left out is about.
enum LeftOut {
    Picture,
    Text,
}

impl LlavaClips {
    /// Reads the conversations, and finds their videos.
    ///
    /// # Errors
    ///
    /// If the file is above [`Limits::bytes`], a row is malformed or its video is missing.
    pub(crate) fn read(config: &LlavaConfig, limits: &Limits) -> Result<Self, TrainError> {
        let file = &config.json;
        let text = read_text(file, limits)?;
        Self::parse(&text, config, limits).map_err(|source| TrainError::Llava { file: file.clone(), source })
    }

    fn parse(text: &str, config: &LlavaConfig, limits: &Limits) -> Result<Self, LlavaError> {
        let rows: Vec<serde_json::Value> = serde_json::from_str(text).map_err(LlavaError::NotAList)?;
        let mut clips: Vec<(PathBuf, Vec<Conversation>)> = Vec::new();
        let mut by_path: BTreeMap<PathBuf, usize> = BTreeMap::new();
        let mut missing: Vec<(PathBuf, usize)> = Vec::new();
        let mut left_out = (0, 0);
        for (index, value) in rows.into_iter().enumerate() {
            let row = index + 1;
            let (video, conversation) =
                match entry(value).map_err(|source| LlavaError::Row { row, source })? {
                    Ok(entry) => entry,
                    Err(LeftOut::Picture) => {
                        left_out.0 += 1;
                        continue;
                    }
                    Err(LeftOut::Text) => {
                        left_out.1 += 1;
                        continue;
                    }
                };
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
        Ok(Self { clips, validation, left_out, limits: *limits })
    }
}

/// The video of an entry and the conversation about it; what else the entry is about, where that is not a video.
fn entry(value: serde_json::Value) -> Result<Result<(String, Conversation), LeftOut>, LlavaRowError> {
    let Row { video, image, conversations } = serde_json::from_value(value)?;
    let Some(video) = video else {
        return Ok(Err(if image.is_some() { LeftOut::Picture } else { LeftOut::Text }));
    };
    let turns = questions_and_answers(&conversations)?;
    Ok(Ok((video, Conversation { kind: AnswerKind::Open, turns })))
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
        let options = OpenOptions::default().with_limits(self.limits);
        Ok(Video::open_with(&self.clips[clip].0, &options)?.sample(Sampling::Uniform(frames))?.frames)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_without_a_video_are_counted_and_left_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.mp4"), "").unwrap();
        let turns = r#"[{"from":"human","value":"<video>\nWho?"},{"from":"gpt","value":"Ann."}]"#;
        let config = LlavaConfig { json: "x.json".into(), videos: folder.path().to_owned(), validation: 0.0 };
        let read = |entries: &[&str]| {
            let entries = entries.iter().map(|entry| format!("{{{entry},\"conversations\":{turns}}}"));
            let text = format!("[{}]", entries.collect::<Vec<_>>().join(","));
            LlavaClips::parse(&text, &config, &Limits::default())
        };
        let clips =
            read(&[r#""video":"a.mp4""#, r#""id":1,"image":"a.jpg""#, r#""id":2,"video":null"#]).unwrap();
        assert_eq!((clips.left_out, clips.count(Use::Training)), ((1, 1), 1));
        assert_eq!(clips.validation(0)[0].turns, [("Who?".to_owned(), "Ann.".to_owned())]);
        assert!(matches!(read(&[r#""image":"a.jpg""#]), Err(LlavaError::Empty)));
        assert!(matches!(read(&[r#""video":"b.mp4""#]), Err(LlavaError::MissingVideos { count: 1, .. })));
    }
}
