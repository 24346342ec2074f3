//! Text to token ids, and ids back to text piece by piece.

use std::path::Path;
use std::sync::Arc;

use tokenizers::Tokenizer as Inner;

use crate::error::ModelError;

/// The tokenizer of a checkpoint. Clones share it.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    file: String,
    inner: Arc<Inner>,
    vocabulary: usize,
}

impl Tokenizer {
    /// Reads the bytes of a `tokenizer.json`; `vocabulary` is the size of the language model's vocabulary.
    pub fn from_bytes(file: &Path, bytes: &[u8], vocabulary: usize) -> Result<Self, ModelError> {
        let file = file.display().to_string();
        let inner = Inner::from_bytes(bytes).map_err(|error| ModelError::Tokenizer {
            file: file.clone(),
            problem: format!("it is not a tokenizer.json ({error})"),
        })?;
        Ok(Self { file, inner: Arc::new(inner), vocabulary })
    }

    /// Ids of a text, special tokens recognised, none added.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let bad = |problem: String| ModelError::Tokenizer { file: self.file.clone(), problem };
        let encoding = self.inner.encode_fast(text, false).map_err(|error| bad(error.to_string()))?;
        let ids = encoding.get_ids().to_vec();
        match ids.iter().find(|&&id| id as usize >= self.vocabulary) {
            None => Ok(ids),
            Some(id) => Err(bad(format!(
                "it gives token {id}, but the language model has a vocabulary of {}: is it this model's tokenizer?",
                self.vocabulary
            ))),
        }
    }

    /// The id of a special token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The text of ids, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String, ModelError> {
        self.inner
            .decode(ids, true)
            .map_err(|error| ModelError::Tokenizer { file: self.file.clone(), problem: error.to_string() })
    }
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
