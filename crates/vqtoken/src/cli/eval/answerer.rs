//! Answers questions about one video after the other, in every reading, keeping what the next question needs again.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use crate::{Chat, GenerationOptions, OpenOptions, VisualTokens};
use vqtoken_eval::{Answer, Answerer, Ask, PerStage, best_option};

use super::current_video::CurrentVideo;
use super::flops;
use super::models::LoadedModel;
use super::reading::Condition;
use super::trial::Trial;
use super::visual::Visual;

/// Tokens of an answer at most, where a letter is asked for, and where a word or phrase is.
const LETTER_TOKENS: usize = 8;
const PHRASE_TOKENS: usize = 32;

/// The models, and what is known of the current video.
pub(super) struct Evaluator<'a> {
    models: &'a [LoadedModel],
    trials: &'a [Trial],
    options: &'a OpenOptions,
    video: Option<CurrentVideo>,
    /// What the user has to be told of the videos so far.
    pub(super) warnings: Vec<String>,
}

impl<'a> Evaluator<'a> {
    /// One trial for each run, in their order.
    pub(super) fn new(models: &'a [LoadedModel], trials: &'a [Trial], options: &'a OpenOptions) -> Self {
        Self { models, trials, options, video: None, warnings: Vec::new() }
    }

    fn open(&mut self, path: &Path, name: &str) -> &mut CurrentVideo {
        let video = match self.video.take() {
            Some(video) if video.path() == path => video,
            // The frames of the previous video are freed before new ones are decoded.
            previous => {
                drop(previous);
                let seeing = self.trials.iter().filter(|trial| trial.reading.condition != Condition::Blind);
                let frames = seeing.map(|trial| trial.reading.frames).max().unwrap_or(1);
                let video = CurrentVideo::open(path, name, frames, self.models.len(), self.options);
                self.warnings.extend(video.messages());
                video
            }
        };
        self.video.insert(video)
    }
}

impl Answerer for Evaluator<'_> {
    fn answer(&mut self, ask: &Ask<'_>) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let trial = &self.trials[ask.run];
        let model = &self.models[trial.model];
        let blind = Visual::default();
        let visual = match ask.video.filter(|_| trial.reading.condition != Condition::Blind) {
            None => &blind,
            Some(path) => {
                let (models, trials) = (self.models, self.trials);
                self.open(path, &ask.item.video).visual(models, trials, ask.run)?
            }
        };
        if ask.ranks { rank(model, visual, ask) } else { generate(model, visual, ask) }
    }
}

/// What the model writes.
fn generate(
    model: &LoadedModel,
    visual: &Visual,
    ask: &Ask<'_>,
) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let is_choice = !ask.item.options().is_empty();
    let max_tokens = if is_choice { LETTER_TOKENS } else { PHRASE_TOKENS };
    let options = GenerationOptions::default().with_max_tokens(max_tokens);
    let start = Instant::now();
    let mut words =
        model.video_llm.language().chat(visual.tokens.as_ref(), &Chat::new(ask.prompt), &options)?;
    let prefill = start.elapsed().as_secs_f64();
    let text = words.by_ref().collect::<Result<String, _>>()?;
    let generation = start.elapsed().as_secs_f64() - prefill;
    let config = &model.video_llm.config().text;
    let (read, written) = flops::answer(config, words.prompt_tokens(), words.generated_tokens());
    Ok(Answer {
        text,
        option_scores: None,
        visual_tokens: visual.tokens.as_ref().map_or(0, VisualTokens::count),
        seconds: PerStage { prefill, generation, ..visual.seconds },
        flops: PerStage { prefill: read, generation: written, ..visual.flops },
    })
}

/// The options by how likely the model would answer with each.
fn rank(model: &LoadedModel, visual: &Visual, ask: &Ask<'_>) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let options = ask.item.options();
    let (prefilled, prefill) = visual.prefilled(model)?;
    let start = Instant::now();
    let ranking = model.video_llm.language().rank(prefilled, ask.prompt, options)?;
    let config = &model.video_llm.config().text;
    let (read, written) = flops::answer(config, ranking.prompt_tokens, ranking.answer_tokens);
    Ok(Answer {
        text: best_option(&ranking.scores).map(|best| options[best].clone()).unwrap_or_default(),
        option_scores: Some(ranking.scores),
        visual_tokens: visual.tokens.as_ref().map_or(0, VisualTokens::count),
        seconds: PerStage { prefill: prefill + start.elapsed().as_secs_f64(), ..visual.seconds },
        flops: PerStage { prefill: read, generation: written, ..visual.flops },
    })
}
