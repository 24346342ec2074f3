//! Conversations as the language model is taught them: ids, and which of them are answers.

use vqtoken_model::{Chat, ChatTemplate, ModelError, Tokenizer, VideoInPrompt};

use crate::data::{Conversation, Kind};
use crate::words::END;

/// A conversation behind its video.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lesson {
    /// What kind of text the answers are.
    pub kind: Kind,
    /// Ids before the visual tokens.
    pub before: Vec<u32>,
    /// Ids behind them, answers included.
    pub after: Vec<u32>,
    /// For each id of `after` how much it counts as something to be said; 0 for what is given.
    pub weights: Vec<f32>,
}

/// Turns conversations into lessons.
#[derive(Clone, Debug)]
pub(crate) struct Teacher {
    tokenizer: Tokenizer,
    template: ChatTemplate,
}

impl Teacher {
    /// A teacher in a model's words.
    pub(crate) fn new(tokenizer: Tokenizer, template: ChatTemplate) -> Self {
        Self { tokenizer, template }
    }

    /// The lesson of a conversation about a video, or about none. Each answer is written as the model would go on from the
    /// prompt that ends before it, so that what is learnt is what is asked for later. An answer of n tokens counts as the root
    /// of n: a long one teaches more than a letter, but not in proportion.
    ///
    /// # Errors
    ///
    /// If a question is empty or holds the mark for the video, or the template fails.
    pub(crate) fn lesson(
        &self,
        conversation: &Conversation,
        video: VideoInPrompt,
    ) -> Result<Lesson, ModelError> {
        let mut lesson =
            Lesson { kind: conversation.kind, before: Vec::new(), after: Vec::new(), weights: Vec::new() };
        let mut written = String::new();
        let mut chat: Option<Chat> = None;
        for (index, (question, answer)) in conversation.turns.iter().enumerate() {
            let asked = match chat.take() {
                None => Chat::new(question),
                Some(earlier) => earlier.then(&conversation.turns[index - 1].1, question),
            };
            let prompt = self.template.render(&asked, video)?;
            chat = Some(asked);
            let (before, after) = match prompt.after {
                Some(after) => (prompt.before, after),
                None => (String::new(), prompt.before),
            };
            if index == 0 {
                lesson.before = self.tokenizer.encode(&before)?;
            }
            // What the template puts between an answer and the next question.
            let given = after.strip_prefix(&written).unwrap_or(&after).to_owned();
            lesson.given(self.tokenizer.encode(&given)?);
            let said = format!("{answer}{END}");
            lesson.said(self.tokenizer.encode(&said)?);
            written = after + &said;
        }
        Ok(lesson)
    }
}

impl Lesson {
    fn given(&mut self, ids: Vec<u32>) {
        self.weights.resize(self.weights.len() + ids.len(), 0.0);
        self.after.extend(ids);
    }

    fn said(&mut self, ids: Vec<u32>) {
        let weight = 1.0 / (ids.len().max(1) as f32).sqrt();
        self.weights.resize(self.weights.len() + ids.len(), weight);
        self.after.extend(ids);
    }
}
