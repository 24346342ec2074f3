//! Questions as rows of NExT-QA's CSV and as LLaVA-style JSON.

use serde::Serialize;

use crate::caption::{CAPTION_PROMPT, caption};
use crate::data_set::Clip;
use crate::question::Question;

/// The columns of NExT-QA's multiple-choice files.
pub(crate) const COLUMNS: &str = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n";

/// A question with its clip: a row of an annotation file.
#[derive(Clone, Debug, PartialEq)]
pub struct QuestionRow {
    /// Name of the clip: the file is `videos/{video}.mp4`.
    pub video: String,
    /// Frames of the clip.
    pub frame_count: usize,
    /// The side of the picture in pixels.
    pub size: usize,
    /// Index of the question within the clip.
    pub qid: usize,
    /// The question.
    pub question: Question,
}

impl QuestionRow {
    /// The line of the CSV file, with its line break.
    pub(crate) fn csv(&self) -> String {
        let QuestionRow { video, frame_count, size, qid, question } = self;
        let mut cells = vec![
            video.clone(),
            frame_count.to_string(),
            size.to_string(),
            size.to_string(),
            question.question.clone(),
            question.answer.to_string(),
            qid.to_string(),
            question.code().to_string(),
        ];
        cells.extend(question.options.iter().cloned());
        cells.iter_mut().for_each(quote);
        cells.join(",") + "\n"
    }

    /// The entry of the JSON file with options in the question, answered by a letter.
    pub(crate) fn choice(&self) -> Entry {
        self.entry(&self.question.choice_prompt(), self.question.answer_letter().to_string())
    }

    /// The entry of the JSON file with the bare question, answered in words.
    pub(crate) fn open(&self) -> Entry {
        self.entry(&self.question.open_prompt(), self.question.answer_text().to_string())
    }

    fn entry(&self, question: &str, answer: String) -> Entry {
        Entry::new(&self.video, &self.qid.to_string(), self.question.code(), question, answer)
    }
}

/// An entry of a LLaVA-style file.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    id: String,
    video: String,
    data_source: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    conversations: [Turn; 2],
}

impl Entry {
    fn new(video: &str, id: &str, kind: &'static str, question: &str, answer: String) -> Entry {
        Entry {
            id: format!("{video}-{id}"),
            video: format!("videos/{video}.mp4"),
            data_source: "shapes",
            kind,
            conversations: [
                Turn { from: "human", value: format!("<image>\n{question}") },
                Turn { from: "gpt", value: answer },
            ],
        }
    }

    /// The entry that asks for the caption of a clip.
    pub(crate) fn caption(clip: &Clip) -> Entry {
        Entry::new(&clip.video, "caption", "caption", CAPTION_PROMPT, caption(&clip.scene))
    }
}

#[derive(Debug, Serialize)]
struct Turn {
    from: &'static str,
    value: String,
}

/// Quotes a cell where RFC 4180 requires it.
fn quote(cell: &mut String) {
    if cell.contains([',', '"', '\n', '\r']) {
        *cell = format!("\"{}\"", cell.replace('"', "\"\""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::Template;

    fn row() -> QuestionRow {
        let question = Question {
            template: Template::Direction,
            question: "Which way, \"roughly\"?".into(),
            options: ["left", "right", "up", "down", "it does not move"].map(String::from),
            answer: 2,
            class: 2,
            subject: Some(0),
        };
        QuestionRow { video: "000007".into(), frame_count: 32, size: 378, qid: 1, question }
    }

    #[test]
    fn rows_have_the_columns_of_the_header() {
        assert_eq!(
            row().csv(),
            "000007,32,378,378,\"Which way, \"\"roughly\"\"?\",2,1,MD,left,right,up,down,it does not move\n"
        );
        assert_eq!(COLUMNS.matches(',').count(), 12);
    }

    #[test]
    fn entries_ask_and_answer() {
        let entry = serde_json::to_value(row().choice()).unwrap();
        assert_eq!(entry["conversations"][1]["value"], "C");
        let asked = entry["conversations"][0]["value"].as_str().unwrap();
        assert!(asked.starts_with("<image>\nWhich") && asked.contains("\nE. it does not move\n"), "{asked}");
        assert_eq!(serde_json::to_value(row().open()).unwrap()["conversations"][1]["value"], "up");
    }
}
