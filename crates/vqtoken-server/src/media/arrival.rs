//! A file on its way to the disk: hashed while it is written, bounded, and removed if it does not arrive.

use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;
use vqtoken_archive::ContentHasher;
use vqtoken_core::VideoTokens;
use vqtoken_files::Limits;

use crate::error::ApiError;
use crate::media::{Held, Media, VideoMedia, display_name};

/// A file that has begun to arrive.
#[derive(Debug)]
pub(crate) struct Arrival {
    file: NamedTempFile,
    hasher: ContentHasher,
    bytes: u64,
}

fn failed(error: std::io::Error) -> ApiError {
    ApiError::Store { problem: error.to_string() }
}

impl Arrival {
    pub(crate) fn new(uploads: &Path) -> Result<Self, ApiError> {
        let file = tempfile::Builder::new()
            .prefix(".vqtoken-")
            .suffix(".part")
            .tempfile_in(uploads)
            .map_err(failed)?;
        Ok(Self { file, hasher: ContentHasher::new(), bytes: 0 })
    }

    pub(crate) fn write(&mut self, piece: &[u8]) -> Result<(), ApiError> {
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
        self.file.write_all(piece).map_err(failed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What has arrived: a video, or the video tokens of a `.vqt` file.
    pub(crate) fn finish(mut self, name: &str, place: &str, limits: &Limits) -> Result<Media, ApiError> {
        if self.bytes == 0 {
            return Err(ApiError::parameter(place, "is empty: send the bytes of a video or of a .vqt file"));
        }
        self.file.flush().map_err(failed)?;
        let (name, content) = (display_name(name), self.hasher.finish());
        let path = self.file.into_temp_path();
        if is_video_tokens(&path).map_err(failed)? {
            let bytes = std::fs::read(&path).map_err(failed)?;
            return tokens(&bytes, place, limits).map(|tokens| Media::Tokens(Box::new(tokens)));
        }
        let media =
            VideoMedia { path: path.to_path_buf(), name, content, pictures: None, _held: Held::File(path) };
        Ok(Media::Video(media))
    }
}

/// Reads the bytes of a `.vqt` file.
pub(crate) fn tokens(bytes: &[u8], place: &str, limits: &Limits) -> Result<VideoTokens, ApiError> {
    VideoTokens::from_bytes_within(bytes, limits)
        .map_err(|source| ApiError::Vqt { param: place.to_owned(), source })
}

/// Whether a file begins as a `.vqt` file does: the length of a header, and the header. No container of videos begins so.
fn is_video_tokens(path: &Path) -> std::io::Result<bool> {
    use std::io::Read;

    let mut head = Vec::new();
    std::fs::File::open(path)?.take(9).read_to_end(&mut head)?;
    Ok(begins_as_video_tokens(&head))
}

/// As [`is_video_tokens`], of bytes.
pub(crate) fn begins_as_video_tokens(bytes: &[u8]) -> bool {
    const MOST_HEADER: u64 = 100_000_000;
    match bytes.first_chunk::<8>() {
        Some(length) => u64::from_le_bytes(*length) <= MOST_HEADER && bytes.get(8) == Some(&b'{'),
        None => false,
    }
}
