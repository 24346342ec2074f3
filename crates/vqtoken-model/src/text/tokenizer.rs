//! Text to token ids, and ids back to text piece by piece.

use std::path::Path;
use std::sync::Arc;

use tokenizers::decoders::DecoderWrapper;
use tokenizers::{Model, OffsetType, PreTokenizer, Tokenizer as Inner};
use vqtoken_files::quoted;

use super::marks::Mark;
use crate::error::ModelError;

/// The tokenizer of a checkpoint. Clones share it.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    file: String,
    inner: Arc<Inner>,
    /// The texts of all special tokens, longest first.
    special: Arc<Vec<String>>,
    vocabulary: usize,
}

impl Tokenizer {
    /// Reads the bytes of a `tokenizer.json`; `vocabulary` is the size of the language model's vocabulary.
    ///
    /// # Errors
    ///
    /// If they are no `tokenizer.json`.
    pub fn from_bytes(file: &Path, bytes: &[u8], vocabulary: usize) -> Result<Self, ModelError> {
        let file = quoted(file).to_string();
        let inner = Inner::from_bytes(bytes).map_err(|error| ModelError::Tokenizer {
            file: file.clone(),
            problem: format!("it is not a tokenizer.json ({error})"),
        })?;
        let added = inner.get_added_tokens_decoder();
        let mut special: Vec<String> =
            added.into_values().filter(is_control).map(|token| token.content).collect();
        special.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Ok(Self { file, inner: Arc::new(inner), special: Arc::new(special), vocabulary })
    }

    /// Ids of a text, special tokens recognised, none added.
    ///
    /// # Errors
    ///
    /// If an id is outside the language model's vocabulary.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = self.inner.encode_fast(text, false).map_err(|error| self.failed(&error))?;
        self.within_vocabulary(encoding.get_ids().to_vec())
    }

    /// Ids of a text whose marked special tokens are text.
    pub(crate) fn encode_marked(&self, text: &str, mark: Mark) -> Result<Vec<u32>, ModelError> {
        if !mark.is_in(text) {
            return self.encode(text);
        }
        self.encode_unmarked(text, mark)
            .map_err(|error| self.failed(&error))
            .and_then(|ids| self.within_vocabulary(ids))
    }

    /// The steps of the tokenizer, and between its first and its second the mark is removed.
    fn encode_unmarked(&self, text: &str, mark: Mark) -> tokenizers::Result<Vec<u32>> {
        let inner = &self.inner;
        let mut parts = inner.get_added_vocabulary().extract_and_normalize(inner.get_normalizer(), text);
        parts.normalize(|part| {
            part.filter(|c| !mark.is(c));
            Ok(())
        })?;
        if let Some(pre_tokenizer) = inner.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut parts)?;
        }
        parts.tokenize(|part| inner.get_model().tokenize(part.get()))?;
        Ok(parts.into_encoding(None, 0, OffsetType::None)?.get_ids().to_vec())
    }

    fn within_vocabulary(&self, ids: Vec<u32>) -> Result<Vec<u32>, ModelError> {
        match ids.iter().find(|&&id| id as usize >= self.vocabulary) {
            None => Ok(ids),
            Some(id) => Err(ModelError::Tokenizer {
                file: self.file.clone(),
                problem: format!(
                    "it gives token {id}, but the language model has a vocabulary of {}: is it this model's tokenizer?",
                    self.vocabulary
                ),
            }),
        }
    }

    fn failed(&self, error: &tokenizers::Error) -> ModelError {
        ModelError::Tokenizer { file: self.file.clone(), problem: error.to_string() }
    }

    /// The texts of all special tokens.
    pub(crate) fn special_texts(&self) -> &[String] {
        &self.special
    }

    /// The id of a special token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The bytes that a token stands for, which need not be whole characters.
    ///
    /// # Errors
    ///
    /// If the tokenizer cannot decode it.
    pub fn token_bytes(&self, id: u32) -> Result<Vec<u8>, ModelError> {
        let is_byte_level = matches!(self.inner.get_decoder(), Some(DecoderWrapper::ByteLevel(_)));
        let token = self.inner.id_to_token(id).filter(|_| is_byte_level);
        match token.and_then(|token| token.chars().map(byte_of).collect()) {
            Some(bytes) => Ok(bytes),
            None => {
                let decoded = self.inner.decode(&[id], false);
                decoded.map(String::into_bytes).map_err(|error| self.failed(&error))
            }
        }
    }

    /// The text of ids, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String, ModelError> {
        self.inner
            .decode(ids, true)
            .map_err(|error| ModelError::Tokenizer { file: self.file.clone(), problem: error.to_string() })
    }
}

/// The byte that a character of a byte-level token stands for: printable ones for themselves, the others for those after U+0100, in
/// order (Radford et al., 2019, GPT-2).
fn byte_of(character: char) -> Option<u8> {
    let is_printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let code = u32::from(character);
    match u8::try_from(code) {
        Ok(byte) => Some(byte).filter(|&byte| is_printable(byte)),
        Err(_) => (0..=u8::MAX).filter(|&byte| !is_printable(byte)).nth(code as usize - 256),
    }
}

/// Whether a token steers the model. Some checkpoints do not call `<|im_start|>` special.
fn is_control(token: &tokenizers::AddedToken) -> bool {
    token.special || token.content.starts_with("<|")
}

/// Turns a stream of ids into pieces of text, each as soon as its characters are whole.
#[derive(Debug)]
pub struct TextStream {
    tokenizer: Tokenizer,
    /// Ids since the last piece, with those before them whose spacing they may change.
    ids: Vec<u32>,
    /// How many of `ids` have been returned as text.
    given: usize,
}

/// What a decoder writes for bytes that are not a whole character yet.
const INCOMPLETE: char = '\u{FFFD}';

impl TextStream {
    /// A stream that has read nothing.
    pub fn new(tokenizer: &Tokenizer) -> Self {
        Self { tokenizer: tokenizer.clone(), ids: Vec::new(), given: 0 }
    }

    /// Reads an id; returns the text that it completes, which may be none.
    pub fn push(&mut self, id: u32) -> Result<Option<String>, ModelError> {
        self.ids.push(id);
        let piece = self.pending()?;
        if piece.ends_with(INCOMPLETE) || piece.is_empty() {
            return Ok(None);
        }
        self.ids.drain(..self.given);
        self.given = self.ids.len();
        Ok(Some(piece))
    }

    /// What is left when no id follows: bytes that never became a whole character.
    pub fn finish(&mut self) -> Result<Option<String>, ModelError> {
        let piece = self.pending()?;
        self.ids.clear();
        self.given = 0;
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    fn pending(&self) -> Result<String, ModelError> {
        let known = self.tokenizer.decode(&self.ids[..self.given])?;
        let all = self.tokenizer.decode(&self.ids)?;
        Ok(all.get(known.len()..).unwrap_or_default().to_owned())
    }
}
