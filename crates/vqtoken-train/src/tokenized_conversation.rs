//! Conversations as the language model is trained on them: token ids, and which of them are answers.

use vqtoken_model::{Chat, ChatTemplate, Tokenizer, VideoInPrompt};

use crate::clips::{AnswerKind, Conversation};
use crate::error::TrainError;
use crate::train_tokenizer::MESSAGE_END;

/// A conversation as ids.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TokenizedConversation {
    /// What kind of text the answers are.
    pub(crate) kind: AnswerKind,
    /// Ids before the visual tokens; none without a video.
    pub(crate) before: Vec<u32>,
    /// Ids after them: questions and answers.
    pub(crate) after: Vec<u32>,
    /// The weight of each id of `after` in the loss; 0 for what is given.
    pub(crate) weights: Vec<f32>,
}

/// Turns conversations into ids.
#[derive(Clone, Debug)]
pub(crate) struct ConversationTokenizer {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: ChatTemplate,
}

impl ConversationTokenizer {
    /// Tokenizes a conversation. Each answer follows the prompt that ends before it, as in generation. The ids of an answer of n
    /// tokens weigh `n^-1/2` each: a long answer counts more than a letter, but not in proportion.
    ///
    /// # Errors
    ///
    /// If a question is empty, or the template fails or changes earlier turns.
    pub(crate) fn tokenize(
        &self,
        conversation: &Conversation,
        video: VideoInPrompt,
    ) -> Result<TokenizedConversation, TrainError> {
        let mut tokenized = TokenizedConversation {
            kind: conversation.kind,
            before: Vec::new(),
            after: Vec::new(),
            weights: Vec::new(),
        };
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
                tokenized.before = self.tokenizer.encode(&before)?;
            }
            // What the template puts between an answer and the next question.
            let given = after.strip_prefix(&written).ok_or(TrainError::TemplateChangesTurns)?;
            tokenized.push_given(self.tokenizer.encode(given)?);
            let answer = format!("{answer}{MESSAGE_END}");
            tokenized.push_answer(self.tokenizer.encode(&answer)?);
            written = after + &answer;
        }
        Ok(tokenized)
    }
}

impl TokenizedConversation {
    fn push_given(&mut self, ids: Vec<u32>) {
        self.weights.resize(self.weights.len() + ids.len(), 0.0);
        self.after.extend(ids);
    }

    fn push_answer(&mut self, ids: Vec<u32>) {
        let weight = 1.0 / (ids.len().max(1) as f32).sqrt();
        self.weights.resize(self.weights.len() + ids.len(), weight);
        self.after.extend(ids);
    }
}
