//! Moving shapes as they are rendered, without files.

use vqtoken_shapes::{
    CAPTION_PROMPT, Clip, Part, Question, Scene, Settings, all_questions, caption, clips, descriptions,
};
use vqtoken_video::{Frame, Sampling};

use crate::config::Mixture;
use crate::data::{Clips, Conversation, Kind, Use};
use crate::draws::Draws;
use crate::error::TrainError;

/// The share of questions that another one follows in the same conversation.
const FOLLOWED: f64 = 0.12;

/// The share of descriptions that are of a whole clip.
const WHOLE: f64 = 0.2;

/// The training and validation parts of a moving-shapes data set.
#[derive(Debug)]
pub struct ShapesClips {
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
    /// If the settings are out of range, or a part is empty.
    pub fn new(settings: &Settings, mixture: Mixture) -> Result<Self, TrainError> {
        let clips = clips(settings)?;
        let part = |part: Part| -> Vec<usize> {
            (0..clips.len()).filter(|&number| clips[number].part == part).collect()
        };
        let (training, validation) = (part(Part::Train), part(Part::Val));
        if training.is_empty() || validation.is_empty() {
            return Err(TrainError::Config {
                file: "[data.shapes]".into(),
                problem: format!("{} clips leave none to train on or to validate with", clips.len()),
            });
        }
        Ok(Self { training, validation, clips, mixture, settings: settings.clone() })
    }

    fn part(&self, of: Use) -> &[usize] {
        match of {
            Use::Training => &self.training,
            Use::Validation => &self.validation,
        }
    }

    fn draw(&self, clip: &Clip, all: &[Question], draws: &mut Draws) -> Conversation {
        let Mixture { caption: captions, open, choice, balanced } = self.mixture;
        let drawn = draws.unit() * (captions + open + choice);
        if drawn < captions || all.is_empty() {
            if draws.unit() < WHOLE {
                return Conversation::single(Kind::Description, CAPTION_PROMPT, caption(&clip.scene));
            }
            let all = descriptions(&clip.scene);
            let (asked, told) = &all[draws.below(all.len())];
            return Conversation::single(Kind::Description, asked, told);
        }
        if drawn < captions + open {
            let balanced = balanced > 0.0 && !clip.questions.is_empty() && draws.unit() < balanced;
            let from = if balanced { &clip.questions } else { all };
            let question = &from[draws.below(from.len())];
            // Half of them as people ask, half as benchmarks do.
            let asked = if draws.unit() < 0.5 { question.question.clone() } else { question.open_prompt() };
            return Conversation::single(Kind::Open, asked, question.answer_text());
        }
        // Half of them from those that are balanced against guessing.
        let balanced = !clip.questions.is_empty() && draws.unit() < 0.5;
        let from = if balanced { &clip.questions } else { all };
        let mut question = from[draws.below(from.len())].clone();
        let right = question.answer_text().to_owned();
        draws.shuffle(&mut question.options);
        question.answer = question.options.iter().position(|option| *option == right).unwrap_or(0);
        choice_of(&question)
    }
}

fn choice_of(question: &Question) -> Conversation {
    Conversation::single(Kind::Choice, question.choice_prompt(), question.answer_letter().to_string())
}

impl Clips for ShapesClips {
    fn count(&self, of: Use) -> usize {
        self.part(of).len()
    }

    fn number(&self, of: Use, index: usize) -> usize {
        self.part(of)[index]
    }

    fn frames(&self, number: usize, frames: usize) -> Result<Vec<Frame>, TrainError> {
        let scene = &self.clips[number].scene;
        let times: Vec<f64> = (0..scene.frames).map(|frame| frame as f64).collect();
        let renderer = scene.renderer();
        let indices = Sampling::Uniform(frames).indices(&times)?;
        Ok(indices.into_iter().map(|index| renderer.frame(index)).collect::<Result<_, _>>()?)
    }

    fn conversations(&self, number: usize, count: usize, draws: &mut Draws) -> Vec<Conversation> {
        let clip = &self.clips[number];
        let all = all_questions(&clip.scene);
        (0..count)
            .map(|_| {
                let mut conversation = self.draw(clip, &all, draws);
                if draws.unit() < FOLLOWED {
                    conversation.turns.extend(self.draw(clip, &all, draws).turns);
                }
                conversation
            })
            .collect()
    }

    fn validation(&self, number: usize) -> Vec<Conversation> {
        let Mixture { open, choice, .. } = self.mixture;
        let open_of = |question: &Question| {
            Conversation::single(Kind::Open, question.open_prompt(), question.answer_text())
        };
        let asked = |question| {
            let choice = (choice > 0.0).then(|| choice_of(question));
            let open = (open > 0.0 || choice.is_none()).then(|| open_of(question));
            choice.into_iter().chain(open)
        };
        self.clips[number].questions.iter().flat_map(asked).collect()
    }

    fn scene(&self, number: usize) -> Option<&Scene> {
        Some(&self.clips[number].scene)
    }

    fn pictures(&self) -> String {
        // How many clips and questions there are does not change what a clip shows.
        let settings =
            Settings { clips: 0, questions: 0, validation: 0.0, test: 0.0, ..self.settings.clone() };
        serde_json::to_string(&settings).unwrap_or_default()
    }
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
        for &number in &clips.training {
            let own = &clips.clips[number].questions;
            let drawn = clips.conversations(number, 20, &mut Draws::at(1, "questions", number as u64));
            for (asked, _) in drawn.iter().flat_map(|conversation| &conversation.turns) {
                of_data_set += u32::from(own.iter().any(|question| asked.starts_with(&question.question)));
                all += 1;
            }
        }
        f64::from(of_data_set) / f64::from(all)
    }

    #[test]
    fn questions_are_drawn_as_a_data_set_asks_them_as_far_as_is_wanted() {
        // A clip without questions in the data set has others.
        let [none, half, all] = [0.0, 0.5, 1.0].map(share);
        assert!(none < half && half < all && all > 0.9, "{none} {half} {all}");
        assert!((half - 0.5 * (none + all)).abs() < 0.1, "{none} {half} {all}");
    }
}
