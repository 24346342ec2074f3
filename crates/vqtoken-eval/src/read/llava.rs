//! LLaVA-style JSON: a list of `id, video, conversations`, where a conversation is a list of `from` ("human", "gpt") and
//! `value`. Every pair of turns is a question. One whose text has lines "A. ..", "B. .." is a choice; what follows these
//! lines is an instruction and left out, because prompts are made anew.
//!
//! Rows about pictures and of text alone are counted and left out. A row without `id` has that of its index, and an id that is there
//! already gets `#2`, `#3`, ..
//!
//! Source: LLaVA-NeXT's data format, and the files of lmms-lab/LLaVA-Video-178K.

use std::collections::BTreeSet;
use std::path::Path;

use vqtoken_files::Limits;

use super::conversation::questions_and_answers;
use super::error::ReadError;
use super::left_out::LeftOut;
use super::rows::{Row, Rows};
use crate::file_name::{video_file, video_name};
use crate::item::{Expected, Item, Label, letter, option_of_letter};

pub(super) fn read(path: &Path, limits: &Limits, left_out: &mut LeftOut) -> Result<Vec<Item>, ReadError> {
    let rows = Rows::read(path, limits)?;
    let mut ids = BTreeSet::new();
    let mut items = Vec::new();
    for mut row in rows.iter() {
        let id = row.optional_text("id").unwrap_or_else(|| format!("row{}", row.location.row));
        row.location.key = Some(id.clone());
        let is_there = |column: &str| row.value(column).is_some_and(|value| !value.is_null());
        let file = match (is_there("video"), is_there("image") || is_there("images")) {
            (true, _) => row.text("video")?,
            (false, true) => {
                left_out.pictures += 1;
                continue;
            }
            (false, false) => {
                left_out.texts += 1;
                continue;
            }
        };
        let kind = row.optional_text("type");
        let turns = turns(&row)?;
        for (index, (question, answer)) in turns.iter().enumerate() {
            let id = if turns.len() == 1 { id.clone() } else { format!("{id}_{index}") };
            let id = unused(&mut ids, id);
            let (question, expected) = question_and_answer(&row, question, answer)?;
            let labels = kind.iter().map(|kind| Label::new("type", kind)).collect();
            let (video, file) = (video_name(&file), video_file(&file));
            items.push(Item { id, video, file, question, expected, labels });
        }
    }
    match items.is_empty() {
        true => Err(ReadError::NoVideos { path: path.into(), rows: left_out.rows() }),
        false => Ok(items),
    }
}

/// The id, or if another question has it, the id with the first free number.
fn unused(ids: &mut BTreeSet<String>, id: String) -> String {
    let mut free = id.clone();
    let mut number = 2;
    while !ids.insert(free.clone()) {
        free = format!("{id}#{number}");
        number += 1;
    }
    free
}

/// The pairs of human and gpt, without the mark for the video.
fn turns(row: &Row<'_>) -> Result<Vec<(String, String)>, ReadError> {
    let column = if row.value("conversations").is_some() { "conversations" } else { "messages" };
    let turns =
        row.value(column).filter(|turns| !turns.is_null()).ok_or_else(|| row.missing("conversations"))?;
    questions_and_answers(turns).map_err(|source| row.conversation(column, source))
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
