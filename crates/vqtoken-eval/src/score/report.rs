//! All scores of a run in one structure.

use std::collections::BTreeMap;

use serde::Serialize;
use vqtoken_core::tok_dense;

use super::interval::{Estimate, clustered_ratio, clustered_share};
use crate::answer::PerStage;
use crate::item::{Expected, Item};
use crate::parse::Parsed;
use crate::sample::Sample;
use crate::task::Task;
use crate::videos::MissingVideo;

/// The scores of a run. Its JSON is what `--json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The benchmark.
    pub task: String,
    /// What the run was set to.
    pub settings: String,
    /// Right answers among all scored questions, in percent. Failures and unreadable answers count as wrong.
    pub accuracy: f64,
    /// Its 95% interval, clustered by video.
    pub accuracy_interval: Option<[f64; 2]>,
    /// What guessing would give, in percent; none if some questions are open.
    pub chance: Option<f64>,
    /// Scored questions.
    pub questions: usize,
    /// The videos they are about.
    pub videos: usize,
    /// Scored questions by what came of them.
    pub classes: Classes,
    /// Questions that were asked but have no public answer.
    pub without_answer: usize,
    /// Questions that were not asked: those of missing videos, and those after the run was interrupted.
    pub not_asked: usize,
    /// Videos that were not found.
    pub missing_videos: Vec<MissingVideo>,
    /// Questions that the model could not answer, and why.
    pub failures: Vec<Failure>,
    /// Mean number of visual tokens that the language model read, over answered questions.
    pub tokens_mean: f64,
    /// `accuracy / tokens_mean`.
    pub tok_dense: f64,
    /// Its 95% interval, clustered by video.
    pub tok_dense_interval: Option<[f64; 2]>,
    /// Mean seconds for each stage, over answered questions.
    pub seconds_mean: PerStage,
    /// All stages together.
    pub seconds_mean_total: f64,
    /// Mean floating-point operations for each stage, over answered questions.
    pub flops_mean: PerStage,
    /// All stages together.
    pub flops_mean_total: f64,
    /// Scores by type and whatever else the benchmark distinguishes.
    pub facets: Vec<Facet>,
}

/// How many answers are in each class. They add up to the scored questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Classes {
    /// Right.
    pub correct: usize,
    /// A wrong option or text.
    pub wrong: usize,
    /// More than one option.
    pub several: usize,
    /// The model declined.
    pub declined: usize,
    /// No text.
    pub empty: usize,
    /// Text that is not one of the options.
    pub unreadable: usize,
    /// No answer, because the model failed.
    pub failed: usize,
}

/// A question that has no answer, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its key.
    pub id: String,
    /// The reason.
    pub reason: String,
}

/// Scores under one heading.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facet {
    /// The heading, "type".
    pub facet: String,
    /// Its rows: in numerical order if all are numbers, by name otherwise.
    pub scores: Vec<Score>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Its name, "CW".
    pub value: String,
    /// Scored questions.
    pub questions: usize,
    /// Right answers.
    pub correct: usize,
    /// In percent.
    pub accuracy: f64,
    /// The 95% interval, clustered by video.
    pub accuracy_interval: Option<[f64; 2]>,
}

impl Report {
    /// Counts samples of these items; `missing_videos` are those that [`crate::VideoFolder::locate`] did not find.
    pub fn new(
        task: Task,
        settings: &str,
        items: &[Item],
        samples: &[Sample],
        missing_videos: Vec<MissingVideo>,
    ) -> Self {
        let pairs: Vec<(&Item, &Sample)> =
            samples.iter().filter_map(|sample| Some((items.get(sample.doc_id)?, sample))).collect();
        let scored: Vec<Scored<'_>> =
            pairs.iter().filter_map(|(item, sample)| Scored::new(item, sample)).collect();
        let accuracy = estimate(&scored);
        let answered: Vec<&Sample> = samples.iter().filter(|sample| sample.failed.is_none()).collect();
        let count = (answered.len() as f64).max(1.0);
        let tokens_mean = answered.iter().map(|sample| sample.visual_tokens as f64).sum::<f64>() / count;
        let mut costs = (PerStage::default(), PerStage::default());
        for sample in &answered {
            costs = (costs.0 + sample.seconds, costs.1 + sample.flops);
        }
        let (seconds_mean, flops_mean) = (costs.0.divided(count), costs.1.divided(count));
        // A failure has no tokens; the mean instead leaves the ratio as it is.
        let tokens =
            |sample: &Sample| if sample.failed.is_some() { tokens_mean } else { sample.visual_tokens as f64 };
        let ratio =
            clustered_ratio(scored.iter().map(|one| (one.video, 100.0 * one.score, tokens(one.sample))));
        let failures = samples
            .iter()
            .filter_map(|sample| Some(Failure { id: sample.id.clone(), reason: sample.failed.clone()? }));
        Self {
            task: task.name().into(),
            settings: settings.into(),
            accuracy: accuracy.value,
            accuracy_interval: accuracy.interval,
            chance: chance(&scored),
            questions: scored.len(),
            videos: scored.iter().map(|one| one.video).collect::<std::collections::BTreeSet<_>>().len(),
            classes: Classes::of(&scored),
            without_answer: pairs.len() - scored.len(),
            not_asked: items.len() - pairs.len(),
            missing_videos,
            failures: failures.collect(),
            tokens_mean,
            tok_dense: tok_dense(accuracy.value, tokens_mean),
            tok_dense_interval: ratio.and_then(|ratio| ratio.interval),
            seconds_mean,
            seconds_mean_total: seconds_mean.total(),
            flops_mean,
            flops_mean_total: flops_mean.total(),
            facets: facets(&scored),
        }
    }

    /// The row of a facet, `score("type", "CW")`.
    pub fn score(&self, facet: &str, value: &str) -> Option<&Score> {
        let facet = self.facets.iter().find(|one| one.facet == facet)?;
        facet.scores.iter().find(|score| score.value == value)
    }
}

/// A sample whose right answer is known.
struct Scored<'a> {
    item: &'a Item,
    sample: &'a Sample,
    video: &'a str,
    score: f64,
}

impl<'a> Scored<'a> {
    fn new(item: &'a Item, sample: &'a Sample) -> Option<Self> {
        Some(Self { item, sample, video: &item.video, score: sample.exact_match? })
    }
}

impl Classes {
    fn of(scored: &[Scored<'_>]) -> Self {
        let mut classes = Self::default();
        for one in scored {
            let class = match (one.sample.failed.is_some(), one.sample.parsed) {
                (true, _) => &mut classes.failed,
                _ if one.score == 1.0 => &mut classes.correct,
                (_, Some(Parsed::Several)) => &mut classes.several,
                (_, Some(Parsed::Declined)) => &mut classes.declined,
                (_, Some(Parsed::Empty)) => &mut classes.empty,
                (_, Some(Parsed::Unreadable)) => &mut classes.unreadable,
                (_, None) if is_blank(one.sample) => &mut classes.empty,
                _ => &mut classes.wrong,
            };
            *class += 1;
        }
        classes
    }

    /// Answers that do not name exactly one option.
    pub fn unparsed(&self) -> usize {
        self.several + self.declined + self.empty + self.unreadable
    }
}

fn is_blank(sample: &Sample) -> bool {
    sample.filtered_resps.iter().all(|text| text.trim().is_empty())
}

fn estimate(scored: &[Scored<'_>]) -> Estimate {
    let mean = clustered_share(scored.iter().map(|one| (one.video, one.score)));
    mean.unwrap_or(Estimate { value: 0.0, interval: None }).percent()
}

fn chance(scored: &[Scored<'_>]) -> Option<f64> {
    let of = |one: &Scored<'_>| match &one.item.expected {
        Expected::Choice { options, .. } => Some(100.0 / options.len() as f64),
        Expected::Open { .. } => None,
    };
    let sum: f64 = scored.iter().map(of).sum::<Option<f64>>()?;
    (!scored.is_empty()).then(|| sum / scored.len() as f64)
}

fn facets(scored: &[Scored<'_>]) -> Vec<Facet> {
    let mut names: Vec<&str> = Vec::new();
    let mut groups: BTreeMap<(&str, &str), Vec<Scored<'_>>> = BTreeMap::new();
    for one in scored {
        for label in &one.item.labels {
            if !names.contains(&label.facet) {
                names.push(label.facet);
            }
            let group = groups.entry((label.facet, &label.value)).or_default();
            group.push(Scored { ..*one });
        }
    }
    let facet = |name: &str| {
        let rows = groups.iter().filter(|((facet, _), _)| *facet == name);
        let mut scores: Vec<Score> = rows.map(|((_, value), group)| score(value, group)).collect();
        // A stable sort: without numbers the order by name stays.
        let number = |score: &Score| score.value.parse::<u64>().unwrap_or(0);
        if scores.iter().all(|score| score.value.parse::<u64>().is_ok()) {
            scores.sort_by_key(number);
        }
        Facet { facet: name.into(), scores }
    };
    names.into_iter().map(facet).collect()
}

fn score(value: &str, group: &[Scored<'_>]) -> Score {
    let accuracy = estimate(group);
    Score {
        value: value.into(),
        questions: group.len(),
        correct: group.iter().filter(|one| one.score == 1.0).count(),
        accuracy: accuracy.value,
        accuracy_interval: accuracy.interval,
    }
}
