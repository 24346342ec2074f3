//! What names a video in the archive.

use crate::content::ContentHash;

/// The domain of the hash, so that no other use of BLAKE3 can give the same id.
const CONTEXT: &str = "vqtoken-archive 2026-11 id of a video from content, model and sampling";

/// Hexadecimal digits of an id.
const DIGITS: usize = 24;

/// What names a video: its bytes, the model that saw it, and which frames of it were looked at. Two videos of the same key have the same tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VideoKey {
    /// The hash of the file.
    pub content: ContentHash,
    /// The model, as [`vqtoken_core::VideoTokens::model`] names it.
    pub model: String,
    /// How frames were chosen, with the span of time if it is not all, such as `frames=32` or `fps=1 start=10`. Any text, as long as the same choice always gives the
    /// same text.
    pub sampling: String,
}

impl VideoKey {
    /// A key of its three parts.
    pub fn new(content: ContentHash, model: impl Into<String>, sampling: impl Into<String>) -> Self {
        Self { content, model: model.into(), sampling: sampling.into() }
    }

    /// The id: `v` and 24 hexadecimal digits of a hash of the key. The same on every machine.
    pub fn id(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        for part in [self.content.as_bytes().as_slice(), self.model.as_bytes(), self.sampling.as_bytes()] {
            // With its length before it, no part can pass for the end of another.
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        format!("v{}", &hasher.finalize().to_hex()[..DIGITS])
    }
}

/// Whether a text has the form of an id. Only such texts become paths.
pub(crate) fn is_id(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix('v').is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_key_makes_the_id() {
        let key = |content: &[u8], model, sampling| {
            VideoKey::new(ContentHash::of_bytes(content), model, sampling).id()
        };
        let ids = [key(b"a", "m", "ss"), key(b"b", "m", "ss"), key(b"a", "n", "ss"), key(b"a", "ms", "s")];
        for (index, id) in ids.iter().enumerate() {
            assert!(is_id(id), "{id}");
            assert!(!ids[..index].contains(id), "{id}");
        }
        assert_eq!(ids[0], key(b"a", "m", "ss"));
        assert_eq!(ids[0], "v09c7b71b0a89be400d5db9c1", "ids must never change");
    }

    #[test]
    fn only_ids_pass_for_ids() {
        for text in ["", "v", "../../etc", &format!("v{}", "A".repeat(24)), &format!("v{}", "0".repeat(25))] {
            assert!(!is_id(text), "{text}");
        }
    }
}
