//! Messages: a conversation that ends with a question, and the one video in it.

use serde_json::Value;
use vqtoken_model::Chat;

use crate::chat::parts::{self, Content};
use crate::error::ApiError;
use crate::http::json::Fields;
use crate::media::given::Given;

/// Messages of a conversation, at most.
const MOST: usize = 1000;

/// A conversation and its video.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) chat: Chat,
    pub(crate) video: Option<Given>,
}

/// Texts of one side in a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    User,
    Assistant,
}

/// Reads the array `messages`.
pub(crate) fn read(messages: Vec<Value>) -> Result<Conversation, ApiError> {
    if messages.len() > MOST {
        return Err(ApiError::parameter("messages", format!("has more than {MOST} messages")));
    }
    let mut system: Vec<String> = Vec::new();
    let mut turns: Vec<(Side, String)> = Vec::new();
    let mut video: Option<Given> = None;
    for (index, message) in messages.into_iter().enumerate() {
        let place = format!("messages[{index}]");
        let mut fields = Fields::of(&place, message)?;
        let role: String = fields.need("role", "give system, user or assistant")?;
        if fields
            .value("tool_calls")
            .is_some_and(|calls| calls.as_array().is_none_or(|calls| !calls.is_empty()))
        {
            return Err(ApiError::Unsupported {
                param: fields.name("tool_calls"),
                remedy: "the model calls no tools",
            });
        }
        let content = match fields.value("content") {
            Some(content) => parts::read(content, &fields.name("content"))?,
            // What OpenAI's own answers have when they call tools.
            None if role == "assistant" => Content::default(),
            None => {
                let remedy = "give a text or an array of parts";
                return Err(ApiError::Missing { param: fields.name("content"), remedy });
            }
        };
        if role != "user"
            && let Some(given) = content.videos.first()
        {
            return Err(ApiError::parameter(
                &*given.place,
                "is a video outside of the user's messages: move it into one",
            ));
        }
        for second in content.videos {
            if let Some(first) = &video {
                return Err(ApiError::TwoVideos { first: first.place.clone(), second: second.place });
            }
            video = Some(second);
        }
        match role.as_str() {
            "system" | "developer" => system.push(content.text),
            "user" => say(&mut turns, Side::User, content.text),
            "assistant" => say(&mut turns, Side::Assistant, content.text),
            _ => {
                return Err(ApiError::parameter(
                    fields.name("role"),
                    format!("is {role:?}: give system, developer, user or assistant"),
                ));
            }
        }
    }
    let chat = chat(turns)?;
    let system = system.join("\n");
    let chat = if system.trim().is_empty() { chat } else { chat.with_system(system) };
    Ok(Conversation { chat, video })
}

/// Adds what somebody says to what he said before, or after what the other said.
fn say(turns: &mut Vec<(Side, String)>, side: Side, text: String) {
    match turns.last_mut() {
        Some((last, said)) if *last == side => {
            if !said.is_empty() && !text.is_empty() {
                said.push('\n');
            }
            said.push_str(&text);
        }
        _ => turns.push((side, text)),
    }
}

fn chat(turns: Vec<(Side, String)>) -> Result<Chat, ApiError> {
    let mut turns = turns.into_iter();
    let Some((Side::User, first)) = turns.next() else {
        return Err(ApiError::parameter(
            "messages",
            "do not begin with a message of the user (after the system's)",
        ));
    };
    let mut chat = Chat::new(first);
    while let Some((_, answer)) = turns.next() {
        let Some((_, question)) = turns.next() else {
            return Err(ApiError::parameter(
                "messages",
                "end with a message of the assistant: end with one of the user",
            ));
        };
        chat = chat.then(answer, question);
    }
    chat.check()?;
    Ok(chat)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(messages: Value) -> Result<Conversation, ApiError> {
        super::read(messages.as_array().unwrap().clone())
    }

    #[test]
    fn turns_become_a_chat() {
        let conversation = read(json!([
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "One?" },
            { "role": "user", "content": [{ "type": "text", "text": "Two?" }] },
            { "role": "assistant", "content": "Yes." },
            { "role": "user", "content": "Three?" },
        ]))
        .unwrap();
        let expected = Chat::new("One?\nTwo?").then("Yes.", "Three?").with_system("Be brief.");
        assert_eq!(conversation.chat, expected);
    }

    #[test]
    fn what_is_no_conversation_is_refused_by_name() {
        let user = json!({ "role": "user", "content": "Hi" });
        let video = |url: &str| json!({ "role": "user", "content": [{ "type": "video_url", "video_url": { "url": url } }] });
        for (messages, expected) in [
            (json!([]), "`messages`"),
            (json!([{ "role": "assistant", "content": "Hi" }, user]), "`messages`"),
            (json!([user, { "role": "assistant", "content": "Hi" }]), "`messages`"),
            (json!([{ "role": "tool", "content": "7" }, user]), "`messages[0].role`"),
            (json!([{ "role": "user" }]), "`messages[0].content`"),
            (json!(["hi"]), "`messages[0]`"),
            (json!([{ "role": "user", "content": " " }]), "the question is empty"),
            (
                json!([video("vqt:a"), user, video("vqt:b")]),
                "`messages[2].content[0].video_url.url` is a second video",
            ),
        ] {
            let message = read(messages).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
