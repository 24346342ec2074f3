//! Conversations: questions, answers, and what the assistant is told.

use super::marks::Mark;
use crate::error::ModelError;

/// Where the visual tokens stand in a prompt.
pub(crate) const PLACEHOLDER: &str = "<image>";

/// The other placeholder that public templates write for a video.
const VIDEO_PLACEHOLDER: &str = "<video>";

/// The texts that mark where a video goes.
pub(super) const PLACEHOLDERS: [&str; 2] = [PLACEHOLDER, VIDEO_PLACEHOLDER];

/// What the assistant is told if nobody says otherwise.
pub(crate) const DEFAULT_SYSTEM: &str = "You are a helpful assistant.";

/// A conversation that ends with a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Chat {
    pub(super) system: Option<String>,
    answered: Vec<(String, String)>,
    question: String,
}

impl Chat {
    /// A single question.
    pub fn new(question: impl Into<String>) -> Self {
        Self { system: None, answered: Vec::new(), question: question.into() }
    }

    /// The same conversation under another system message.
    pub fn with_system(mut self, system: impl Into<String>) -> Self {
        self.system = Some(system.into());
        self
    }

    /// Goes on: the question got this answer, and another one follows.
    pub fn then(mut self, answer: impl Into<String>, question: impl Into<String>) -> Self {
        let asked = std::mem::replace(&mut self.question, question.into());
        self.answered.push((asked, answer.into()));
        self
    }

    /// Refuses what cannot be asked: nothing.
    ///
    /// # Errors
    ///
    /// If the last question is empty.
    pub fn check(&self) -> Result<(), ModelError> {
        match self.question.trim().is_empty() {
            true => Err(ModelError::Question("the question is empty: say what you want to know")),
            false => Ok(()),
        }
    }

    /// The same with the special texts that people typed made unrecognisable, and what was inserted to that end; see [`Mark`].
    pub(super) fn marked(&self, special: &[&str]) -> Result<(Self, Mark), ModelError> {
        let mark = Mark::absent_from(self.texts())?;
        let marked = |text: &String| mark.insert(text, special);
        let answered = self.answered.iter().map(|(question, answer)| (marked(question), marked(answer)));
        let chat = Self {
            system: self.system.as_ref().map(marked),
            answered: answered.collect(),
            question: marked(&self.question),
        };
        Ok((chat, mark))
    }

    /// Everything that people or the model said.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let answered = self.answered.iter().flat_map(|(question, answer)| [question, answer]);
        answered.chain([&self.question]).chain(&self.system).map(String::as_str)
    }
}

/// Whether a conversation is about a video, whose visual tokens go into its first question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoInPrompt {
    /// There is one.
    Present,
    /// The conversation is text alone.
    Absent,
}

impl VideoInPrompt {
    /// [`Self::Present`] if there is something.
    pub fn of<T>(video: Option<&T>) -> Self {
        match video {
            Some(_) => Self::Present,
            None => Self::Absent,
        }
    }
}

/// A message of a conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) role: &'static str,
    pub(super) text: &'a str,
    /// Whether the visual tokens stand before the text.
    pub(super) visual: bool,
}

impl Chat {
    /// All messages, the system's own if it has one.
    pub(super) fn messages(&self, video: VideoInPrompt) -> Vec<Message<'_>> {
        let user = |text, index| Message {
            role: "user",
            text,
            visual: index == 0 && video == VideoInPrompt::Present,
        };
        let system = self.system.iter().map(|text| Message { role: "system", text, visual: false });
        let answered = self.answered.iter().enumerate().flat_map(|(index, (question, answer))| {
            [user(question, index), Message { role: "assistant", text: answer, visual: false }]
        });
        system.chain(answered).chain([user(&self.question, self.answered.len())]).collect()
    }
}
