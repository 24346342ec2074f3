//! The turns of a conversation as questions with answers.

use serde_json::{Map, Value};
use thiserror::Error;

/// Why turns are not questions with answers.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConversationError {
    /// There are no turns, or something that is not a turn.
    #[error("is not a list of turns, each with `from` and `value`")]
    NotTurns,
    /// Somebody else than system, human and gpt speaks.
    #[error("turn {turn} is from {from:?}: expected \"system\", \"human\" or \"gpt\"")]
    Speaker {
        /// The turn, from 1.
        turn: usize,
        /// Who speaks.
        from: String,
    },
    /// A turn has no text.
    #[error("turn {turn} has no text")]
    NoText {
        /// The turn, from 1.
        turn: usize,
    },
    /// Nobody answers the last question.
    #[error("turn {turn} is a question without an answer")]
    NoAnswer {
        /// The turn, from 1.
        turn: usize,
    },
    /// Nobody asks.
    #[error("has no question")]
    NoQuestion,
}

#[derive(Clone, Copy, PartialEq)]
enum Speaker {
    System,
    Human,
    Assistant,
}

/// The questions of a conversation, without the marks `<image>` and `<video>`, with their answers, in order.
///
/// A turn is an object of `from` and `value`, as LLaVA writes it, or of `role` and `content`. A `system` turn is an instruction, so it
/// is put before the question that follows; turns of one speaker in a row are one. What an assistant says before anything was
/// asked answers no question and is left out.
///
/// # Errors
///
/// If the turns are not texts of known speakers, or a question has no answer.
pub fn questions_and_answers(turns: &Value) -> Result<Vec<(String, String)>, ConversationError> {
    let turns = turns.as_array().filter(|turns| !turns.is_empty()).ok_or(ConversationError::NotTurns)?;
    let mut pairs: Vec<(String, String)> = Vec::new();
    let (mut question, mut asked, mut last) = (String::new(), false, Speaker::Assistant);
    for (index, turn) in turns.iter().enumerate() {
        let (speaker, text) =
            speaker_and_text(turn.as_object().ok_or(ConversationError::NotTurns)?, index + 1)?;
        match speaker {
            Speaker::System => add(&mut question, &text),
            Speaker::Human => {
                add(&mut question, &text);
                asked = true;
            }
            Speaker::Assistant if asked && question.is_empty() => {
                return Err(ConversationError::NoText { turn: index });
            }
            Speaker::Assistant if asked => {
                pairs.push((std::mem::take(&mut question), text));
                asked = false;
            }
            Speaker::Assistant => {
                let goes_on = last == Speaker::Assistant;
                if let Some((_, answer)) = pairs.last_mut().filter(|_| goes_on) {
                    add(answer, &text);
                }
            }
        }
        last = speaker;
    }
    match (asked, pairs.is_empty()) {
        (true, _) => Err(ConversationError::NoAnswer { turn: turns.len() }),
        (false, true) => Err(ConversationError::NoQuestion),
        (false, false) => Ok(pairs),
    }
}

fn add(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push('\n');
    }
    text.push_str(more);
}

fn speaker_and_text(
    turn: &Map<String, Value>,
    number: usize,
) -> Result<(Speaker, String), ConversationError> {
    let value = |keys: [&str; 2]| keys.iter().find_map(|key| turn.get(*key)).and_then(Value::as_str);
    let from = value(["from", "role"]).ok_or(ConversationError::NotTurns)?;
    let speaker = match from.trim().to_ascii_lowercase().as_str() {
        "system" => Speaker::System,
        "human" | "user" => Speaker::Human,
        "gpt" | "assistant" | "bot" | "model" => Speaker::Assistant,
        _ => return Err(ConversationError::Speaker { turn: number, from: super::shown(from) }),
    };
    let text = value(["value", "content"]).ok_or(ConversationError::NoText { turn: number })?;
    let text = match speaker {
        Speaker::Assistant => text.trim().to_owned(),
        _ => text.replace("<image>", "").replace("<video>", "").trim().to_owned(),
    };
    // A human turn may be the mark of the video alone, before the turn with the question.
    match text.is_empty() && speaker == Speaker::Assistant {
        true => Err(ConversationError::NoText { turn: number }),
        false => Ok((speaker, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pairs(turns: &[(&str, &str)]) -> Result<Vec<(String, String)>, ConversationError> {
        let turns: Vec<Value> =
            turns.iter().map(|(from, value)| json!({ "from": from, "value": value })).collect();
        questions_and_answers(&Value::Array(turns))
    }

    fn pair(question: &str, answer: &str) -> (String, String) {
        (question.to_owned(), answer.to_owned())
    }

    #[test]
    fn every_question_has_its_answer() {
        let turns = [("human", "<image>\nWho?"), ("gpt", "A man."), ("human", "Why?"), ("gpt", "No reason.")];
        assert_eq!(pairs(&turns), Ok(vec![pair("Who?", "A man."), pair("Why?", "No reason.")]));
        let roles = json!([{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "A man."}]);
        assert_eq!(questions_and_answers(&roles), Ok(vec![pair("Who?", "A man.")]));
    }

    #[test]
    fn instructions_stand_before_their_question_and_greetings_are_left_out() {
        let turns = [("system", "Be brief."), ("gpt", "Hello!"), ("human", "Who?"), ("gpt", "A man.")];
        assert_eq!(pairs(&turns), Ok(vec![pair("Be brief.\nWho?", "A man.")]));
        let turns =
            [("human", "<video>"), ("human", "Who?"), ("gpt", "A"), ("gpt", "man."), ("system", "Now stop.")];
        assert_eq!(pairs(&turns), Ok(vec![pair("Who?", "A\nman.")]));
    }

    #[test]
    fn what_is_not_a_conversation_is_refused() {
        assert_eq!(pairs(&[]), Err(ConversationError::NotTurns));
        assert_eq!(pairs(&[("human", "Who?")]), Err(ConversationError::NoAnswer { turn: 1 }));
        assert_eq!(pairs(&[("gpt", "Hello")]), Err(ConversationError::NoQuestion));
        assert_eq!(pairs(&[("human", "Who?"), ("gpt", "")]), Err(ConversationError::NoText { turn: 2 }));
        assert_eq!(pairs(&[("human", "<video>"), ("gpt", "x")]), Err(ConversationError::NoText { turn: 1 }));
        let from = "tool".to_owned();
        assert_eq!(pairs(&[("tool", "x")]), Err(ConversationError::Speaker { turn: 1, from }));
        assert_eq!(questions_and_answers(&json!([1])), Err(ConversationError::NotTurns));
    }
}
