//! The tokenizer of a model directory as one `tokenizer.json`, whatever files it is in.
//!
//! | file | what is taken from it |
//! | --- | --- |
//! | `tokenizer.json` | everything |
//! | `vocab.json`, `merges.txt` | Qwen2's byte-level BPE, where there is no `tokenizer.json` |
//! | `tokenizer_config.json` | `added_tokens_decoder`, `eos_token` and the like |
//! | `added_tokens.json` | ids of added tokens |
//! | `special_tokens_map.json` | which tokens are special |

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use vqtoken_files::quoted;

use super::text_files::TextFiles;
use crate::error::ModelError;

/// Of Qwen2: contractions, words, single digits, punctuation, line ends, spaces.
const QWEN2_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The keys of special tokens that get an id where they have none, in the order of their ids.
const STANDARD_KEYS: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The special tokens that a directory names by key, such as `eos_token`: those of `tokenizer_config.json` before those of
/// `special_tokens_map.json`.
pub(super) fn named_special_tokens(files: &TextFiles<'_>) -> Result<BTreeMap<String, String>, ModelError> {
    let mut named = BTreeMap::new();
    for file in ["special_tokens_map.json", "tokenizer_config.json"] {
        let object: Option<Map<String, Value>> = files.optional_json(file)?;
        for (key, value) in object.iter().flatten() {
            if key.ends_with("_token")
                && let Some(content) = content(value)
            {
                named.insert(key.clone(), content.to_owned());
            }
        }
    }
    Ok(named)
}

/// The bytes of `tokenizer.json`, complete.
///
/// # Errors
///
/// If there is no tokenizer, a file is damaged, or files disagree on an id.
pub(super) fn tokenizer_json(files: &TextFiles<'_>) -> Result<Vec<u8>, ModelError> {
    let path = files.path("tokenizer.json");
    let declared = Declared::read(files)?;
    match files.bytes("tokenizer.json")? {
        Some(bytes) if declared.0.is_empty() => Ok(bytes),
        Some(bytes) => {
            let known: Known =
                serde_json::from_slice(&bytes).map_err(|error| bad(&path, error.to_string()))?;
            if declared.0.iter().all(|token| known.has(token)) {
                return Ok(bytes);
            }
            let json = serde_json::from_slice(&bytes).map_err(|error| bad(&path, error.to_string()))?;
            declared.add_to(json, &path)
        }
        None => declared.add_to(from_vocabulary(files)?, &files.path("vocab.json")),
    }
}

/// What `tokenizer.json` knows of added tokens.
#[derive(Deserialize)]
struct Known {
    #[serde(default)]
    added_tokens: Vec<KnownToken>,
}

#[derive(Deserialize)]
struct KnownToken {
    id: u32,
    content: String,
    #[serde(default)]
    special: bool,
}

impl Known {
    fn has(&self, token: &AddedToken) -> bool {
        self.added_tokens.iter().any(|known| {
            known.content == token.content
                && token.id.is_none_or(|id| id == known.id)
                && (known.special || token.flags.get("special") != Some(&Value::Bool(true)))
        })
    }
}

/// A token that a file beside `tokenizer.json` adds.
#[derive(Debug)]
struct AddedToken {
    content: String,
    /// None for a token that is only called special.
    id: Option<u32>,
    /// `special`, `lstrip` and so on.
    flags: Map<String, Value>,
    file: &'static str,
}

/// All tokens that the files beside `tokenizer.json` add.
#[derive(Debug)]
struct Declared(Vec<AddedToken>);

impl Declared {
    fn read(files: &TextFiles<'_>) -> Result<Self, ModelError> {
        let mut tokens = Vec::new();
        let config: Map<String, Value> = optional(files, "tokenizer_config.json")?;
        if let Some(Value::Object(decoder)) = config.get("added_tokens_decoder") {
            let file = "tokenizer_config.json";
            for (id, token) in decoder {
                let (Ok(id), Some(content)) = (id.parse(), content(token)) else {
                    let problem = format!("added_tokens_decoder has {id:?}, which is no token with an id");
                    return Err(bad(&files.path(file), problem));
                };
                let flags = token.as_object().cloned().unwrap_or_default();
                tokens.push(AddedToken { content: content.to_owned(), id: Some(id), flags, file });
            }
        }
        let added: BTreeMap<String, u32> = optional(files, "added_tokens.json")?;
        let special = Map::from_iter([("special".to_owned(), Value::Bool(true))]);
        for (content, id) in added {
            // The decoder has the flags of a token, this file has none: words in angle brackets steer the model.
            let is_known = tokens.iter().any(|token| token.content == content && token.id == Some(id));
            let is_special = content.starts_with('<') && content.ends_with('>');
            let flags = if is_special { special.clone() } else { Map::new() };
            if !is_known {
                tokens.push(AddedToken { content, id: Some(id), flags, file: "added_tokens.json" });
            }
        }
        let named = named_special_tokens(files)?;
        let mut called: Vec<&str> =
            STANDARD_KEYS.iter().filter_map(|key| named.get(*key)).map(String::as_str).collect();
        let map: Map<String, Value> = optional(files, "special_tokens_map.json")?;
        let lists = [&config, &map].into_iter().filter_map(|object| object.get("additional_special_tokens"));
        called.extend(lists.filter_map(Value::as_array).flatten().filter_map(content));
        for content in called {
            if !tokens.iter().any(|token| token.content == content) {
                let file = "special_tokens_map.json";
                tokens.push(AddedToken {
                    content: content.to_owned(),
                    id: None,
                    flags: special.clone(),
                    file,
                });
            }
        }
        Ok(Self(tokens))
    }

    /// Puts the tokens into a `tokenizer.json`: among the added tokens, and with its id into the vocabulary.
    fn add_to(self, mut json: Value, path: &Path) -> Result<Vec<u8>, ModelError> {
        let mut added: Vec<Value> = json["added_tokens"].as_array().cloned().unwrap_or_default();
        let mut ids = word_ids(&json["model"]["vocab"]);
        for token in &added {
            if let (Some(content), Some(id)) = (token["content"].as_str(), token["id"].as_u64()) {
                ids.insert(content.to_owned(), id);
            }
        }
        let mut owners: BTreeMap<u64, String> =
            ids.iter().map(|(content, id)| (*id, content.clone())).collect();
        for token in self.0 {
            let next = owners.keys().next_back().map_or(0, |last| last.saturating_add(1));
            let (stated, content) = (token.id.map(u64::from), token.content);
            let id = match (ids.get(&content).copied(), stated) {
                (Some(known), Some(stated)) if known != stated => {
                    let problem = format!(
                        "it gives {content:?} the id {stated}, and {} gives it {known}: take both files from the same checkpoint",
                        quoted(path)
                    );
                    return Err(bad(&path.with_file_name(token.file), problem));
                }
                (Some(known), _) => known,
                (None, stated) => stated.unwrap_or(next),
            };
            if let Some(other) = owners.get(&id).filter(|other| **other != content) {
                let problem = format!(
                    "it gives {content:?} the id {id}, which is that of {other:?}: take all tokenizer files from the same checkpoint"
                );
                return Err(bad(&path.with_file_name(token.file), problem));
            }
            added.retain(|known| known["content"].as_str() != Some(&content));
            added.push(added_token(&content, id, &token.flags));
            match &mut json["model"]["vocab"] {
                // A word of the vocabulary keeps its id whatever the order of the added tokens.
                Value::Object(words) => drop(words.insert(content.clone(), id.into())),
                _ if ids.contains_key(&content) => {}
                _ => {
                    let problem = format!(
                        "{content:?} cannot be added to a vocabulary of words with scores: save the tokenizer as one tokenizer.json"
                    );
                    return Err(bad(path, problem));
                }
            }
            owners.insert(id, content.clone());
            ids.insert(content, id);
        }
        added.sort_by_key(|token| token["id"].as_u64());
        json["added_tokens"] = added.into();
        Ok(json.to_string().into_bytes())
    }
}

/// The ids of a vocabulary: words with ids, as BPE has, or words with scores whose ids are their places, as unigram models have.
fn word_ids(vocabulary: &Value) -> BTreeMap<String, u64> {
    let words = vocabulary.as_object().into_iter().flatten();
    let with_ids = words.map(|(word, id)| (word.clone(), id.as_u64().unwrap_or(u64::MAX)));
    let places = (0..).zip(vocabulary.as_array().into_iter().flatten());
    let scored = places.filter_map(|(id, word)| Some((word.get(0)?.as_str()?.to_owned(), id)));
    with_ids.chain(scored).collect()
}

/// An entry of `added_tokens`, with every flag.
fn added_token(content: &str, id: u64, flags: &Map<String, Value>) -> Value {
    let flag = |name: &str| flags.get(name).and_then(Value::as_bool).unwrap_or(false);
    json!({
        "id": id,
        "content": content,
        "single_word": flag("single_word"),
        "lstrip": flag("lstrip"),
        "rstrip": flag("rstrip"),
        "normalized": flag("normalized"),
        "special": flag("special"),
    })
}

/// The `tokenizer.json` of Qwen2's byte-level BPE.
fn from_vocabulary(files: &TextFiles<'_>) -> Result<Value, ModelError> {
    let (vocabulary, merges): (Option<Map<String, Value>>, _) =
        (files.optional_json("vocab.json")?, files.text("merges.txt")?);
    let (Some(vocabulary), Some(merges)) = (vocabulary, merges) else {
        let sentence_piece =
            ["tokenizer.model", "spiece.model"].into_iter().find(|name| files.path(name).exists());
        let problem = match sentence_piece {
            Some(name) => {
                format!("it has a SentencePiece {name}, which cannot be read: save the tokenizer as tokenizer.json")
            }
            None => {
                "there is no tokenizer.json, and no vocab.json with merges.txt: give a directory that holds a whole model"
                    .to_owned()
            }
        };
        return Err(bad(files.directory, problem));
    };
    let config: Map<String, Value> = optional(files, "tokenizer_config.json")?;
    let class = config.get("tokenizer_class").and_then(Value::as_str).unwrap_or("Qwen2Tokenizer");
    if !class.starts_with("Qwen2Tokenizer") {
        let problem = format!(
            "vocab.json and merges.txt of a {class} cannot be read, those of a Qwen2Tokenizer can: save the tokenizer as tokenizer.json"
        );
        return Err(bad(files.directory, problem));
    }
    let space = config.get("add_prefix_space").and_then(Value::as_bool).unwrap_or(false);
    let byte_level = |use_regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": space, "trim_offsets": false, "use_regex": use_regex });
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": { "type": "NFC" },
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": QWEN2_PATTERN }, "behavior": "Isolated", "invert": false },
            byte_level(false),
        ] },
        "post_processor": null,
        "decoder": byte_level(true),
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary,
            "merges": read_merges(&files.path("merges.txt"), &merges)?,
        },
    }))
}

/// The pairs of a `merges.txt`, first merged first.
fn read_merges(path: &Path, text: &str) -> Result<Vec<[String; 2]>, ModelError> {
    let is_version = |line: &str| line.starts_with("#version");
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !is_version(line));
    lines
        .map(|(index, line)| match line.split(' ').collect::<Vec<_>>().as_slice() {
            [left, right] => Ok([(*left).to_owned(), (*right).to_owned()]),
            _ => Err(bad(path, format!("line {} is not two words: download it again", index + 1))),
        })
        .collect()
}

/// A token's text, which is given as it is or with flags.
fn content(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content")?.as_str()).filter(|content| !content.is_empty())
}

fn optional<T: serde::de::DeserializeOwned + Default>(
    files: &TextFiles<'_>,
    name: &str,
) -> Result<T, ModelError> {
    Ok(files.optional_json(name)?.unwrap_or_default())
}

fn bad(path: &Path, problem: String) -> ModelError {
    ModelError::Tokenizer { file: quoted(path).to_string(), problem }
}
