//! Conversations about videos in LLaVA's JSON: a list of `id, video, conversations`, a conversation being turns of `human`
//! and `gpt`, as LLaVA-Video-178K publishes them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use vqtoken_video::{Frame, Sampling, Video};

use crate::config::LlavaConfig;
use crate::data::{Clips, Conversation, Kind, Use};
use crate::draws::Draws;
use crate::error::TrainError;

/// Videos, each with the conversations about it.
#[derive(Debug)]
pub struct LlavaClips {
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
    /// If a row is malformed or its video is missing: the row and what is wrong with it are named.
    pub fn read(config: &LlavaConfig) -> Result<Self, TrainError> {
        let file = &config.json;
        let text = std::fs::read_to_string(file)
            .map_err(|source| TrainError::Unreadable { path: file.clone(), source })?;
        let bad = |problem: String| TrainError::Data { file: file.clone(), problem };
        let rows: Vec<serde_json::Value> = serde_json::from_str(&text)
            .map_err(|error| bad(format!("it is no list of conversations: {error}")))?;
        let mut clips: Vec<(PathBuf, Vec<Conversation>)> = Vec::new();
        let mut places: BTreeMap<PathBuf, usize> = BTreeMap::new();
        let mut missing: Vec<String> = Vec::new();
        for (number, row) in rows.into_iter().enumerate() {
            let at = |problem: String| bad(format!("row {}: {problem}", number + 1));
            let row: Row = serde_json::from_value(row).map_err(|error| at(error.to_string()))?;
            let Some(video) = &row.video else {
                let id = row.id.map(|id| id.to_string()).unwrap_or_default();
                return Err(at(format!("{id} has no video: leave rows about images out")));
            };
            let conversation = conversation(&row.conversations).map_err(at)?;
            let path = config.videos.join(video);
            if !path.is_file() {
                missing.push(format!("{} (row {})", path.display(), number + 1));
                continue;
            }
            let place = *places.entry(path.clone()).or_insert(clips.len());
            match clips.get_mut(place) {
                Some((_, conversations)) => conversations.push(conversation),
                None => clips.push((path, vec![conversation])),
            }
        }
        if let Some(first) = missing.first() {
            let problem = format!(
                "{} videos are missing, the first is {first}: add them or leave their rows out",
                missing.len()
            );
            return Err(bad(problem));
        }
        if clips.is_empty() {
            return Err(bad("it holds no conversations".to_owned()));
        }
        let validation = ((clips.len() as f64 * config.validation) as usize).min(clips.len() - 1);
        Ok(Self { clips, validation })
    }
}

fn conversation(turns: &[Turn]) -> Result<Conversation, String> {
    let (pairs, rest) = turns.as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return Err(format!("{} turns are no pairs of human and gpt", turns.len()));
    }
    let pair = |[human, gpt]: &[Turn; 2]| {
        if human.from != "human" || gpt.from != "gpt" {
            return Err(format!(
                "turns of {:?} and {:?}, expected \"human\" and \"gpt\"",
                human.from, gpt.from
            ));
        }
        let question = human.value.replace("<image>", "").replace("<video>", "").trim().to_owned();
        let answer = gpt.value.trim().to_owned();
        match question.is_empty() || answer.is_empty() {
            true => Err("a turn has no text".to_owned()),
            false => Ok((question, answer)),
        }
    };
    Ok(Conversation { kind: Kind::Open, turns: pairs.iter().map(pair).collect::<Result<_, _>>()? })
}

impl Clips for LlavaClips {
    fn count(&self, of: Use) -> usize {
        match of {
            Use::Training => self.clips.len() - self.validation,
            Use::Validation => self.validation,
        }
    }

    fn number(&self, of: Use, index: usize) -> usize {
        match of {
            Use::Training => index,
            Use::Validation => self.clips.len() - self.validation + index,
        }
    }

    fn frames(&self, number: usize, frames: usize) -> Result<Vec<Frame>, TrainError> {
        Ok(Video::open(&self.clips[number].0)?.sample(Sampling::Uniform(frames))?.frames)
    }

    fn conversations(&self, number: usize, count: usize, draws: &mut Draws) -> Vec<Conversation> {
        let all = &self.clips[number].1;
        (0..count).map(|_| all[draws.below(all.len())].clone()).collect()
    }

    fn validation(&self, number: usize) -> Vec<Conversation> {
        self.clips[number].1.clone()
    }

    fn pictures(&self) -> String {
        let names = self.clips.iter().map(|(path, _)| path.display().to_string());
        names.collect::<Vec<_>>().join("\n")
    }
}
