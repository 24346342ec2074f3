//! Texts to the ids that SigLIP's text tower was trained on.
//!
//! | step | SigLIP | SigLIP 2 |
//! | --- | --- | --- |
//! | words | lower case, ASCII punctuation taken out, runs of spaces to one | lower case |
//! | tokens | SentencePiece unigram, `</s>` at the end | Gemma's BPE, `<eos>` at the end |
//! | length | cut to 64 with the end token kept, padded to 64 with `</s>` | the same with `<pad>` |
//!
//! `tokenizer.json` usually does all of it. Public checkpoints leave steps to the Python class that `tokenizer_config.json` names; those
//! that `tokenizer.json` lacks are done here (`transformers`, `SiglipTokenizer` and `Siglip2Tokenizer`).

use std::path::Path;
use std::sync::Arc;

use tokenizers::{
    NormalizedString, Normalizer, PaddingDirection, PaddingParams, PaddingStrategy, Tokenizer as Inner,
};
use vqtoken_files::quoted;

use crate::checkpoint::TokenizerRules;
use crate::config::SiglipTextConfig;
use crate::error::ModelError;

/// A text as the text tower reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextIds {
    /// Always as many as the tower reads, 64 in public models; short texts are padded.
    pub ids: Vec<u32>,
    /// Tokens at the end of the text that did not fit.
    pub tokens_cut: usize,
}

/// The tokenizer of a SigLIP. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct TextTokenizer {
    file: String,
    inner: Arc<Inner>,
    words: Words,
    /// Before and after the tokens of every text.
    around: [Vec<u32>; 2],
    padding: Padding,
    vocabulary: usize,
}

/// What is done to a text before `tokenizer.json` sees it, since that does not do it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Words {
    lower_case: bool,
    without_punctuation: bool,
}

#[derive(Clone, Copy, Debug)]
struct Padding {
    id: u32,
    is_left: bool,
    /// Tokens of every text.
    length: usize,
}

impl TextTokenizer {
    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// If they are no `tokenizer.json`, or what it does to texts does not fit the text tower.
    pub(super) fn new(
        file: &Path,
        bytes: &[u8],
        rules: &TokenizerRules,
        config: &SiglipTextConfig,
    ) -> Result<Self, ModelError> {
        let file = quoted(file).to_string();
        let bad = |problem: String| ModelError::Tokenizer { file: file.clone(), problem };
        let failed = |error: tokenizers::Error| bad(error.to_string());
        let mut inner =
            Inner::from_bytes(bytes).map_err(|error| bad(format!("it is not a tokenizer.json ({error})")))?;
        let padding = Padding::new(inner.get_padding(), rules, &inner, config).map_err(bad)?;
        inner.with_padding(None).with_truncation(None).map_err(failed)?;
        let around = special_tokens(&inner, rules).map_err(bad)?;
        if around.iter().map(Vec::len).sum::<usize>() >= padding.length {
            return Err(bad(format!("texts of {} tokens have no room for words", padding.length)));
        }
        let words = Words::of(rules).without(&inner).map_err(failed)?;
        Ok(Self { inner: Arc::new(inner), words, around, padding, vocabulary: config.vocabulary, file })
    }

    /// Tokens of every text.
    pub(super) fn length(&self) -> usize {
        self.padding.length
    }

    /// The ids of a text, cut and padded.
    ///
    /// # Errors
    ///
    /// If an id is outside the vocabulary.
    pub(super) fn encode(&self, text: &str) -> Result<TextIds, ModelError> {
        let failed = |error: tokenizers::Error| ModelError::Tokenizer {
            file: self.file.clone(),
            problem: error.to_string(),
        };
        let encoding = self.inner.encode_fast(self.words.apply(text), false).map_err(failed)?;
        let words = encoding.get_ids();
        let [before, after] = &self.around;
        let kept = words.len().min(self.padding.length - before.len() - after.len());
        let mut ids = [before, &words[..kept], after].concat();
        if let Some(id) = ids.iter().find(|&&id| id as usize >= self.vocabulary) {
            return Err(ModelError::Tokenizer {
                file: self.file.clone(),
                problem: format!(
                    "it gives token {id}, but the text tower has a vocabulary of {}: is it this model's tokenizer?",
                    self.vocabulary
                ),
            });
        }
        let pads = vec![self.padding.id; self.padding.length - ids.len()];
        match self.padding.is_left {
            true => drop(ids.splice(0..0, pads)),
            false => ids.extend(pads),
        }
        Ok(TextIds { ids, tokens_cut: words.len() - kept })
    }
}

impl Words {
    /// What the Python class of a tokenizer does to texts.
    fn of(rules: &TokenizerRules) -> Self {
        let class = rules.class.as_deref().unwrap_or_default();
        let is_siglip = class == "SiglipTokenizer" || class == "SiglipTokenizerFast";
        // SigLIP 2 was trained on lower case, though its tokenizer is called Gemma's (huggingface/transformers#43101).
        let is_siglip2 = class.starts_with("GemmaTokenizer") || class.starts_with("Siglip2Tokenizer");
        Self {
            lower_case: rules.lower_case.unwrap_or(is_siglip || is_siglip2),
            without_punctuation: is_siglip,
        }
    }

    /// What is left to do after what `tokenizer.json` does itself.
    fn without(self, inner: &Inner) -> tokenizers::Result<Self> {
        let mut probe = NormalizedString::from("A!b");
        if let Some(normalizer) = inner.get_normalizer() {
            normalizer.normalize(&mut probe)?;
        }
        let normalized = probe.get();
        Ok(Self {
            lower_case: self.lower_case && normalized.contains('A'),
            without_punctuation: self.without_punctuation && normalized.contains('!'),
        })
    }

    fn apply(self, text: &str) -> String {
        let text = if self.lower_case { text.to_lowercase() } else { text.to_owned() };
        match self.without_punctuation {
            true => {
                let words = text.replace('\u{2581}', " ").replace(|c: char| c.is_ascii_punctuation(), "");
                words.split_whitespace().collect::<Vec<_>>().join(" ")
            }
            false => text,
        }
    }
}

impl Padding {
    /// `tokenizer_config.json` comes before `tokenizer.json`, as in `transformers`, and both before `config.json`.
    fn new(
        stored: Option<&PaddingParams>,
        rules: &TokenizerRules,
        inner: &Inner,
        config: &SiglipTextConfig,
    ) -> Result<Self, String> {
        let named = rules.pad_token.as_deref().map(|token| {
            inner
                .token_to_id(token)
                .ok_or_else(|| format!("its pad_token {token:?} is not in the vocabulary"))
        });
        let id = match (named.transpose()?, stored) {
            (Some(id), _) => id,
            (None, Some(padding)) => padding.pad_id,
            (None, None) => config.pad_token,
        };
        if id as usize >= config.vocabulary {
            return Err(format!(
                "texts are padded with token {id}, outside the vocabulary of {}",
                config.vocabulary
            ));
        }
        let fixed = stored.and_then(|padding| match padding.strategy {
            PaddingStrategy::Fixed(length) => Some(length),
            PaddingStrategy::BatchLongest => None,
        });
        // Some files state a limit of the tokenizer's first model, which is far above what this tower reads.
        let length =
            rules.most_tokens.or(fixed).map_or(config.positions, |length| length.min(config.positions));
        let is_left = match rules.padding_side.as_deref() {
            Some(side) => side == "left",
            None => stored.is_some_and(|padding| matches!(padding.direction, PaddingDirection::Left)),
        };
        Ok(Self { id, is_left, length })
    }
}

/// The tokens before and after every text: those that Gemma's class is told to add, else those of `tokenizer.json`, else SigLIP's end.
fn special_tokens(inner: &Inner, rules: &TokenizerRules) -> Result<[Vec<u32>; 2], String> {
    let class = rules.class.as_deref().unwrap_or_default();
    let named = |token: &Option<String>, what: &str| {
        let token = token.as_deref().ok_or_else(|| format!("texts need a {what}, and no file names it"))?;
        inner
            .token_to_id(token)
            .map(|id| vec![id])
            .ok_or_else(|| format!("its {what} {token:?} is not in the vocabulary"))
    };
    if class.starts_with("GemmaTokenizer") && (rules.add_start.is_some() || rules.add_end.is_some()) {
        let start = rules.add_start.unwrap_or(true).then(|| named(&rules.start_token, "bos_token"));
        let end = rules.add_end.unwrap_or(false).then(|| named(&rules.end_token, "eos_token"));
        return Ok([start.transpose()?.unwrap_or_default(), end.transpose()?.unwrap_or_default()]);
    }
    let ids = |special| {
        let encoding = inner.encode_fast("a", special).map_err(|error| error.to_string())?;
        Ok::<_, String>(encoding.get_ids().to_vec())
    };
    let (alone, whole) = (ids(false)?, ids(true)?);
    if whole == alone && class.starts_with("SiglipTokenizer") {
        return Ok([Vec::new(), named(&rules.end_token, "eos_token")?]);
    }
    let at = (0..=whole.len().saturating_sub(alone.len())).find(|&at| whole[at..].starts_with(&alone));
    let at = at.ok_or("its post_processor does more than put tokens before and after a text")?;
    Ok([whole[..at].to_vec(), whole[at + alone.len()..].to_vec()])
}
