//! `.vqt` files on disk.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::PREFIX;
use super::read::{check_prefix, from_bytes};
use super::write::to_bytes;
use crate::video_tokens::VideoTokens;
use crate::vqt::{VqtError, VqtFormatError};

pub(crate) fn load(path: &Path) -> Result<VideoTokens, VqtError> {
    let unreadable = |cause| VqtError::Read { path: path.to_owned(), cause };
    let wrong = |cause: VqtFormatError| VqtError::Content { path: path.to_owned(), cause };
    let about = fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(VqtError::NotAFile { path: path.to_owned() });
    }
    let mut file = File::open(path).map_err(unreadable)?.take(about.len());
    let mut bytes = Vec::new();
    // A video given by mistake is found out before gigabytes of it are read.
    file.by_ref().take(PREFIX as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    check_prefix(&bytes, about.len()).map_err(wrong)?;
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    from_bytes(&bytes).map_err(wrong)
}

pub(crate) fn save(tokens: &VideoTokens, path: &Path) -> Result<(), VqtError> {
    let bytes = to_bytes(tokens).map_err(|cause| VqtError::Content { path: path.to_owned(), cause })?;
    let (Some(name), false) = (path.file_name(), path.is_dir()) else {
        return Err(VqtError::NotAFile { path: path.to_owned() });
    };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(VqtError::MissingFolder { path: path.to_owned(), folder: folder.to_owned() });
    }
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    // Two writers of one file, in this process or another, must not share what they write.
    static WRITERS: AtomicUsize = AtomicUsize::new(0);
    beside.push(format!(".{}-{}.part", std::process::id(), WRITERS.fetch_add(1, Ordering::Relaxed)));
    let beside = folder.join(beside);
    write_then_rename(&bytes, &beside, path).map_err(|cause| {
        // Whether or not it exists, the file beside is of no use now, and `cause` says more than a second error.
        let _ = fs::remove_file(&beside);
        VqtError::Write { path: path.to_owned(), cause }
    })
}

fn write_then_rename(bytes: &[u8], beside: &Path, path: &Path) -> io::Result<()> {
    File::create_new(beside)?.write_all(bytes)?;
    fs::rename(beside, path)
}
