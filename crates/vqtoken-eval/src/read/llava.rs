//! LLaVA-style JSON: a list of `id, video, conversations`, where a conversation is a list of `from` ("human", "gpt") and
//! `value`. Every pair of turns is a question. One whose text has lines "A. ..", "B. .." is a choice; what follows these
//! lines is an instruction and left out, because prompts are made anew.
//!
//! Source: LLaVA-NeXT's data format, and the files of lmms-lab/LLaVA-Video-178K.

use std::path::Path;

use serde_json::{Map, Value};

use super::error::ReadError;
use super::rows::{Keys, Row, Rows};
use crate::item::{Expected, Item, Label, letter, option_of_letter};

pub(super) fn read(path: &Path) -> Result<Vec<Item>, ReadError> {
    let rows = Rows::read(path)?;
    let mut keys = Keys::default();
    let mut items = Vec::new();
    for mut row in rows.iter() {
        let (id, file) = (row.text("id")?, row.text("video")?);
        let kind = row.optional_text("type");
        row.location.key = Some(id.clone());
        let video = Path::new(&file).with_extension("").to_string_lossy().into_owned();
        let turns = turns(&row)?;
        for (number, (question, answer)) in turns.iter().enumerate() {
            let id = if turns.len() == 1 { id.clone() } else { format!("{id}_{number}") };
            keys.claim(&mut row, &id)?;
            let (question, expected) = question_and_answer(&row, question, answer)?;
            let labels = kind.iter().map(|kind| Label::new("type", kind)).collect();
            items.push(Item { id, video: video.clone(), question, expected, labels });
        }
    }
    Ok(items)
}

/// The pairs of human and gpt, without the mark for the video.
fn turns(row: &Row<'_>) -> Result<Vec<(String, String)>, ReadError> {
    let column = "conversations";
    let Some(Value::Array(turns)) = row.value(column) else {
        return Err(row.missing(column));
    };
    let objects: Option<Vec<&Map<String, Value>>> = turns.iter().map(Value::as_object).collect();
    let objects = objects.unwrap_or_default();
    let text = |turn: &Map<String, Value>, from: &str| {
        let is_from = turn.get("from").and_then(Value::as_str) == Some(from);
        let value = turn.get("value").and_then(Value::as_str).filter(|_| is_from)?;
        let value = value.replace("<image>", "").replace("<video>", "").trim().to_string();
        (!value.is_empty()).then_some(value)
    };
    let (pairs, rest) = objects.as_chunks::<2>();
    let pairs: Option<Vec<_>> =
        pairs.iter().map(|[human, gpt]| Some((text(human, "human")?, text(gpt, "gpt")?))).collect();
    let expected = "turns of human and gpt, each with a text";
    pairs
        .filter(|pairs| rest.is_empty() && !pairs.is_empty())
        .ok_or_else(|| row.kind(column, &Value::Array(turns.clone()), expected))
}

fn question_and_answer(row: &Row<'_>, question: &str, answer: &str) -> Result<(String, Expected), ReadError> {
    let lines: Vec<&str> = question.lines().map(str::trim).collect();
    let option = |line: &str, index: usize| {
        let rest = line.strip_prefix(letter(index)?)?.strip_prefix(['.', ')'])?.trim();
        (!rest.is_empty()).then(|| rest.to_string())
    };
    let Some(first) = lines.iter().position(|line| option(line, 0).is_some()) else {
        return Ok((question.into(), Expected::Open { answers: vec![answer.into()] }));
    };
    let options = lines[first..].iter().enumerate().map_while(|(index, line)| option(line, index)).collect();
    let options = row.options(options)?;
    let head =
        answer.trim_start_matches('(').chars().next().and_then(|head| option_of_letter(head, options.len()));
    let is_letter = answer.trim_start_matches('(').chars().nth(1).is_none_or(|next| !next.is_alphanumeric());
    let same_text =
        || options.iter().position(|option| option.eq_ignore_ascii_case(answer.trim_end_matches('.')));
    let correct = head.filter(|_| is_letter).or_else(same_text);
    let correct = Some(correct.ok_or_else(|| row.out_of_range(answer, options.len()))?);
    Ok((lines[..first].join("\n").trim().to_string(), Expected::Choice { options, correct }))
}
