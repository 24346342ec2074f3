//! Prompts up to where questions follow, kept so that each is read once.

use std::sync::Arc;

use vqtoken_model::Sequence;

/// What a prefix is known by: the token ids before a video, and the visual tokens if it goes on to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PrefixKey {
    subject: Option<String>,
    before: Vec<u32>,
}

impl PrefixKey {
    /// Up to where the visual tokens begin.
    pub(crate) fn text(before: Vec<u32>) -> Self {
        Self { subject: None, before }
    }

    /// Up to where the question begins.
    pub(crate) fn video(subject: String, before: Vec<u32>) -> Self {
        Self { subject: Some(subject), before }
    }
}

/// A prefix that has been read.
#[derive(Clone, Debug)]
pub(crate) struct Prefix {
    pub(crate) sequence: Arc<Sequence>,
    /// Visual tokens in it.
    pub(crate) video_tokens: usize,
}

/// Read prefixes, the one used last at the end. Beyond so many bytes the first is dropped.
#[derive(Debug)]
pub(crate) struct Prefixes {
    kept: Vec<(PrefixKey, Prefix)>,
    bytes: u64,
    most_bytes: u64,
}

impl Prefixes {
    pub(crate) fn new(most_bytes: u64) -> Self {
        Self { kept: Vec::new(), bytes: 0, most_bytes }
    }

    /// The prefix, if it has been read.
    pub(crate) fn get(&mut self, key: &PrefixKey) -> Option<Prefix> {
        let index = self.kept.iter().position(|(kept, _)| kept == key)?;
        let found = self.kept.remove(index);
        let prefix = found.1.clone();
        self.kept.push(found);
        Some(prefix)
    }

    /// Keeps a prefix. One that is larger than all may be is not kept.
    pub(crate) fn insert(&mut self, key: PrefixKey, prefix: Prefix) {
        let bytes = prefix.sequence.bytes() as u64;
        if bytes > self.most_bytes || self.get(&key).is_some() {
            return;
        }
        self.bytes += bytes;
        self.kept.push((key, prefix));
        while self.bytes > self.most_bytes {
            let (_, dropped) = self.kept.remove(0);
            self.bytes -= dropped.sequence.bytes() as u64;
        }
    }
}
