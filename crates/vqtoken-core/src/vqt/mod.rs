//! The `.vqt` file: video tokens as a safetensors file with a checksum. The README says how to read one elsewhere.

use std::path::Path;

mod error;

pub use error::{VqtError, VqtFormatError};

use crate::video_tokens::VideoTokens;
pub(crate) fn save(tokens: &VideoTokens, path: &Path) -> Result<(), VqtError> {
    Err(VqtError::Content {
        path: path.into(),
        cause: to_bytes(tokens).err().unwrap_or(VqtFormatError::Unwritten),
    })
}
pub(crate) fn load(path: &Path) -> Result<VideoTokens, VqtError> {
    Err(VqtError::Content { path: path.into(), cause: VqtFormatError::Unwritten })
}
pub(crate) fn to_bytes(_: &VideoTokens) -> Result<Vec<u8>, VqtFormatError> {
    Err(VqtFormatError::Unwritten)
}
pub(crate) fn from_bytes(_: &[u8]) -> Result<VideoTokens, VqtFormatError> {
    Err(VqtFormatError::Unwritten)
}
