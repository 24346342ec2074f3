//! Video-MME: parquet, or JSON with a list of `questions` in each video, with `videoID, question_id, question, options` (a list, each with its letter), `answer` (a letter),
//! `duration, domain, sub_category, task_type`.
//!
//! Source: the data set card of lmms-lab/Video-MME.

use std::path::Path;

use vqtoken_files::Limits;

use super::error::ReadError;
use super::rows::{Keys, Row, Rows};
use super::without_letters;
use crate::file_name::{video_file, video_name};
use crate::item::{Expected, Item, Label, option_of_letter};

pub(super) fn read(path: &Path, limits: &Limits) -> Result<Vec<Item>, ReadError> {
    let rows = Rows::read(path, limits)?.unnested("questions");
    let mut keys = Keys::default();
    let item = |mut row: Row<'_>| {
        let id = row.text("question_id")?;
        keys.claim(&mut row, &id)?;
        let options = without_letters(row.options(row.texts("options")?)?);
        let answer = row.text("answer")?;
        let mut letters = answer.trim_start_matches('(').chars();
        let correct = match (letters.next(), letters.next()) {
            (Some(letter), None | Some('.' | ')' | ':')) => option_of_letter(letter, options.len()),
            _ => None,
        };
        let correct = Some(correct.ok_or_else(|| row.out_of_range(&answer, options.len()))?);
        let labels = [
            ("duration", "duration"),
            ("domain", "domain"),
            ("sub-category", "sub_category"),
            ("task", "task_type"),
        ];
        let labels = labels
            .into_iter()
            .filter_map(|(facet, column)| Some(Label::new(facet, row.optional_text(column)?)))
            .collect();
        let video = video(&row)?;
        let question = row.text("question")?;
        let (video, file) = (video_name(&video), video_file(&video));
        Ok(Item { id, video, file, question, expected: Expected::Choice { options, correct }, labels })
    };
    rows.iter().map(item).collect()
}

/// The id on YouTube, by which the authors name the files; else that of the address, else the index in the benchmark.
fn video(row: &Row<'_>) -> Result<String, ReadError> {
    let in_address = || {
        let address = row.optional_text("url")?;
        let id = address.split_once("v=").or_else(|| address.split_once("youtu.be/"))?.1;
        let id = id.split(['&', '?', '#']).next().unwrap_or_default();
        (!id.is_empty()).then(|| id.to_owned())
    };
    let missing = |error| in_address().or_else(|| row.optional_text("video_id")).ok_or(error);
    row.text("videoID").or_else(missing)
}
