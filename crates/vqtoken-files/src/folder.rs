//! Folders: written in one step, created, swept.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::disk::{Disk, SystemDisk, folder_of, hidden_names, is_hidden_name};
use crate::error::WriteError;

/// Writes a new folder of files, by name: it is there with all of them, or not at all.
///
/// # Errors
///
/// If there is something at `path` already, or a file cannot be written; then nothing new is there.
pub fn write_folder(path: &Path, files: &[(&str, &[u8])]) -> Result<(), WriteError> {
    write_folder_on(&mut SystemDisk, path, files)
}

fn write_folder_on(disk: &mut impl Disk, path: &Path, files: &[(&str, &[u8])]) -> Result<(), WriteError> {
    if path.file_name().is_none() {
        return Err(WriteError::NoName { path: path.to_owned() });
    }
    if path.symlink_metadata().is_ok() {
        return Err(WriteError::Exists { path: path.to_owned() });
    }
    let parent = folder_of(path);
    if !parent.is_dir() {
        return Err(WriteError::MissingFolder { path: path.to_owned(), folder: parent.to_owned() });
    }
    let mut steps = || -> io::Result<()> {
        let mut hidden = hidden_names().tempdir_in(parent)?;
        for (name, bytes) in files {
            let mut file = File::create_new(hidden.path().join(name))?;
            file.write_all(bytes)?;
            disk.sync_file(&file)?;
        }
        disk.sync_folder(hidden.path())?;
        disk.rename(hidden.path(), path)?;
        hidden.disable_cleanup(true);
        disk.sync_folder(parent)
    };
    steps().map_err(|source| WriteError::io(path, source))
}

/// Creates a folder and those above it where they are missing.
///
/// # Errors
///
/// If there is something else at one of these paths, or the system refuses.
pub fn create_folder(path: &Path) -> Result<(), WriteError> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let parent = folder_of(path);
    create_folder(parent)?;
    match fs::create_dir(path) {
        // Somebody else was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(WriteError::Exists { path: path.to_owned() })
        }
        created => created
            .and_then(|()| SystemDisk.sync_folder(parent))
            .map_err(|source| WriteError::io(path, source)),
    }
}

/// Removes unfinished files of killed processes from a folder; those that somebody is writing to stay.
///
/// Whatever cannot be removed is left: it is hidden and does no harm.
pub fn remove_leftovers(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.filter(|entry| is_hidden_name(&entry.file_name())).map(|entry| entry.path()) {
        if path.is_file() && File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::test::WatchedDisk;
    use crate::file::NewFile;

    const FILES: [(&str, &[u8]); 2] = [("a", b"1"), ("b", b"2")];

    #[test]
    fn a_folder_is_there_with_all_its_files_or_not_at_all() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("model");
        for step in ["sync file", "rename"] {
            let mut disk = WatchedDisk::failing_at(step);
            assert!(matches!(write_folder_on(&mut disk, &path, &FILES), Err(WriteError::Io { .. })));
            assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
        }
        let mut disk = WatchedDisk::default();
        write_folder_on(&mut disk, &path, &FILES).unwrap();
        assert_eq!(disk.steps, ["sync file", "sync file", "sync folder", "rename", "sync folder"]);
        assert_eq!(fs::read(path.join("b")).unwrap(), b"2");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
        assert!(matches!(write_folder(&path, &FILES), Err(WriteError::Exists { .. })));
        let orphan = parent.path().join("none/model");
        assert!(matches!(write_folder(&orphan, &FILES), Err(WriteError::MissingFolder { .. })));
    }

    #[test]
    fn folders_are_created_with_those_above_them() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b/c");
        create_folder(&path).unwrap();
        create_folder(&path).unwrap();
        assert!(path.is_dir());
        fs::write(parent.path().join("file"), "").unwrap();
        assert!(matches!(create_folder(&parent.path().join("file")), Err(WriteError::Exists { .. })));
        create_folder(&parent.path().join("file/below")).unwrap_err();
    }

    #[test]
    fn leftovers_are_removed_and_files_in_the_making_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [".vqtoken-dead.part", ".other.part", "vqtoken.part"] {
            fs::write(path(name), "").unwrap();
        }
        let mut file = NewFile::create(path("new")).unwrap();
        file.write_all(b"x").unwrap();
        remove_leftovers(folder.path());
        file.finish().unwrap();
        remove_leftovers(&path("none"));
        assert!(!path(".vqtoken-dead.part").exists());
        assert!(path(".other.part").exists() && path("vqtoken.part").exists() && path("new").exists());
    }
}
