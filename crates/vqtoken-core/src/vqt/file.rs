//! `.vqt` files on disk.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use vqtoken_files::{Limit, Limits};

use super::error::{VqtError, VqtFormatError};
use super::layout::PREFIX;
use super::read::{check_prefix, from_bytes};
use super::write::to_bytes;
use crate::video_tokens::VideoTokens;

pub(super) fn load(path: &Path, limits: &Limits) -> Result<VideoTokens, VqtError> {
    let unreadable = |cause| VqtError::Read { path: path.to_owned(), cause };
    let wrong = |cause: VqtFormatError| VqtError::Content { path: path.to_owned(), cause };
    let about = fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(VqtError::NotAFile { path: path.to_owned() });
    }
    limits.check(Limit::Bytes, about.len()).map_err(|error| wrong(error.into()))?;
    let mut file = File::open(path).map_err(unreadable)?.take(about.len());
    let mut bytes = Vec::new();
    // A video given by mistake is found out before gigabytes of it are read.
    file.by_ref().take(PREFIX as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    check_prefix(&bytes, about.len()).map_err(wrong)?;
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    from_bytes(&bytes, limits).map_err(wrong)
}

pub(super) fn save(tokens: &VideoTokens, path: &Path) -> Result<(), VqtError> {
    let bytes = to_bytes(tokens).map_err(|cause| VqtError::Content { path: path.to_owned(), cause })?;
    Ok(vqtoken_files::write(path, bytes)?)
}
