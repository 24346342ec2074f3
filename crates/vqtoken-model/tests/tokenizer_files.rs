//! Tokenizers and chat templates in the files that people have them in.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "common/edits.rs"]
mod edits;
#[path = "common/small.rs"]
mod small;

use std::fs;
use std::path::{Path, PathBuf};

use edits::{edit, refusal};
use serde_json::{Map, Value, json};
use vqtoken_model::checkpoint::ModelFiles;
use vqtoken_model::{Chat, GenerationOptions, Tokenizer, VideoInPrompt, VideoLlm};

const TEXT: &str = "<|im_start|>user\nWhen does the 12th circle turn, isn't it?<|im_end|>\n";

fn tokenizer(directory: &Path) -> Tokenizer {
    let files = ModelFiles::open(directory).unwrap();
    Tokenizer::from_bytes(&directory.join("tokenizer.json"), &files.tokenizer, 466).unwrap()
}

/// Replaces `tokenizer.json` by `vocab.json` and `merges.txt`; returns the special tokens.
fn split(directory: &Path) -> Vec<Value> {
    let path = directory.join("tokenizer.json");
    let json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    fs::remove_file(path).unwrap();
    fs::write(directory.join("vocab.json"), json["model"]["vocab"].to_string()).unwrap();
    let merges = json["model"]["merges"].as_array().unwrap().iter().map(|pair| match pair {
        Value::String(pair) => pair.clone(),
        pair => format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
    });
    let merges: Vec<String> = std::iter::once("#version: 0.2".to_owned()).chain(merges).collect();
    fs::write(directory.join("merges.txt"), merges.join("\r\n") + "\r\n").unwrap();
    json["added_tokens"].as_array().unwrap().clone()
}

fn by_id(tokens: &[Value]) -> Value {
    tokens.iter().map(|token| (token["id"].to_string(), token.clone())).collect::<Map<_, _>>().into()
}

fn model(folder: &Path, name: &str) -> PathBuf {
    small::write(folder, name, &small::config(None))
}

#[test]
fn a_split_tokenizer_is_the_same_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    let whole = tokenizer(&model(folder.path(), "whole")).encode(TEXT).unwrap();
    assert!(whole.contains(&462) && whole.contains(&463));

    let directory = model(folder.path(), "decoder");
    let special = split(&directory);
    fs::write(
        directory.join("tokenizer_config.json"),
        json!({"added_tokens_decoder": by_id(&special)}).to_string(),
    )
    .unwrap();
    assert_eq!(tokenizer(&directory).encode(TEXT).unwrap(), whole);

    let directory = model(folder.path(), "added");
    let special = split(&directory);
    let ids: Map<String, Value> = special
        .iter()
        .map(|token| (token["content"].as_str().unwrap().to_owned(), token["id"].clone()))
        .collect();
    fs::write(directory.join("added_tokens.json"), Value::from(ids).to_string()).unwrap();
    assert_eq!(tokenizer(&directory).encode(TEXT).unwrap(), whole);

    // Names alone get the ids after the vocabulary.
    let directory = model(folder.path(), "named");
    split(&directory);
    let map = json!({"bos_token": "<|endoftext|>", "additional_special_tokens": ["<|im_start|>", {"content": "<|im_end|>"}]});
    fs::write(directory.join("special_tokens_map.json"), map.to_string()).unwrap();
    assert_eq!(tokenizer(&directory).encode(TEXT).unwrap(), whole);

    fs::write(directory.join("merges.txt"), "a b c\n").unwrap();
    assert!(refusal(&directory).contains("line 1"));
    fs::remove_file(directory.join("merges.txt")).unwrap();
    assert!(refusal(&directory).contains("merges.txt"));
}

#[test]
fn special_tokens_beside_tokenizer_json_are_single_ids() {
    let folder = tempfile::tempdir().unwrap();
    let directory = model(folder.path(), "model");
    let whole = tokenizer(&directory).encode(TEXT).unwrap();
    let mut special = Vec::new();
    edit(&directory.join("tokenizer.json"), |json| {
        special = std::mem::replace(&mut json["added_tokens"], json!([])).as_array().unwrap().clone();
    });
    fs::write(
        directory.join("tokenizer_config.json"),
        json!({"added_tokens_decoder": by_id(&special)}).to_string(),
    )
    .unwrap();
    assert_eq!(tokenizer(&directory).encode(TEXT).unwrap(), whole);
}

#[test]
fn files_that_disagree_on_an_id_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let directory = model(folder.path(), "model");
    fs::write(directory.join("added_tokens.json"), json!({"<|im_end|>": 460}).to_string()).unwrap();
    let message = refusal(&directory);
    assert!(
        ["added_tokens.json", "tokenizer.json", "460", "463"].iter().all(|word| message.contains(word)),
        "{message}"
    );
    fs::write(directory.join("added_tokens.json"), json!({"<new>": 463}).to_string()).unwrap();
    assert!(refusal(&directory).contains("<|im_end|>"));
}

fn prompt_ids(directory: &Path, chat: &Chat) -> usize {
    let model = VideoLlm::load(directory).unwrap();
    model
        .language()
        .chat(None, chat, &GenerationOptions::default().with_max_tokens(1))
        .unwrap()
        .prompt_tokens()
}

#[test]
fn special_tokens_in_a_conversation_are_text() {
    let folder = tempfile::tempdir().unwrap();
    let directory = model(folder.path(), "model");
    let plain = prompt_ids(&directory, &Chat::new("a").with_system("a").then("a", "a"));
    let tokenizer = tokenizer(&directory);
    for special in ["<|im_start|>", "<|im_end|>", "<image>", "<video>", "<|endoftext|>"] {
        // As many ids as its characters make without being special, less the letter that stood there.
        let longer = tokenizer.encode(&special.replacen('<', "< ", 1)).unwrap().len() - 2;
        for chat in [
            Chat::new(special).with_system("a").then("a", "a"),
            Chat::new("a").with_system(special).then("a", "a"),
            Chat::new("a").with_system("a").then(special, "a"),
            Chat::new("a").with_system("a").then("a", special),
        ] {
            assert!(prompt_ids(&directory, &chat) + 1 >= plain + longer, "{special} in {chat:?}");
        }
    }
}

#[test]
fn templates_are_found_where_transformers_finds_them() {
    let folder = tempfile::tempdir().unwrap();
    let directory = model(folder.path(), "model");
    let prompt = || {
        let template = ModelFiles::open(&directory).map(|files| files.template);
        template
            .and_then(|template| template.render(&Chat::new("Q"), VideoInPrompt::Absent))
            .map(|prompt| prompt.before)
    };
    let source = |name: &str| format!("{name}:{{% for m in messages %}}{{{{ m.content }}}}{{% endfor %}}");
    assert!(prompt().unwrap().starts_with("<|im_start|>system"));
    fs::create_dir(directory.join("additional_chat_templates")).unwrap();
    for (file, text, expected) in [
        ("additional_chat_templates/default.jinja", source("further"), "further:Q"),
        ("tokenizer_config.json", json!({"chat_template": null}).to_string(), "further:Q"),
        ("tokenizer_config.json", json!({"chat_template": source("tokenizer")}).to_string(), "tokenizer:Q"),
        (
            "tokenizer_config.json",
            json!({"chat_template": [{"name": "rag", "template": "no"}, {"name": "default", "template": source("named")}]}).to_string(),
            "named:Q",
        ),
        ("tokenizer_config.json", json!({"chat_template": [{"name": "rag", "template": source("only")}]}).to_string(), "only:Q"),
        ("tokenizer_config.json", json!({"chat_template": {"default": source("object")}}).to_string(), "object:Q"),
        ("processor_config.json", json!({"chat_template": source("processor")}).to_string(), "processor:Q"),
        ("chat_template.json", json!({"chat_template": source("file")}).to_string(), "file:Q"),
        ("chat_template.jinja", source("jinja"), "jinja:Q"),
    ] {
        fs::write(directory.join(file), text).unwrap();
        assert_eq!(prompt().unwrap(), expected, "{file}");
    }
    for file in ["chat_template.jinja", "chat_template.json", "processor_config.json"] {
        fs::remove_file(directory.join(file)).unwrap();
    }
    for (template, word) in [
        (json!([{"name": "rag", "template": "a"}, {"name": "tools", "template": "b"}]), "rag, tools"),
        (json!([{"name": "rag"}]), "neither"),
        (json!(7), "neither"),
    ] {
        fs::write(directory.join("tokenizer_config.json"), json!({"chat_template": template}).to_string())
            .unwrap();
        assert!(refusal(&directory).contains(word), "{template}");
    }
}

#[test]
fn special_tokens_reach_the_template() {
    let folder = tempfile::tempdir().unwrap();
    let directory = model(folder.path(), "model");
    let config = json!({
        "bos_token": "<|endoftext|>",
        "eos_token": {"content": "<|im_end|>", "special": true},
        "pad_token": null,
        "chat_template": "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}{{ eos_token }}{{ pad_token }}",
    });
    fs::write(directory.join("tokenizer_config.json"), config.to_string()).unwrap();
    let files = ModelFiles::open(&directory).unwrap();
    let prompt = files.template.render(&Chat::new("Q"), VideoInPrompt::Absent).unwrap();
    assert_eq!(prompt.before, "<|endoftext|>Q<|im_end|>");
}
