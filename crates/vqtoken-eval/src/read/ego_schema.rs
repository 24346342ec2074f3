//! EgoSchema: `questions.json` with `q_uid, question, option 0` to `option 4`, and `subset_answers.json`, which maps the 500
//! keys with public answers to indices; or the parquet mirror with `video_idx, question, option` (a list with letters) and
//! `answer` (an index as text). With an answers file only the questions in it are read, without one all of them.
//!
//! Source: egoschema/EgoSchema, and lmms-eval's task over lmms-lab/egoschema.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use vqtoken_files::Limits;

use super::error::{ReadError, RowLocation};
use super::file::{read_json, syntax};
use super::rows::{Keys, Row, Rows};
use super::{shown, without_letters};
use crate::item::{Expected, Item};

pub(super) fn read(
    questions: &Path,
    answers: Option<&Path>,
    limits: &Limits,
) -> Result<Vec<Item>, ReadError> {
    let rows = Rows::read(questions, limits)?;
    let mut known = answers.map(|path| read_answers(path, limits)).transpose()?;
    let mut keys = Keys::default();
    let item = |mut row: Row<'_>| {
        let id = row.text("q_uid").or_else(|error| row.text("video_idx").map_err(|_| error))?;
        keys.claim(&mut row, &id)?;
        let answer = match &mut known {
            Some(known) => match known.remove(&id) {
                None => return Ok(None),
                answer => answer,
            },
            None if row.optional_text("answer").is_some() => Some(row.integer("answer")?),
            None => None,
        };
        let options = if row.value("option").is_some() { row.texts("option")? } else { numbered(&row)? };
        let options = without_letters(row.options(options)?);
        let correct = answer.map(|answer| row.index(answer, options.len())).transpose()?;
        let expected = Expected::Choice { options, correct };
        Ok(Some(Item {
            video: id.clone(),
            file: None,
            id,
            question: row.text("question")?,
            expected,
            labels: vec![],
        }))
    };
    let items: Vec<_> = rows.iter().map(item).filter_map(Result::transpose).collect::<Result<_, _>>()?;
    match (known.as_ref().and_then(BTreeMap::first_key_value), answers) {
        (Some((key, _)), Some(other)) => {
            Err(ReadError::Unpaired { path: questions.into(), key: shown(key), other: other.into() })
        }
        _ => Ok(items),
    }
}

fn numbered(row: &Row<'_>) -> Result<Vec<String>, ReadError> {
    (0..5).map(|index| row.text(&format!("option {index}"))).collect()
}

fn read_answers(path: &Path, limits: &Limits) -> Result<BTreeMap<String, i64>, ReadError> {
    let Value::Object(answers) = read_json(path, limits)? else {
        return Err(syntax(
            path,
            "the whole file",
            "JSON of answers",
            "it is not an object of keys and indices",
        ));
    };
    let pair = |(row, (key, value)): (usize, (String, Value))| match value.as_i64() {
        Some(answer) => Ok((key, answer)),
        None => {
            let location = RowLocation { row: row + 1, key: Some(key) };
            let (column, found) = ("answer".into(), shown(&value.to_string()));
            Err(ReadError::Kind { path: path.into(), location, column, found, expected: "a whole number" })
        }
    };
    answers.into_iter().enumerate().map(pair).collect()
}
