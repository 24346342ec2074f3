//! Conversations to prompts, text to token ids and back.

mod chat;
mod tokenizer;

pub use chat::{Chat, ChatTemplate, Prompt, VideoInPrompt};
pub use tokenizer::{TextStream, Tokenizer};
