//! Conversations to prompts, text to token ids and back.

mod chat;
mod chat_template;
mod jinja;
mod marks;
mod measured_tree;
mod python;
mod template_bounds;
mod tokenizer;

pub use chat::{Chat, VideoInPrompt};
pub(crate) use chat_template::MarkedPrompt;
pub use chat_template::{ChatTemplate, Prompt};
pub use jinja::JinjaTemplate;
pub use tokenizer::{TextStream, Tokenizer};
