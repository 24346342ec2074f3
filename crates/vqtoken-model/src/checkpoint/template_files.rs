//! The chat template of a model directory, found as `transformers` finds it.
//!
//! | place, first found first | what stands there |
//! | --- | --- |
//! | `chat_template.jinja` | the template |
//! | `chat_template.json`, `processor_config.json`, `tokenizer_config.json` | `chat_template`: a template, a list of named ones, or an object of them |
//! | `additional_chat_templates/default.jinja` | the template |
//! | none of these | ChatML |

use serde::Deserialize;
use serde_json::Value;
use vqtoken_files::quoted;

use super::text_files::TextFiles;
use super::tokenizer_files::named_special_tokens;
use crate::error::ModelError;
use crate::text::{ChatTemplate, JinjaTemplate};

/// The name of the template that is used where several are named.
const DEFAULT: &str = "default";

/// The folder of further templates.
const ADDITIONAL: &str = "additional_chat_templates";

/// The template of a directory, else plain ChatML.
///
/// # Errors
///
/// If a template is there that cannot be used, or several and none of them is the default.
pub(super) fn chat_template(files: &TextFiles<'_>) -> Result<ChatTemplate, ModelError> {
    let special_tokens = named_special_tokens(files)?;
    let jinja = |file: &str, source: String| {
        let file = quoted(&files.path(file)).to_string();
        Ok(ChatTemplate::Jinja(JinjaTemplate::new(file, source).with_special_tokens(special_tokens.clone())))
    };
    if let Some(source) = files.text("chat_template.jinja")? {
        return jinja("chat_template.jinja", source);
    }
    for file in ["chat_template.json", "processor_config.json", "tokenizer_config.json"] {
        #[derive(Deserialize)]
        struct Holder {
            chat_template: Option<Value>,
        }
        let holder: Option<Holder> = files.optional_json(file)?;
        let Some(template) = holder.and_then(|holder| holder.chat_template) else { continue };
        if let Some(source) = chosen(template).map_err(|problem| ModelError::Template {
            file: quoted(&files.path(file)).to_string(),
            problem,
        })? {
            return jinja(file, source);
        }
    }
    let file = format!("{ADDITIONAL}/{DEFAULT}.jinja");
    match files.text(&file)? {
        Some(source) => jinja(&file, source),
        None => Ok(ChatTemplate::ChatMl),
    }
}

/// The template that serves for a conversation, of what stands under `chat_template`.
fn chosen(template: Value) -> Result<Option<String>, String> {
    let named = match template {
        Value::Null => return Ok(None),
        Value::String(source) => return Ok(Some(source)),
        Value::Array(items) => items.into_iter().map(named_template).collect::<Option<Vec<_>>>(),
        Value::Object(items) => items
            .into_iter()
            .map(|(name, source)| Some((name, source.as_str()?.to_owned())))
            .collect::<Option<Vec<_>>>(),
        _ => None,
    };
    let mut named = named.ok_or("chat_template is neither a template nor a list of named templates")?;
    let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
    match named.iter().position(|(name, _)| name == DEFAULT) {
        Some(index) => Ok(Some(named.swap_remove(index).1)),
        // A single template is the default whatever its name.
        None if named.len() == 1 => Ok(named.pop().map(|(_, source)| source)),
        None if named.is_empty() => Ok(None),
        None => Err(format!(
            "it names {} and none of them {DEFAULT}: copy the one to use into chat_template.jinja",
            names.join(", ")
        )),
    }
}

fn named_template(item: Value) -> Option<(String, String)> {
    let text = |key: &str| Some(item.get(key)?.as_str()?.to_owned());
    Some((text("name")?, text("template")?))
}
