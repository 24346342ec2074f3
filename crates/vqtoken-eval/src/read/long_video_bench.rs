//! LongVideoBench: `lvb_val.json` with `id, video_id, video_path, question, candidates, correct_choice, duration_group,
//! question_category, topic_category`, or its parquet mirror, where the candidates are `option0` to `option4`, "N/A" from
//! the first one that is not there. The test split has no `correct_choice`, or -1.
//!
//! Source: longvideobench/LongVideoBench, its data set card and loader.

use std::path::Path;

use vqtoken_files::Limits;

use super::error::ReadError;
use super::rows::{Keys, Row, Rows};
use crate::file_name::{video_file, video_name};
use crate::item::{Expected, Item, Label};

pub(super) fn read(path: &Path, limits: &Limits) -> Result<Vec<Item>, ReadError> {
    let rows = Rows::read(path, limits)?;
    let mut keys = Keys::default();
    let item = |mut row: Row<'_>| {
        let id = row.text("id")?;
        keys.claim(&mut row, &id)?;
        let file = row.optional_text("video_path").map_or_else(|| row.text("video_id"), Ok)?;
        let (video, file) = (video_name(&file), video_file(&file));
        let options =
            if row.value("candidates").is_some() { row.texts("candidates")? } else { numbered(&row)? };
        let options = row.options(options)?;
        let correct = match row.optional_text("correct_choice").as_deref() {
            None | Some("-1") => None,
            Some(_) => Some(row.index(row.integer("correct_choice")?, options.len())?),
        };
        let labels = [
            ("duration", row.text("duration_group").ok()),
            ("category", row.text("question_category").ok()),
            ("topic", row.optional_text("topic_category")),
        ];
        let labels =
            labels.into_iter().filter_map(|(facet, value)| Some(Label::new(facet, value?))).collect();
        let expected = Expected::Choice { options, correct };
        Ok(Item { id, video, file, question: row.text("question")?, expected, labels })
    };
    rows.iter().map(item).collect()
}

fn numbered(row: &Row<'_>) -> Result<Vec<String>, ReadError> {
    let options: Result<Vec<_>, _> = (0..5).map(|index| row.text(&format!("option{index}"))).collect();
    Ok(options?.into_iter().take_while(|option| option != "N/A").collect())
}
