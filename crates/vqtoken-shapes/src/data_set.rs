//! A data set before it is written: clips, their splits, and balanced questions.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::annotations::QuestionRow;
use crate::balance::Balance;
use crate::question::{Question, questions};
use crate::random::mix;
use crate::{Scene, Settings, ShapesError};

/// What a clip is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Training.
    Train,
    /// Validation.
    Val,
    /// Test.
    Test,
}

impl Split {
    /// Every split.
    pub const ALL: [Split; 3] = [Split::Train, Split::Val, Split::Test];

    /// Its name in names of files.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Val => "val",
            Split::Test => "test",
        }
    }

    /// The split of a scene. It depends on the scene's seed alone, so that no scene is in two.
    fn of(scene: &Scene, settings: &Settings) -> Split {
        let share = (mix(scene.seed ^ 0x70a7) >> 40) as f32 / (1_u64 << 24) as f32;
        if share < settings.test {
            Split::Test
        } else if share < settings.test + settings.validation {
            Split::Val
        } else {
            Split::Train
        }
    }
}

/// A clip of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// Its name: the file is `videos/{video}.mp4`. It is not a number, or table readers would drop its zeros.
    pub video: String,
    /// What it is for.
    pub split: Split,
    /// What happens in it.
    pub scene: Scene,
    /// The balanced questions.
    pub questions: Vec<Question>,
}

impl Clip {
    /// The questions as rows of annotation files.
    pub fn rows(&self) -> impl Iterator<Item = QuestionRow> {
        self.questions.iter().enumerate().map(|(qid, question)| QuestionRow {
            video: self.video.clone(),
            frame_count: self.scene.frames,
            size: self.scene.size,
            qid,
            question: question.clone(),
        })
    }
}

/// All clips of a data set with their questions; nothing is rendered. The first clips of a larger set are the smaller set.
///
/// # Errors
/// [`ShapesError::Setting`] for settings out of range.
pub fn clips(settings: &Settings) -> Result<Vec<Clip>, ShapesError> {
    settings.check()?;
    let offered: Vec<(Scene, Vec<Question>)> = (0..settings.clips)
        .into_par_iter()
        .map(|index| {
            let scene = Scene::of_clip(index, settings);
            let questions = questions(&scene);
            (scene, questions)
        })
        .collect();
    let mut balances = [Balance::default(), Balance::default(), Balance::default()];
    let clips = offered.into_iter().enumerate().map(|(index, (scene, offered))| {
        let split = Split::of(&scene, settings);
        let questions = balances[split as usize].choose(offered, settings.questions);
        Clip { video: format!("clip-{index:06}"), split, scene, questions }
    });
    Ok(clips.collect())
}
