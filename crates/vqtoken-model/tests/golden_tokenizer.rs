//! Prompts and their ids against the public tokenizer and its chat format.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "../../../golden/locate.rs"]
mod locate;

use locate::golden_sets;
use serde::Deserialize;
use vqtoken_model::{Chat, ChatTemplate, VideoInPrompt, VideoLlm};

#[derive(Deserialize)]
struct File {
    prompts: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    question: String,
    text: String,
    ids: Vec<u32>,
}

#[test]
fn golden_tokenizer_ids_and_prompts() {
    for set in golden_sets() {
        let text = std::fs::read_to_string(set.join("cases/tokenizer.json")).unwrap();
        let file: File = serde_json::from_str(&text).unwrap();
        let model = VideoLlm::load(set.join("onevision-hf")).unwrap();
        let placeholder = model.language().tokenizer().id("<image>").unwrap();
        for case in file.prompts {
            assert_eq!(
                model.language().tokenizer().encode(&case.text).unwrap(),
                case.ids,
                "{}",
                case.question
            );

            let prompt =
                ChatTemplate::ChatMl.render(&Chat::new(&case.question), VideoInPrompt::Present).unwrap();
            let after = prompt.after.unwrap();
            assert_eq!(format!("{}<image>{after}", prompt.before), case.text);
            // Cutting the prompt at the placeholder changes no token.
            let mut ids = model.language().tokenizer().encode(&prompt.before).unwrap();
            ids.push(placeholder);
            ids.extend(model.language().tokenizer().encode(&after).unwrap());
            assert_eq!(ids, case.ids);
        }
    }
}
