//! What `tokenizer_config.json` says about texts beside the vocabulary.

use serde::Deserialize;
use serde_json::Value;

use super::text_files::TextFiles;
use super::tokenizer_files::named_special_tokens;
use crate::error::ModelError;

/// The keys of `tokenizer_config.json` and `special_tokens_map.json` that change which ids a text has; none without these files.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenizerRules {
    /// The Python class, whose code does what `tokenizer.json` leaves out.
    pub(crate) class: Option<String>,
    /// Whether texts become lower case.
    pub(crate) lower_case: Option<bool>,
    /// Whether a text starts with the start token.
    pub(crate) add_start: Option<bool>,
    /// Whether a text ends with the end token.
    pub(crate) add_end: Option<bool>,
    /// Tokens of a text at most; the absurd number that stands for no limit is left out.
    pub(crate) most_tokens: Option<usize>,
    /// `left` or `right`.
    pub(crate) padding_side: Option<String>,
    /// `bos_token`
    pub(crate) start_token: Option<String>,
    /// `eos_token`
    pub(crate) end_token: Option<String>,
    /// `pad_token`
    pub(crate) pad_token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    tokenizer_class: Option<String>,
    do_lower_case: Option<bool>,
    add_bos_token: Option<bool>,
    add_eos_token: Option<bool>,
    model_max_length: Option<Value>,
    padding_side: Option<String>,
}

impl TokenizerRules {
    /// Reads the rules of a model directory.
    ///
    /// # Errors
    ///
    /// If a file is damaged.
    pub(super) fn read(files: &TextFiles<'_>) -> Result<Self, ModelError> {
        /// More than any text tower reads.
        const NO_LIMIT: u64 = 1_000_000;
        let file: File = files.optional_json("tokenizer_config.json")?.unwrap_or_default();
        let mut named = named_special_tokens(files)?;
        let most =
            file.model_max_length.and_then(|length| length.as_u64()).filter(|&n| (1..NO_LIMIT).contains(&n));
        Ok(Self {
            class: file.tokenizer_class,
            lower_case: file.do_lower_case,
            add_start: file.add_bos_token,
            add_end: file.add_eos_token,
            most_tokens: most.map(|length| length as usize),
            padding_side: file.padding_side,
            start_token: named.remove("bos_token"),
            end_token: named.remove("eos_token"),
            pad_token: named.remove("pad_token"),
        })
    }
}
