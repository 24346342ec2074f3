//! Conversations to prompts, text to token ids and back.

mod chat;
mod jinja;
mod marks;
mod python;
mod tokenizer;

pub(crate) use chat::MarkedPrompt;
pub use chat::{Chat, ChatTemplate, Prompt, VideoInPrompt};
pub use jinja::JinjaTemplate;
pub use tokenizer::{TextStream, Tokenizer};
