//! Open answers by a judge: requests out, verdicts in. Who judges, and how it is called, is left to the user.
//!
//! A request is a line of JSON with Video-ChatGPT's keys (`id`, `question`, `answer`, `pred`) and a `prompt` to send as it is.
//! Verdicts come back in any of these layouts:
//!
//! | layout | source |
//! | --- | --- |
//! | lines or a list of `id` or `question_id`, `pred` ("yes", "no"), `score` (0 to 5) | |
//! | lines or a list of `id` or `question_id`, `review`: the judge's text, with a dictionary of `pred` and `score` in it | |
//! | a list of `question_id`, `Correctness`, `score` | lmms-eval's `gpt_eval_result.json` |
//! | `{id: [{"pred", "score"}, {"q", "a", "pred"}]}` | Video-ChatGPT's combined file |

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use vqtoken_files::Limits;
use vqtoken_files::WriteError;

use super::interval::{Estimate, clustered_mean, clustered_share};
use crate::item::Item;
use crate::read::file::{read_json, syntax};
use crate::read::rows::{Keys, Row, Rows};
use crate::read::{ReadError, shown};
use crate::sample::Sample;

/// What a judge says about one answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether it means the same as the right answer.
    pub correct: bool,
    /// How well it matches, 0 to 5.
    pub score: f64,
}

/// The scores of judged answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JudgeReport {
    /// "Yes" among all judged answers, in percent.
    pub accuracy: f64,
    /// Its 95% interval, clustered by video.
    pub accuracy_interval: Option<[f64; 2]>,
    /// Mean score, 0 to 5.
    pub score: f64,
    /// Its 95% interval, clustered by video.
    pub score_interval: Option<[f64; 2]>,
    /// Judged answers.
    pub judged: usize,
    /// The keys of answers without a verdict, or with one that cannot be read. They count neither way.
    pub without_verdict: Vec<String>,
    /// Questions that the model could not answer: judged as "no" with score 0.
    pub failed: usize,
}

/// Writes one request for each answer whose right answer is known, and returns how many.
pub fn write_judge_requests(path: &Path, items: &[Item], samples: &[Sample]) -> Result<usize, WriteError> {
    let mut lines = String::new();
    let mut count = 0;
    for sample in samples.iter().filter(|sample| sample.failed.is_none() && !sample.target.is_empty()) {
        let Some(item) = items.get(sample.doc_id) else { continue };
        let answer =
            if item.options().is_empty() { sample.target.clone() } else { item.clone().opened().target() };
        let pred = sample.filtered_resps.first().map(String::as_str).unwrap_or_default();
        let prompt = format!(
            "A question about a video has the reference answer below. Decide whether the given answer means the same; other \
             words for the same thing are fine.\n\nQuestion: {}\nReference answer: {answer}\nGiven answer: {pred}\n\nReply with \
             nothing but a JSON object with two keys: \"pred\", which is \"yes\" if it means the same and \"no\" otherwise, and \
             \"score\", a whole number from 0 (unrelated) to 5 (the same).",
            item.question
        );
        let request = json!({"id": sample.id, "question": item.question, "answer": answer, "pred": pred, "prompt": prompt});
        lines.push_str(&request.to_string());
        lines.push('\n');
        count += 1;
    }
    vqtoken_files::write(path, lines)?;
    Ok(count)
}

/// Reads verdicts by key. A verdict that is neither yes nor no, or has no score from 0 to 5, is none; a file above
/// [`Limits::bytes`] is an error.
pub fn read_verdicts(path: &Path, limits: &Limits) -> Result<BTreeMap<String, Option<Verdict>>, ReadError> {
    let is_lines = path.extension().is_none_or(|extension| extension != "json");
    match if is_lines { Value::Null } else { read_json(path, limits)? } {
        Value::Object(by_id) => by_id
            .into_iter()
            .map(|(id, value)| {
                let first = value.get(0).ok_or_else(|| {
                    syntax(
                        path,
                        &shown(&id),
                        "JSON of verdicts",
                        "it is not a list of a verdict and its question",
                    )
                })?;
                Ok((id, verdict(first.get("pred"), first.get("score"))))
            })
            .collect(),
        _ => {
            let rows = Rows::read(path, limits)?;
            let mut keys = Keys::default();
            let pair = |mut row: Row<'_>| {
                let id = row.text("question_id").or_else(|error| row.text("id").map_err(|_| error))?;
                keys.claim(&mut row, &id)?;
                let review = row.value("review").and_then(Value::as_str);
                let pred = row.value("Correctness").or_else(|| row.value("pred"));
                Ok((id, review.map_or_else(|| verdict(pred, row.value("score")), in_text)))
            };
            rows.iter().map(pair).collect()
        }
    }
}

fn verdict(pred: Option<&Value>, score: Option<&Value>) -> Option<Verdict> {
    let word = pred?.as_str()?.trim().to_ascii_lowercase();
    let correct = match word.as_str() {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    let score = score?;
    let score = score.as_f64().or_else(|| score.as_str()?.trim().parse().ok())?;
    (0.0..=5.0).contains(&score).then_some(Verdict { correct, score })
}

/// A verdict in a judge's own text: the first object in braces, in JSON or in Python's quotes.
fn in_text(text: &str) -> Option<Verdict> {
    let start = text.find('{')?;
    let end = start + text[start..].find('}')?;
    let value: Value = serde_json::from_str(&text[start..=end].replace('\'', "\"")).ok()?;
    verdict(value.get("pred"), value.get("score"))
}

/// Puts verdicts and samples together.
pub fn judge_report(samples: &[Sample], verdicts: &BTreeMap<String, Option<Verdict>>) -> JudgeReport {
    let mut judged = Vec::new();
    let mut without_verdict = Vec::new();
    let mut failed = 0;
    for sample in samples.iter().filter(|sample| sample.exact_match.is_some()) {
        let verdict = if sample.failed.is_some() {
            failed += 1;
            Some(Verdict { correct: false, score: 0.0 })
        } else {
            verdicts.get(&sample.id).copied().flatten()
        };
        match verdict {
            Some(verdict) => judged.push((sample.video.as_str(), verdict)),
            None => without_verdict.push(sample.id.clone()),
        }
    }
    let none = Estimate { value: 0.0, interval: None };
    let yes = |verdict: Verdict| f64::from(u8::from(verdict.correct));
    let accuracy = clustered_share(judged.iter().map(|(video, verdict)| (*video, yes(*verdict))));
    let score = clustered_mean(judged.iter().map(|(video, verdict)| (*video, verdict.score))).unwrap_or(none);
    let accuracy = accuracy.unwrap_or(none).percent();
    JudgeReport {
        accuracy: accuracy.value,
        accuracy_interval: accuracy.interval,
        score: score.value,
        score_interval: score.interval.map(|ends| ends.map(|end| end.clamp(0.0, 5.0))),
        judged: judged.len(),
        without_verdict,
        failed,
    }
}
