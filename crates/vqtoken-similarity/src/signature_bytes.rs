//! A signature as bytes.
//!
//! | bytes | what, little-endian |
//! | --- | --- |
//! | 4 | `VQSG` |
//! | 2 | version, 1 |
//! | 2 | frames F, 1 to 32 |
//! | 4 | a number for model and mean |
//! | 4 | seconds, f32 |
//! | 96 F | the frames, a signed byte a value |
//! | 4 | CRC-32 of all before |

use crate::error::SignatureFormatError;
use crate::signature::{CHANNELS, KeptFrame, MOST_FRAMES, Signature};

const MAGIC: &[u8; 4] = b"VQSG";
const VERSION: u16 = 1;
const HEADER: usize = 16;
const CHECKSUM: usize = 4;

impl Signature {
    /// The bytes of the signature, at most 3,092; the same signature always gives the same.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length(self.frames.len()));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(self.frames.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&self.family.to_le_bytes());
        bytes.extend_from_slice(&self.seconds.to_le_bytes());
        for frame in &self.frames {
            bytes.extend(frame.values.iter().map(|value| value.cast_unsigned()));
        }
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// Reads what [`Self::to_bytes`] gave and checks all of it.
    ///
    /// # Errors
    /// If it is no signature, of a newer version, of another length than it says, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignatureFormatError> {
        if !bytes.starts_with(MAGIC) {
            return Err(SignatureFormatError::Magic);
        }
        let cut_off = SignatureFormatError::Length { vectors: 0, expected: 0, found: bytes.len() };
        let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else { return Err(cut_off) };
        let [_, _, _, _, v0, v1, f0, f1, m0, m1, m2, m3, s0, s1, s2, s3] = *header;
        let version = u16::from_le_bytes([v0, v1]);
        if version != VERSION {
            return Err(SignatureFormatError::Version { found: version, known: VERSION });
        }
        let vectors = usize::from(u16::from_le_bytes([f0, f1]));
        let expected = if (1..=MOST_FRAMES).contains(&vectors) { length(vectors) } else { 0 };
        if bytes.len() != expected {
            return Err(SignatureFormatError::Length { vectors, expected, found: bytes.len() });
        }
        let Some((content, checksum)) = bytes.split_last_chunk::<CHECKSUM>() else { return Err(cut_off) };
        if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
            return Err(SignatureFormatError::Checksum);
        }
        let seconds = f32::from_le_bytes([s0, s1, s2, s3]);
        if !(seconds.is_finite() && seconds >= 0.0) {
            return Err(SignatureFormatError::Value);
        }
        let frames = content[HEADER..].as_chunks::<CHANNELS>().0;
        let frames = frames.iter().map(|values| KeptFrame::new(values.map(u8::cast_signed))).collect();
        Ok(Self::new(u32::from_le_bytes([m0, m1, m2, m3]), seconds, frames))
    }
}

fn length(frames: usize) -> usize {
    HEADER + frames * CHANNELS + CHECKSUM
}
