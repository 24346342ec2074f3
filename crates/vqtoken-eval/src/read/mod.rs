//! From the files that authors publish to [`Item`]s.
//!
//! Each reader knows the columns of one benchmark; [`rows`] knows the file formats, so that every benchmark can come as
//! CSV, JSON, JSON lines or parquet, whichever mirror it was downloaded from.

pub(crate) mod activitynet_qa;
mod checked_parquet;
mod conversation;
mod ego_schema;
mod error;
pub(crate) mod file;
mod find;
mod left_out;
mod llava;
mod long_video_bench;
mod next_qa;
mod parquet_rows;
pub(crate) mod rows;
mod video_mme;

use std::path::PathBuf;

use vqtoken_files::Limits;

use crate::item::{Item, letter};
use crate::task::Task;

pub use conversation::{ConversationError, questions_and_answers};
pub(crate) use error::shown;
pub use error::{ReadError, RowLocation};
pub use left_out::LeftOut;

/// The files of one split of a benchmark.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Annotations {
    /// The questions, usually with their answers.
    pub questions: PathBuf,
    /// The answers, where they are in a file of their own.
    pub answers: Option<PathBuf>,
    /// What the files may ask for.
    pub limits: Limits,
}

/// What annotations hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Questions {
    /// The questions, in the order of the file.
    pub items: Vec<Item>,
    /// Rows that are not about one video.
    pub left_out: LeftOut,
}

impl Annotations {
    /// Questions and answers in one file.
    pub fn one(questions: impl Into<PathBuf>) -> Self {
        Self { questions: questions.into(), answers: None, limits: Limits::default() }
    }

    /// Questions in one file, answers in another.
    pub fn two(questions: impl Into<PathBuf>, answers: impl Into<PathBuf>) -> Self {
        Self { questions: questions.into(), answers: Some(answers.into()), limits: Limits::default() }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Reads them as the task's items, in the order of the file.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, asks for more than the limits allow, or a row is not a question of this task.
    pub fn read(&self, task: Task) -> Result<Questions, ReadError> {
        let limits = &self.limits;
        let mut left_out = LeftOut::default();
        let (questions, answers) = (self.questions.as_path(), self.answers.as_deref());
        let is_llava = questions.extension().is_some_and(|extension| extension == "json");
        let items = match task {
            Task::NextQa | Task::NextQaOpen => next_qa::read(questions, limits, next_qa::Types::Published),
            Task::ActivityNetQa => activitynet_qa::read(questions, answers, limits),
            Task::LongVideoBench => long_video_bench::read(questions, limits),
            Task::VideoMme => video_mme::read(questions, limits),
            Task::EgoSchema => ego_schema::read(questions, answers, limits),
            Task::Llava => llava::read(questions, limits, &mut left_out),
            Task::Shapes | Task::ShapesLetters | Task::ShapesOpen if is_llava => {
                llava::read(questions, limits, &mut left_out)
            }
            Task::Shapes | Task::ShapesLetters | Task::ShapesOpen => {
                next_qa::read(questions, limits, next_qa::Types::Any)
            }
        }?;
        let items = if task.is_open() { items.into_iter().map(Item::opened).collect() } else { items };
        Ok(Questions { items, left_out })
    }
}

/// Options without the letters that some files write before them ("A. red"), if all of them have theirs.
fn without_letters(options: Vec<String>) -> Vec<String> {
    let strip = |(index, option): (usize, &String)| {
        let rest = option.strip_prefix(letter(index)?)?;
        let rest = rest.strip_prefix(['.', ')', ':'])?.trim();
        (!rest.is_empty()).then(|| rest.to_string())
    };
    options.iter().enumerate().map(strip).collect::<Option<Vec<_>>>().unwrap_or(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_go_if_all_options_have_their_own() {
        let texts = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        assert_eq!(without_letters(texts(&["A. red", "B) blue"])), texts(&["red", "blue"]));
        for kept in [["A. red", "C. blue"], ["A. red", "blue"], ["A.", "B."], ["Apple", "Bee"]] {
            assert_eq!(without_letters(texts(&kept)), texts(&kept));
        }
    }
}
