//! Answers questions about one video after the other, in every reading, keeping what the next question needs again.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use vqtoken::{Chat, GenerationOptions, VisualTokens};
use vqtoken_eval::{Answer, Answerer, Ask, PerStage, best_option};

use super::flops;
use super::frames::Frames;
use super::models::Subject;
use super::reading::{Condition, Reading};
use super::visual::Visual;

/// Tokens of an answer at most, where a letter is asked for, and where a word or phrase is.
const LETTER_TOKENS: usize = 8;
const PHRASE_TOKENS: usize = 32;

/// What one run of the pass asks.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    /// The place of its model.
    pub(super) subject: usize,
    pub(super) reading: Reading,
}

impl Trial {
    /// Everything that decides its answers.
    pub(super) fn settings(&self, subjects: &[Subject]) -> String {
        format!("{} {}", subjects[self.subject].id, self.reading)
    }
}

/// The models, and what is known of the present video.
pub(super) struct Evaluator<'a> {
    subjects: &'a [Subject],
    trials: &'a [Trial],
    /// The video and its frames, or why it has none.
    video: Option<(PathBuf, Result<Frames, String>)>,
    /// What the present trial reads of it.
    visual: Option<(usize, Result<Visual, String>)>,
}

impl<'a> Evaluator<'a> {
    /// One trial for each run, in their order.
    pub(super) fn new(subjects: &'a [Subject], trials: &'a [Trial]) -> Self {
        Self { subjects, trials, video: None, visual: None }
    }

    /// Makes what a trial reads of a video, unless it is the present one; the language model reads it, too, where options are
    /// ranked.
    fn read(&mut self, number: usize, path: &Path, video: &str, ranks: bool) {
        if self.video.as_ref().is_none_or(|(present, _)| present != path) {
            // The old frames go before the new ones come.
            (self.video, self.visual) = (None, None);
            let seeing = self.trials.iter().filter(|trial| trial.reading.condition != Condition::Blind);
            let most = seeing.map(|trial| trial.reading.frames).max().unwrap_or(1);
            let frames = Frames::decode(path, most, self.subjects.len()).map_err(|error| error.to_string());
            self.video = Some((path.to_owned(), frames));
        }
        if self.visual.as_ref().is_none_or(|(present, _)| *present != number) {
            let Trial { subject, reading } = &self.trials[number];
            let subject = &self.subjects[*subject];
            let visual = match &mut self.video {
                Some((_, Ok(frames))) => frames
                    .see(subject, reading, video)
                    .and_then(|seen| Visual::new(subject, reading, &seen, video))
                    .and_then(|visual| if ranks { visual.prefill(subject) } else { Ok(visual) })
                    .map_err(|error| error.to_string()),
                Some((_, Err(reason))) => Err(reason.clone()),
                None => Err("there is no video".to_owned()),
            };
            self.visual = Some((number, visual));
        }
    }
}

impl Answerer for Evaluator<'_> {
    fn answer(&mut self, ask: &Ask<'_>) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let trial = &self.trials[ask.run];
        let subject = &self.subjects[trial.subject];
        let path = ask.video.filter(|_| trial.reading.condition != Condition::Blind);
        let blind = Visual::blind();
        let visual = match path {
            None => &blind,
            Some(path) => {
                self.read(ask.run, path, &ask.item.video, ask.ranks);
                match &self.visual {
                    Some((_, Ok(visual))) => visual,
                    Some((_, Err(reason))) => return Err(reason.clone().into()),
                    None => return Err("there are no visual tokens".into()),
                }
            }
        };
        if ask.ranks {
            return rank(subject, visual, ask);
        }
        let is_choice = !ask.item.options().is_empty();
        let max_tokens = if is_choice { LETTER_TOKENS } else { PHRASE_TOKENS };
        let options = GenerationOptions::default().with_max_tokens(max_tokens);
        let start = Instant::now();
        let mut words =
            subject.model.language().chat(visual.tokens.as_ref(), &Chat::new(ask.prompt), &options)?;
        let prefill = start.elapsed().as_secs_f64();
        let text = words.by_ref().collect::<Result<String, _>>()?;
        let generation = start.elapsed().as_secs_f64() - prefill;
        let (read, written) =
            flops::answer(&subject.model.config().text, words.prompt_tokens(), words.generated_tokens());
        Ok(Answer {
            text,
            option_scores: None,
            visual_tokens: visual.tokens.as_ref().map_or(0, VisualTokens::count),
            seconds: PerStage { prefill, generation, ..visual.seconds },
            flops: PerStage { prefill: read, generation: written, ..visual.flops },
        })
    }
}

/// The options by how likely the model would answer with each.
fn rank(subject: &Subject, visual: &Visual, ask: &Ask<'_>) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let options = ask.item.options();
    let alone;
    let (video, prefill) = match &visual.prefilled {
        Some((video, seconds)) => (video, *seconds),
        None => {
            alone = subject.model.language().prefill(visual.tokens.as_ref())?;
            (&alone, 0.0)
        }
    };
    let start = Instant::now();
    let ranking = subject.model.language().rank(video, ask.prompt, options)?;
    let text = &subject.model.config().text;
    let (read, written) = flops::answer(text, ranking.prompt_tokens, ranking.answer_tokens);
    Ok(Answer {
        text: best_option(&ranking.scores).map(|best| options[best].clone()).unwrap_or_default(),
        option_scores: Some(ranking.scores),
        visual_tokens: visual.tokens.as_ref().map_or(0, VisualTokens::count),
        seconds: PerStage { prefill: prefill + start.elapsed().as_secs_f64(), ..visual.seconds },
        flops: PerStage { prefill: read, generation: written, ..visual.flops },
    })
}
