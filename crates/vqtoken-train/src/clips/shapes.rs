//! Moving shapes, rendered when they are needed, without files.

use vqtoken_shapes::{
    CAPTION_PROMPT, Clip, Question, Scene, Settings, Split, all_questions, caption, clips, descriptions,
};
use vqtoken_video::{Frame, Sampling};

use super::{AnswerKind, Clips, Conversation, Use};
use crate::config::Mixture;
use crate::error::TrainError;
use crate::rng::Rng;

/// The share of conversations with a second question.
const FOLLOW_UPS: f64 = 0.12;

/// The share of descriptions that are of a whole clip.
const CAPTIONS: f64 = 0.2;

/// The training and validation splits of a moving-shapes data set.
#[derive(Debug)]
pub(crate) struct ShapesClips {
    clips: Vec<Clip>,
    training: Vec<usize>,
    validation: Vec<usize>,
    mixture: Mixture,
    settings: Settings,
}

impl ShapesClips {
    /// The clips of a data set; nothing is rendered yet.
    ///
    /// # Errors
    ///
    /// If the settings are out of range, or a split is empty.
    pub(crate) fn new(settings: &Settings, mixture: Mixture) -> Result<Self, TrainError> {
        let clips = clips(settings)?;
        let of = |split: Split| -> Vec<usize> {
            (0..clips.len()).filter(|&index| clips[index].split == split).collect()
        };
        let (training, validation) = (of(Split::Train), of(Split::Val));
        if training.is_empty() || validation.is_empty() {
            return Err(TrainError::EmptySplit { clips: clips.len() });
        }
        Ok(Self { training, validation, clips, mixture, settings: settings.clone() })
    }

    /// How many clips the whole data set has.
    pub(crate) fn len(&self) -> usize {
        self.clips.len()
    }

    fn split(&self, of: Use) -> &[usize] {
        match of {
            Use::Training => &self.training,
            Use::Validation => &self.validation,
        }
    }

    fn draw(&self, clip: &Clip, all: &[Question], rng: &mut Rng) -> Conversation {
        let Mixture { caption: captions, open, choice, balanced } = self.mixture;
        let drawn = rng.unit() * (captions + open + choice);
        if drawn < captions || all.is_empty() {
            if rng.unit() < CAPTIONS {
                return Conversation::single(AnswerKind::Description, CAPTION_PROMPT, caption(&clip.scene));
            }
            let all = descriptions(&clip.scene);
            let (question, answer) = &all[rng.below(all.len())];
            return Conversation::single(AnswerKind::Description, question, answer);
        }
        if drawn < captions + open {
            let balanced = balanced > 0.0 && !clip.questions.is_empty() && rng.unit() < balanced;
            let from = if balanced { &clip.questions } else { all };
            let question = &from[rng.below(from.len())];
            // Half of them as people ask, half as benchmarks do.
            let prompt = if rng.unit() < 0.5 { question.question.clone() } else { question.open_prompt() };
            return Conversation::single(AnswerKind::Open, prompt, question.answer_text());
        }
        // Half of them from those that are balanced against guessing.
        let balanced = !clip.questions.is_empty() && rng.unit() < 0.5;
        let from = if balanced { &clip.questions } else { all };
        choice_of(&with_shuffled_options(from[rng.below(from.len())].clone(), rng))
    }
}

#[expect(clippy::expect_used, reason = "shuffling keeps the options")]
fn with_shuffled_options(mut question: Question, rng: &mut Rng) -> Question {
    let answer = question.answer_text().to_owned();
    rng.shuffle(&mut question.options);
    question.answer =
        question.options.iter().position(|option| *option == answer).expect("the answer is an option");
    question
}

fn choice_of(question: &Question) -> Conversation {
    Conversation::single(AnswerKind::Choice, question.choice_prompt(), question.answer_letter().to_string())
}

impl Clips for ShapesClips {
    fn count(&self, of: Use) -> usize {
        self.split(of).len()
    }

    fn index(&self, of: Use, position: usize) -> usize {
        self.split(of)[position]
    }

    fn frames(&self, clip: usize, frames: usize) -> Result<Vec<Frame>, TrainError> {
        let scene = &self.clips[clip].scene;
        let times: Vec<f64> = (0..scene.frames).map(|frame| frame as f64).collect();
        let renderer = scene.renderer();
        let indices = Sampling::Uniform(frames).indices(&times)?;
        Ok(indices.into_iter().map(|index| renderer.frame(index)).collect::<Result<_, _>>()?)
    }

    fn conversations(&self, clip: usize, count: usize, rng: &mut Rng) -> Vec<Conversation> {
        let clip = &self.clips[clip];
        let all = all_questions(&clip.scene);
        (0..count)
            .map(|_| {
                let mut conversation = self.draw(clip, &all, rng);
                if rng.unit() < FOLLOW_UPS {
                    conversation.turns.extend(self.draw(clip, &all, rng).turns);
                }
                conversation
            })
            .collect()
    }

    fn validation(&self, clip: usize) -> Vec<Conversation> {
        let Mixture { open, choice, .. } = self.mixture;
        let open_of = |question: &Question| {
            Conversation::single(AnswerKind::Open, question.open_prompt(), question.answer_text())
        };
        let asked = |question| {
            let choice = (choice > 0.0).then(|| choice_of(question));
            let open = (open > 0.0 || choice.is_none()).then(|| open_of(question));
            choice.into_iter().chain(open)
        };
        self.clips[clip].questions.iter().flat_map(asked).collect()
    }

    fn scene(&self, clip: usize) -> Option<&Scene> {
        Some(&self.clips[clip].scene)
    }

    fn pictures(&self) -> String {
        pictures(&self.settings)
    }
}

/// Everything that decides what clips of these settings show.
#[expect(clippy::expect_used, reason = "settings are numbers")]
pub(crate) fn pictures(settings: &Settings) -> String {
    // The numbers of clips and questions do not change what a clip shows.
    let settings = Settings { clips: 0, questions: 0, validation: 0.0, test: 0.0, ..settings.clone() };
    serde_json::to_string(&settings).expect("settings can be written as JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of drawn questions that are among those of the data set.
    fn share(balanced: f64) -> f64 {
        let settings = Settings { clips: 40, seed: 4, ..Settings::default() };
        let mixture = Mixture { caption: 0.0, open: 1.0, choice: 0.0, balanced };
        let clips = ShapesClips::new(&settings, mixture).unwrap();
        let (mut of_data_set, mut all) = (0_u32, 0_u32);
        for &clip in &clips.training {
            let own = &clips.clips[clip].questions;
            let drawn = clips.conversations(clip, 20, &mut Rng::new(1, "questions", clip as u64));
            for (asked, _) in drawn.iter().flat_map(|conversation| &conversation.turns) {
                of_data_set += u32::from(own.iter().any(|question| asked.starts_with(&question.question)));
                all += 1;
            }
        }
        f64::from(of_data_set) / f64::from(all)
    }

    #[test]
    fn the_balanced_share_decides_how_many_questions_are_a_data_sets() {
        // A clip without questions in the data set has others.
        let [none, half, all] = [0.0, 0.5, 1.0].map(share);
        assert!(none < half && half < all && all > 0.9, "{none} {half} {all}");
        assert!((half - 0.5 * (none + all)).abs() < 0.1, "{none} {half} {all}");
    }
}
