//! A data set before it is written: clips, parts and balanced questions.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::balance::Balance;
use crate::question::{Question, questions};
use crate::random::mix;
use crate::tables::Row;
use crate::{Scene, Settings, ShapesError};

/// What a clip may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Training.
    Train,
    /// Validation.
    Val,
    /// Test.
    Test,
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 3] = [Part::Train, Part::Val, Part::Test];

    /// As in the names of files.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Val => "val",
            Part::Test => "test",
        }
    }

    /// The part of a scene: a matter of its seed alone, so that no scene is ever in two.
    fn of(scene: &Scene, settings: &Settings) -> Part {
        let share = (mix(scene.seed ^ 0x70a7) >> 40) as f32 / (1_u64 << 24) as f32;
        if share < settings.test {
            Part::Test
        } else if share < settings.test + settings.validation {
            Part::Val
        } else {
            Part::Train
        }
    }
}

/// A clip of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// Its name: the file is `videos/{video}.mp4`. Not a number, or table readers would drop its zeros.
    pub video: String,
    /// What it is for.
    pub part: Part,
    /// What happens in it.
    pub scene: Scene,
    /// The balanced questions.
    pub questions: Vec<Question>,
}

impl Clip {
    /// The questions as rows of tables.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        self.questions.iter().enumerate().map(|(qid, question)| Row {
            video: self.video.clone(),
            frame_count: self.scene.frames,
            size: self.scene.size,
            qid,
            question: question.clone(),
        })
    }
}

/// All clips of a data set with their questions, nothing rendered: for training straight from memory, and for
/// [`crate::report`]. The first clips of a larger set are the smaller set.
///
/// # Errors
/// [`ShapesError::Settings`] for settings out of range.
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
        let part = Part::of(&scene, settings);
        let questions = balances[part as usize].choose(offered, settings.questions);
        Clip { video: format!("clip-{index:06}"), part, scene, questions }
    });
    Ok(clips.collect())
}
