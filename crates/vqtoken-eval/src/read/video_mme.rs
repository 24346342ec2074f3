//! Video-MME: parquet with `videoID, question_id, question, options` (a list, each with its letter), `answer` (a letter),
//! `duration, domain, sub_category, task_type`.
//!
//! Source: the data set card of lmms-lab/Video-MME.

use std::path::Path;

use super::error::ReadError;
use super::rows::{Keys, Row, Rows};
use super::without_letters;
use crate::item::{Expected, Item, Label, option_of_letter};

pub(super) fn read(path: &Path) -> Result<Vec<Item>, ReadError> {
    let rows = Rows::read(path)?;
    let mut keys = Keys::default();
    let item = |mut row: Row<'_>| {
        let id = row.text("question_id")?;
        keys.claim(&mut row, &id)?;
        let options = without_letters(row.options(row.texts("options")?)?);
        let answer = row.text("answer")?;
        let mut letters = answer.chars();
        let correct = match (letters.next(), letters.next()) {
            (Some(letter), None) => option_of_letter(letter, options.len()),
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
        let (video, question) = (row.text("videoID")?, row.text("question")?);
        Ok(Item { id, video, question, expected: Expected::Choice { options, correct }, labels })
    };
    rows.iter().map(item).collect()
}
