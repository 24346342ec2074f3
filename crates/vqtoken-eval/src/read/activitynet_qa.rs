//! ActivityNet-QA: `*_q.json` with `video_name, question, question_id`, `*_a.json` with `answer, type, question_id`; or all
//! of these in one table, as mirrors have them.
//!
//! Source: MILVLG/activitynet-qa `dataset/README.md`.

use std::collections::BTreeMap;
use std::path::Path;

use vqtoken_files::Limits;

use super::error::ReadError;
use super::rows::{Keys, Row, Rows};
use crate::item::{Expected, Item, Label};

/// The nine types by number: three kinds of question, and for the free ones six kinds of answer.
pub(crate) const TYPES: [&str; 9] = [
    "motion",
    "spatial relation",
    "temporal relation",
    "yes/no",
    "colour",
    "object",
    "location",
    "number",
    "other",
];
/// Types from this number on are free questions.
pub(crate) const FIRST_FREE: usize = 3;

pub(super) fn read(
    questions: &Path,
    answers: Option<&Path>,
    limits: &Limits,
) -> Result<Vec<Item>, ReadError> {
    let rows = Rows::read(questions, limits)?;
    let mut known = match answers {
        Some(path) => read_answers(path, limits)?,
        None => BTreeMap::new(),
    };
    let mut keys = Keys::default();
    let item = |mut row: Row<'_>| {
        let id = row.text("question_id")?;
        keys.claim(&mut row, &id)?;
        let answer = match answers {
            Some(path) => known.remove(&id).ok_or_else(|| unpaired(path, &id, questions))?,
            None => answer(&row)?,
        };
        let (video, question) = (row.text("video_name")?, row.text("question")?);
        Ok(Item { id, video, file: None, question, expected: answer.0, labels: answer.1 })
    };
    let items = rows.iter().map(item).collect::<Result<Vec<_>, _>>()?;
    match (known.first_key_value(), answers) {
        (Some((key, _)), Some(path)) => Err(unpaired(questions, key, path)),
        _ => Ok(items),
    }
}

type Answer = (Expected, Vec<Label>);

fn read_answers(path: &Path, limits: &Limits) -> Result<BTreeMap<String, Answer>, ReadError> {
    let rows = Rows::read(path, limits)?;
    let mut keys = Keys::default();
    let pair = |mut row: Row<'_>| {
        let id = row.text("question_id")?;
        keys.claim(&mut row, &id)?;
        Ok((id, answer(&row)?))
    };
    rows.iter().map(pair).collect()
}

fn answer(row: &Row<'_>) -> Result<Answer, ReadError> {
    let number = row.integer("type")?;
    let name = usize::try_from(number).ok().and_then(|index| TYPES.get(index).map(|name| (index, *name)));
    let (index, name) = name.ok_or_else(|| row.kind("type", &number.into(), "a number from 0 to 8"))?;
    let labels = if index < FIRST_FREE {
        vec![Label::new("question", name)]
    } else {
        vec![Label::new("question", "free"), Label::new("free answer", name)]
    };
    Ok((Expected::Open { answers: vec![row.text("answer")?] }, labels))
}

fn unpaired(path: &Path, key: &str, other: &Path) -> ReadError {
    ReadError::Unpaired { path: path.into(), key: super::shown(key), other: other.into() }
}
