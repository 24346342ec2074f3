//! A stream of `.vqt` files, one after the other, cut into files.

use serde_json::{Map, Value};

/// The largest header of a `.vqt` file, in bytes.
const MOST_HEADER: u64 = 1 << 24;

/// Bytes that say how long the header is.
const LENGTH: usize = 8;

/// Cuts bytes that come in pieces of any size into `.vqt` files. It holds one file at most.
#[derive(Clone, Debug)]
pub struct TokenStream {
    most: u64,
    bytes: Vec<u8>,
    /// The part that comes now, and where it ends in the file.
    part: Part,
    end: usize,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Length,
    Header,
    Data,
}

/// Why bytes are no stream of `.vqt` files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenStreamError {
    /// A header is none of a `.vqt` file.
    #[error("no .vqt file: its header cannot be read: send .vqt files one after the other and nothing else")]
    Header,
    /// A file is larger than allowed.
    #[error("a file of {bytes} bytes is more than the limit of {most}: send shorter videos, or allow more")]
    TooLarge {
        /// What its header says.
        bytes: u64,
        /// What is allowed.
        most: u64,
    },
    /// The stream ended inside a file.
    #[error("the last file is cut: what came before it is stored; send it again")]
    Cut,
}

impl TokenStream {
    /// A stream whose files may have `most` bytes each.
    pub fn new(most: u64) -> Self {
        Self { most, bytes: Vec::new(), part: Part::Length, end: LENGTH }
    }

    /// Takes bytes from the front of `input`, up to the end of a file at most. Returns the file once it is whole; more of `input` may be left then.
    ///
    /// # Errors
    /// If a header cannot be read, or its file would be too large. The stream is of no use after that.
    pub fn next_file(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, TokenStreamError> {
        loop {
            let missing = self.end - self.bytes.len();
            let (taken, rest) = input.split_at(missing.min(input.len()));
            self.bytes.extend_from_slice(taken);
            *input = rest;
            if self.bytes.len() < self.end {
                return Ok(None);
            }
            match self.part {
                Part::Length => {
                    let length = self.bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
                    if length > MOST_HEADER {
                        return Err(TokenStreamError::Header);
                    }
                    (self.part, self.end) = (Part::Header, self.within(length)?);
                }
                Part::Header => {
                    let data = data_length(&self.bytes[LENGTH..]).ok_or(TokenStreamError::Header)?;
                    (self.part, self.end) = (Part::Data, self.within(data)?);
                }
                Part::Data => {
                    (self.part, self.end) = (Part::Length, LENGTH);
                    return Ok(Some(std::mem::take(&mut self.bytes)));
                }
            }
        }
    }

    /// Says that nothing more comes.
    ///
    /// # Errors
    /// If the last file is not whole.
    pub fn finish(self) -> Result<(), TokenStreamError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(TokenStreamError::Cut) }
    }

    /// Where the next part ends, which has `length` bytes.
    fn within(&self, length: u64) -> Result<usize, TokenStreamError> {
        let bytes = (self.end as u64).saturating_add(length);
        let too_large = TokenStreamError::TooLarge { bytes, most: self.most };
        usize::try_from(bytes).ok().filter(|_| bytes <= self.most).ok_or(too_large)
    }
}

/// Where the last tensor that a header speaks of ends, in bytes after the header.
fn data_length(header: &[u8]) -> Option<u64> {
    let tensors: Map<String, Value> = serde_json::from_slice(header).ok()?;
    let ends = tensors.iter().filter(|(name, _)| *name != "__metadata__");
    ends.map(|(_, tensor)| tensor.get("data_offsets")?.get(1)?.as_u64())
        .try_fold(0, |most, end| Some(most.max(end?)))
}
