//! What an archive does when it is opened after a process was killed, or files were taken away.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use vqtoken_core::VideoTokens;
use vqtoken_files::{Limits, quoted, remove_leftovers};

use crate::archive::{file_length, file_names, own_bytes};
use crate::catalogue::Writing;
use crate::error::ArchiveError;
use crate::frames;
use crate::key::is_id;
use crate::layout::Layout;
use crate::record::VideoRecord;
use crate::vectors::remove_unknown_segments;

/// What opening an archive found and tidied up. After a clean end it is all empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// What the catalogue named and is not there, or is not whole. It is in the catalogue no more.
    pub lost: Vec<Loss>,
    /// How many files and folders were removed that no row of the catalogue names: remains of killed processes.
    pub removed: usize,
    /// What is in the folder of videos and not the archive's. It is left alone.
    pub foreign: Vec<PathBuf>,
}

/// A file that is gone or damaged, and what was dropped for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// The video's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Whether the whole video was dropped, because no tokens of it are left; otherwise only this file was.
    pub whole_video: bool,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, path, whole_video } = self;
        let (path, name) = (quoted(path), quoted(name));
        match whole_video {
            true => write!(f, "{path}: gone or damaged: video {id} ({name}) was dropped, store it again"),
            false => write!(f, "{path}: gone or damaged: it was dropped from video {id} ({name})"),
        }
    }
}

/// Makes catalogue and files agree.
pub(crate) fn recover(
    layout: &Layout,
    limits: &Limits,
    writing: &mut Writing<'_>,
) -> Result<Recovery, ArchiveError> {
    let mut recovery = Recovery::default();
    let mut kept = HashMap::new();
    for record in writing.all()? {
        if let Some(whole) = mend(layout, limits, writing, record, &mut recovery.lost)? {
            kept.insert(whole.id.clone(), whole);
        }
    }
    let videos = layout.videos();
    remove_leftovers(&videos);
    for (name, path) in entries(&videos)? {
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir());
        match kept.get(&name) {
            Some(record) => recovery.removed += remove_unknown(&path, record)?,
            None if is_folder && is_id(&name) => {
                fs::remove_dir_all(&path).map_err(|source| ArchiveError::Remove { path, source })?;
                recovery.removed += 1;
            }
            None => recovery.foreign.push(path),
        }
    }
    recovery.removed += remove_unknown_segments(layout, writing)?;
    Ok(recovery)
}

/// Drops from a video what is gone or damaged. None if no tokens are left.
fn mend(
    layout: &Layout,
    limits: &Limits,
    writing: &mut Writing<'_>,
    record: VideoRecord,
    lost: &mut Vec<Loss>,
) -> Result<Option<VideoRecord>, ArchiveError> {
    let mut mended = record.clone();
    let mut gone = Vec::new();
    mended.sets.retain_mut(|set| {
        let path = layout.tokens(&record.id, &set.budget);
        let length = file_length(&path);
        if length == set.bytes {
            return true;
        }
        // A process that was killed after it replaced a file left a whole one of another length.
        match VideoTokens::load_within(&path, limits) {
            Ok(tokens) => {
                (set.bytes, set.codes) = (length, tokens.codebook.codes());
                true
            }
            Err(_) => {
                gone.push(path);
                false
            }
        }
    });
    let mut own = record.text_bytes();
    if record.frames_stored > 0 {
        let path = layout.frames(&record.id);
        match frames::count(&path).ok() == Some(record.frames_stored) {
            true => own += file_length(&path),
            false => {
                mended.frames_stored = 0;
                gone.push(path);
            }
        }
    }
    if mended == record && own == own_bytes(&record) {
        return Ok(Some(record));
    }
    // The budget that a request without one gets has to be among those that are left.
    let is_left = mended.main_set().is_some();
    if let Some(first) = mended.sets.first().filter(|_| !is_left) {
        mended.budget.clone_from(&first.budget);
    }
    let whole_video = mended.sets.is_empty();
    let loss = |path| Loss { id: record.id.clone(), name: record.name.clone(), path, whole_video };
    lost.extend(gone.into_iter().map(loss));
    if whole_video {
        writing.remove(&[mended.id])?;
        return Ok(None);
    }
    writing.put(&mended, own)?;
    Ok(Some(mended))
}

/// Removes what is in a video's folder and its record does not name.
fn remove_unknown(folder: &Path, record: &VideoRecord) -> Result<usize, ArchiveError> {
    let known = file_names(record);
    let mut removed = 0;
    for (name, path) in entries(folder)? {
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir());
        if known.contains(&name) && !is_folder {
            continue;
        }
        let result = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        result.map_err(|source| ArchiveError::Remove { path, source })?;
        removed += 1;
    }
    Ok(removed)
}

/// Names and paths in a folder, in the order of the names.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, ArchiveError> {
    let read = || {
        let entry = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), entry.path()))
        };
        let mut found = fs::read_dir(folder)?.map(entry).collect::<std::io::Result<Vec<_>>>()?;
        found.sort();
        Ok(found)
    };
    read().map_err(|source| ArchiveError::Read { path: folder.to_owned(), source })
}
