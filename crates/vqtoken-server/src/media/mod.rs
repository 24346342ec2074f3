//! Videos as clients give them, turned into something that can be encoded.
//!
//! | file | idea |
//! | --- | --- |
//! | `given.rs` | a video as it stands in a request |
//! | `resolve.rs` | from there to a file, a folder of frames, tokens or a stored video |
//! | `data_url.rs` | `data:` addresses and base64 |
//! | `local.rs` | files below the media folder |
//! | `remote.rs` | addresses of other machines |
//! | `frames.rs` | pictures as the frames of one clip |
//! | `known_files.rs` | hashes of files that did not change |
//! | `arrival.rs` | a file on its way to the disk |

pub(crate) mod arrival;
pub(crate) mod data_url;
pub(crate) mod frames;
pub(crate) mod given;
pub(crate) mod known_files;
pub(crate) mod local;
pub(crate) mod remote;
pub(crate) mod resolve;

use std::path::PathBuf;

use tempfile::{TempDir, TempPath};
use vqtoken_archive::ContentHash;
use vqtoken_core::VideoTokens;

/// A video that can be read.
#[derive(Debug)]
pub(crate) enum Media {
    /// A file or a folder of pictures.
    Video(VideoMedia),
    /// Tokens that need no video.
    Tokens(Box<VideoTokens>),
    /// A video of the store.
    Stored(String),
}

/// A file or a folder of pictures.
#[derive(Debug)]
pub(crate) struct VideoMedia {
    pub(crate) path: PathBuf,
    /// What people call it.
    pub(crate) name: String,
    pub(crate) content: ContentHash,
    /// Whether it is a folder of pictures that were chosen already.
    pub(crate) pictures: Option<Pictures>,
    /// Removes it when it is no longer needed.
    pub(crate) _held: Held,
}

/// Pictures of one clip.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pictures {
    /// How many were taken a second.
    pub(crate) per_second: f64,
}

/// What is removed when a video has been read.
#[derive(Debug)]
pub(crate) enum Held {
    /// Nothing: the file is the operator's.
    Nothing,
    /// A file.
    File(#[expect(dead_code, reason = "held to be removed")] TempPath),
    /// A folder.
    Folder(#[expect(dead_code, reason = "held to be removed")] TempDir),
}

/// The most bytes of a name that are kept.
const LONGEST_NAME: usize = 200;

/// A name for people out of what a client calls a file.
pub(crate) fn display_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut shown = String::new();
    for c in last.chars().filter(|c| !c.is_control()) {
        if shown.len() + c.len_utf8() > LONGEST_NAME {
            break;
        }
        shown.push(c);
    }
    match shown.trim() {
        "" => "video".to_owned(),
        name => vqtoken_files::visible(name).into_owned(),
    }
}
