//! Any text is a template that ends, in a prompt or in an error. People's words never become a place for the video.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vqtoken_model::{Chat, ChatTemplate, JinjaTemplate, VideoInPrompt};

fuzz_target!(|input: (&str, &str)| {
    let (source, words) = input;
    let template = ChatTemplate::Jinja(JinjaTemplate::new("chat_template.jinja", source));
    let chat = Chat::new(words).with_system("Be brief.").then("A circle.", "Where to?");
    for video in [VideoInPrompt::Present, VideoInPrompt::Absent] {
        if let Ok(prompt) = template.render(&chat, video) {
            assert_eq!(prompt.after.is_some(), video == VideoInPrompt::Present);
        }
        if let Ok(prompt) = ChatTemplate::ChatMl.render(&chat, video) {
            let words_in_front = prompt.before.contains(words) && words.contains("<image>");
            assert!(video == VideoInPrompt::Absent || !words_in_front);
        }
    }
});
