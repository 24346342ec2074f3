//! Other people's prediction files, scored as if their answers had been given here.
//!
//! | layout | source |
//! | --- | --- |
//! | `{id: {"prediction": index, ..}}` | doc-doc/NExT-QA `results/` |
//! | a list of `question_id`, `answer` | MILVLG/activitynet-qa `evaluation/` |
//! | `{id: index}` | EgoSchema submissions |
//! | a list or lines of `id` or `question_id`, `pred` | Video-ChatGPT and Video-LLaVA |

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use vqtoken_files::Limits;

use crate::answer::Answer;
use crate::item::{Item, letter};
use crate::read::file::{read_json, syntax};
use crate::read::rows::{Keys, Row, Rows};
use crate::read::{ReadError, shown};
use crate::sample::Sample;
use crate::{prompt, task::Task};

/// Reads predictions and grades them. A question without a prediction counts as failed; a prediction for no question, or two
/// for one, is an error, and so is a file above [`Limits::bytes`].
pub fn read_predictions(
    task: Task,
    path: &Path,
    items: &[Item],
    limits: &Limits,
) -> Result<Vec<Sample>, ReadError> {
    let is_lines = path.extension().is_none_or(|extension| extension != "json");
    let mut texts = match if is_lines { Value::Null } else { read_json(path, limits)? } {
        Value::Object(by_id) => {
            by_id.into_iter().map(|(id, value)| keyed(path, id, &value)).collect::<Result<_, _>>()?
        }
        _ => listed(path, limits)?,
    };
    let settings = path.file_name().unwrap_or_default().to_string_lossy();
    let sample = |(doc_id, item): (usize, &Item)| {
        let input = prompt(task, item);
        match texts.remove(&item.id) {
            Some(text) => {
                Sample::answered(doc_id, item, &input, &settings, Answer { text, ..Answer::default() })
            }
            None => Sample::failed(doc_id, item, &input, &settings, "there is no prediction"),
        }
    };
    let samples = items.iter().enumerate().map(sample).collect();
    match texts.first_key_value() {
        None => Ok(samples),
        Some((id, _)) => {
            Err(ReadError::Unpaired { path: task.name().into(), key: shown(id), other: path.into() })
        }
    }
}

fn keyed(path: &Path, id: String, value: &Value) -> Result<(String, String), ReadError> {
    let value = value.get("prediction").unwrap_or(value);
    let text = match value {
        Value::String(text) => Some(text.clone()),
        value => value.as_u64().and_then(|index| letter(usize::try_from(index).ok()?)).map(String::from),
    };
    let wrong = || {
        syntax(path, &shown(&id), "JSON of predictions", &format!("{value} is neither an index nor a text"))
    };
    Ok((id.clone(), text.ok_or_else(wrong)?))
}

fn listed(path: &Path, limits: &Limits) -> Result<BTreeMap<String, String>, ReadError> {
    let rows = Rows::read(path, limits)?;
    let mut keys = Keys::default();
    let pair = |mut row: Row<'_>| {
        let id = row.text("question_id").or_else(|error| row.text("id").map_err(|_| error))?;
        keys.claim(&mut row, &id)?;
        // An empty prediction is a prediction; `answer` is the right one in files that have `pred`.
        let column = if row.value("pred").is_some() { "pred" } else { "answer" };
        let is_there = row.value(column).is_some();
        let text = row.optional_text(column).or_else(|| is_there.then(String::new));
        Ok((id, text.ok_or_else(|| row.missing(column))?))
    };
    rows.iter().map(pair).collect()
}
