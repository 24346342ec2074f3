//! NExT-QA, multiple choice and open-ended, and every set in its columns.
//!
//! `video, frame_count, width, height, question, answer, qid, type` and, for multiple choice, `a0` to `a4` with the index
//! of the right one as `answer`. Open-ended: `answer` is text, and `additional_ref_answer` may hold another one.
//! Source: doc-doc/NExT-QA `dataset/nextqa/val.csv`, doc-doc/NExT-OE, and their mirror lmms-lab/NExTQA.

use std::path::Path;

use vqtoken_files::Limits;

use super::error::ReadError;
use super::rows::{Keys, Row, Rows};
use crate::item::{Expected, Item, Label};

/// Which types of question a file may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Types {
    /// Those of NExT-QA, with TP counted under TN as the published evaluation does.
    Published,
    /// Any word.
    Any,
}

const PUBLISHED: [&str; 9] = ["CW", "CH", "TN", "TC", "TP", "DL", "DO", "DC", "DB"];

pub(super) fn read(path: &Path, limits: &Limits, types: Types) -> Result<Vec<Item>, ReadError> {
    let rows = Rows::read(path, limits)?;
    let letters = (0..26).take_while(|index| rows.has(&format!("a{index}"))).count();
    let mut keys = Keys::default();
    let item = |mut row: Row<'_>| {
        let video = row.text("video")?;
        let id = format!("{video}_{}", row.text("qid")?);
        keys.claim(&mut row, &id)?;
        let kind = row.text("type")?;
        if types == Types::Published && !PUBLISHED.contains(&kind.as_str()) {
            return Err(row.kind("type", &kind.into(), "one of CW, CH, TN, TC, TP, DL, DO, DC, DB"));
        }
        let expected = if letters == 0 { open(&row)? } else { choice(&row, letters)? };
        Ok(Item {
            id,
            video,
            file: None,
            question: row.text("question")?,
            expected,
            labels: labels(&kind, types),
        })
    };
    rows.iter().map(item).collect()
}

fn choice(row: &Row<'_>, letters: usize) -> Result<Expected, ReadError> {
    let options: Result<_, _> = (0..letters).map(|index| row.text(&format!("a{index}"))).collect();
    let options = row.options(options?)?;
    let correct = Some(row.index(row.integer("answer")?, options.len())?);
    Ok(Expected::Choice { options, correct })
}

fn open(row: &Row<'_>) -> Result<Expected, ReadError> {
    let other = row.optional_text("additional_ref_answer");
    Ok(Expected::Open { answers: std::iter::once(row.text("answer")?).chain(other).collect() })
}

/// The group by the first letter of a two-letter code, then the type.
fn labels(kind: &str, types: Types) -> Vec<Label> {
    let group = match kind.as_bytes() {
        [b'C', second] if second.is_ascii_uppercase() => Some("causal"),
        [b'T', second] if second.is_ascii_uppercase() => Some("temporal"),
        [b'D', second] if second.is_ascii_uppercase() => Some("descriptive"),
        [b'M', second] if second.is_ascii_uppercase() => Some("motion"),
        _ => None,
    };
    let kind = if types == Types::Published && kind == "TP" { "TN" } else { kind };
    group.map(|group| Label::new("group", group)).into_iter().chain([Label::new("type", kind)]).collect()
}
