//! What a model is asked: the words of lmms-eval's tasks, as LLaVA-OneVision is evaluated with them.
//!
//! | task | text |
//! | --- | --- |
//! | nextqa, egoschema, longvideobench, shapes-letters, llava | question, options "A. .." line by line, the instruction to answer with a letter |
//! | videomme | an instruction, question, options, an empty line, the instruction to answer with a letter |
//! | activitynetqa | question with "?", a space, the instruction to answer with a word or phrase |
//! | nextqa-open | question, the instruction to answer with a short phrase or sentence |
//! | shapes, shapes-open | question, the instruction to answer with a word or phrase unless the question ends with it |
//! | open questions of llava | the question as it stands: such files bring their own instructions |
//!
//! Source: lmms-eval, `lmms_eval/tasks/*/utils.py` and `*.yaml`. Its first NExT-QA task had no instruction after the options;
//! the one used here is that of its EgoSchema and LongVideoBench tasks.

use crate::item::{Item, letter};
use crate::task::Task;

const LETTER: &str = "Answer with the option's letter from the given choices directly.";
const WORD: &str = "Answer the question using a single word or phrase.";
const SENTENCE: &str = "Answer a question using a short phrase or sentence.";
const VIDEO_MME: &str = "Select the best answer to the following multiple-choice question based on the video and the \
                         subtitles. Respond with only the letter (A, B, C, or D) of the correct option.";

/// The text for the model, without the mark for the video and the chat template around it.
pub fn prompt(task: Task, item: &Item) -> String {
    let question = item.question.trim();
    let shown = if task.ranks() { &[] } else { item.options() };
    let options = shown.iter().enumerate();
    let options =
        options.map(|(index, option)| format!("\n{}. {}", letter(index).unwrap_or('?'), option.trim()));
    let options: String = options.collect();
    match task {
        Task::ActivityNetQa => format!("{question}? {WORD}"),
        Task::NextQaOpen => format!("{question}\n{SENTENCE}"),
        // Conversations bring their own instructions, or none.
        Task::Llava if options.is_empty() => question.to_owned(),
        _ if options.is_empty() && question.ends_with(WORD) => question.to_owned(),
        _ if options.is_empty() => format!("{question}\n{WORD}"),
        Task::VideoMme => format!("{VIDEO_MME}\n{question}{options}\n\n{LETTER}"),
        Task::LongVideoBench => format!("{question}{options}\n{LETTER}\n"),
        _ => format!("{question}{options}\n{LETTER}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Expected;

    fn item() -> Item {
        let options = vec!["red".into(), "blue ".into()];
        Item {
            id: "1".into(),
            video: "1".into(),
            file: None,
            question: " which colour".into(),
            expected: Expected::Choice { options, correct: Some(0) },
            labels: vec![],
        }
    }

    #[test]
    fn each_task_asks_in_its_own_words() {
        let letters =
            "which colour\nA. red\nB. blue\nAnswer with the option's letter from the given choices directly.";
        for task in [Task::NextQa, Task::EgoSchema, Task::ShapesLetters, Task::Llava] {
            assert_eq!(prompt(task, &item()), letters);
        }
        assert_eq!(prompt(Task::LongVideoBench, &item()), format!("{letters}\n"));
        let mme = prompt(Task::VideoMme, &item());
        assert!(mme.starts_with("Select the best") && mme.ends_with("\nwhich colour\nA. red\nB. blue\n\nAnswer with the option's letter from the given choices directly."), "{mme}");
        let open = item().opened();
        let word = "Answer the question using a single word or phrase.";
        assert_eq!(prompt(Task::ActivityNetQa, &open), format!("which colour? {word}"));
        assert_eq!(prompt(Task::Shapes, &item()), format!("which colour\n{word}"));
        assert_eq!(prompt(Task::ShapesOpen, &open), format!("which colour\n{word}"));
        let instructed = Item { question: format!("which colour\n{word}"), ..item().opened() };
        assert_eq!(prompt(Task::ShapesOpen, &instructed), format!("which colour\n{word}"));
        assert_eq!(prompt(Task::Llava, &open), "which colour");
        assert!(
            prompt(Task::NextQaOpen, &open)
                .ends_with("\nAnswer a question using a short phrase or sentence.")
        );
    }
}
