//! One answered question as a line of a samples file.

use serde::{Deserialize, Serialize};

use crate::answer::{Answer, PerStage};
use crate::grade::{Grade, grade};
use crate::item::Item;
use crate::parse::Parsed;

/// A line of a samples file: lmms-eval's keys (`doc_id`, `target`, `filtered_resps`, `doc_hash`, `input`, `exact_match`), then
/// ours.
///
/// Source: lmms-eval's `EvaluationTracker.save_results_samples`, which leaves `resps` out where it equals `filtered_resps`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The index of the question in its annotations.
    pub doc_id: usize,
    /// The right answer: a letter, or text; empty where it is not public.
    pub target: String,
    /// What the model wrote, one text; none where it failed.
    pub filtered_resps: Vec<String>,
    /// The item's hash, so that other annotations are noticed.
    pub doc_hash: String,
    /// What the model was asked.
    pub input: String,
    /// 1 if the answer is right, 0 if not; none where the right answer is not public.
    pub exact_match: Option<f64>,
    /// The key of the question.
    pub id: String,
    /// The id of its video.
    pub video: String,
    /// Which option the answer means; none for open questions and failures.
    pub parsed: Option<Parsed>,
    /// One score for each option, where options were ranked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option_scores: Option<Vec<f64>>,
    /// Visual tokens that the language model read.
    pub visual_tokens: usize,
    /// Seconds for each stage.
    pub seconds: PerStage,
    /// Floating-point operations for each stage.
    pub flops: PerStage,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// What the run was set to.
    pub settings: String,
}

impl Sample {
    /// The line for an answer, graded; a failure where option scores do not fit the options.
    pub fn answered(doc_id: usize, item: &Item, input: &str, settings: &str, answer: Answer) -> Self {
        let misfit = answer.option_scores.as_ref().and_then(|scores| {
            let options = item.options().len();
            let is_wrong = scores.len() != options || scores.iter().any(|score| !score.is_finite());
            is_wrong.then(|| {
                format!("{} option scores for {options} options, or one is not finite", scores.len())
            })
        });
        if let Some(reason) = misfit {
            return Self::failed(doc_id, item, input, settings, &reason);
        }
        let mut sample = Self::failed(doc_id, item, input, settings, "");
        let Answer { text, option_scores, visual_tokens, seconds, flops } = answer;
        sample.failed = None;
        sample.filtered_resps = vec![text];
        Self { option_scores, visual_tokens, seconds, flops, ..sample }.graded(item)
    }

    /// The line for a question that a model could not answer.
    pub fn failed(doc_id: usize, item: &Item, input: &str, settings: &str, reason: &str) -> Self {
        Self {
            doc_id,
            target: item.target(),
            filtered_resps: vec![],
            doc_hash: item.hash(),
            input: input.into(),
            exact_match: item.has_answer().then_some(0.0),
            id: item.id.clone(),
            video: item.video.clone(),
            parsed: None,
            option_scores: None,
            visual_tokens: 0,
            seconds: PerStage::default(),
            flops: PerStage::default(),
            failed: Some(reason.lines().collect::<Vec<_>>().join(" ")),
            settings: settings.into(),
        }
    }

    /// The same with parsing and score made anew, for lines of an older program.
    pub fn graded(mut self, item: &Item) -> Self {
        if self.failed.is_none() {
            let text = self.filtered_resps.first().map(String::as_str).unwrap_or_default();
            let Grade { parsed, score } = grade(item, text, self.option_scores.as_deref());
            (self.parsed, self.exact_match) = (parsed, score);
        }
        self
    }
}
