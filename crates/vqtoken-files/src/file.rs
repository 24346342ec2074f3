//! A file that gets its name when it is complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::disk::{Disk, SystemDisk, folder_of, hidden_names};
use crate::error::WriteError;

/// A file that is written under a hidden name beside its place and gets its own name by [`NewFile::finish`]. Dropped before that, it
/// is removed. Writes are buffered.
#[derive(Debug)]
pub struct NewFile {
    /// As it was given, for messages.
    path: PathBuf,
    /// Links followed.
    destination: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl NewFile {
    /// Starts a file. What is at `path` stays as it is until the new file is finished.
    ///
    /// # Errors
    ///
    /// If there is no such folder, `path` is not a file that may be replaced, or the folder cannot be written to.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, WriteError> {
        let path = path.as_ref().to_owned();
        if path.file_name().is_none() {
            return Err(WriteError::NoName { path });
        }
        let destination = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        let replaced = fs::metadata(&destination).ok();
        match &replaced {
            Some(there) if !there.is_file() => return Err(WriteError::NotAFile { path }),
            Some(there) if there.permissions().readonly() => return Err(WriteError::ReadOnly { path }),
            _ => {}
        }
        let folder = folder_of(&destination);
        if !folder.is_dir() {
            let folder = folder.to_owned();
            return Err(WriteError::MissingFolder { path, folder });
        }
        let create = || {
            let file = hidden_names().make_in(folder, |path| File::create_new(path))?;
            // Tells `remove_leftovers` that somebody writes to it; where there are no locks, it is left alone.
            let _ = file.as_file().try_lock();
            if let Some(replaced) = replaced {
                file.as_file().set_permissions(replaced.permissions())?;
            }
            Ok(BufWriter::new(file))
        };
        match create() {
            Ok(file) => Ok(Self { path, destination, file }),
            Err(source) => Err(WriteError::Io { path, source }),
        }
    }

    /// The path that the file will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until all bytes are on the disk, gives the file its name, and waits until that is on the disk too.
    ///
    /// # Errors
    ///
    /// If the system cannot do one of these. What was at the path before is still there.
    pub fn finish(self) -> Result<(), WriteError> {
        self.finish_on(&mut SystemDisk)
    }

    fn finish_on(self, disk: &mut impl Disk) -> Result<(), WriteError> {
        let Self { path, destination, file } = self;
        let steps = || {
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            disk.sync_file(file.as_file())?;
            disk.rename(file.path(), &destination)?;
            file.disable_cleanup(true);
            disk.sync_folder(folder_of(&destination))
        };
        steps().map_err(|source| WriteError::Io { path, source })
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for NewFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// Writes a whole file.
///
/// # Errors
///
/// If it cannot be written. What was at the path before is still there.
pub fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<(), WriteError> {
    write_with(path, |file| file.write_all(bytes.as_ref()))
}

/// Writes a whole file piece by piece.
///
/// # Errors
///
/// If it cannot be written, or `fill` fails. What was at the path before is still there.
pub fn write_with(
    path: impl AsRef<Path>,
    fill: impl FnOnce(&mut NewFile) -> io::Result<()>,
) -> Result<(), WriteError> {
    let mut file = NewFile::create(path)?;
    fill(&mut file).map_err(|source| WriteError::io(&file.path, source))?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::disk::test::WatchedDisk;

    fn names(folder: &Path) -> Vec<OsString> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_synced_then_renamed_then_its_folder_is_synced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert!(!path.exists());
        let mut disk = WatchedDisk::default();
        file.finish_on(&mut disk).unwrap();
        assert_eq!(disk.steps, ["sync file", "rename", "sync folder"]);
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn the_old_file_stays_whole_wherever_the_new_one_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        let unchanged = || {
            assert_eq!(fs::read(&path).unwrap(), b"old");
            assert_eq!(names(folder.path()), ["a"]);
        };
        let broken = write_with(&path, |file| {
            file.write_all(b"ne")?;
            file.flush()?;
            Err(io::ErrorKind::StorageFull.into())
        });
        let message = broken.unwrap_err().to_string();
        assert!(
            message.starts_with(&path.display().to_string()) && message.contains("make room"),
            "{message}"
        );
        unchanged();
        for step in ["sync file", "rename"] {
            let mut file = NewFile::create(&path).unwrap();
            file.write_all(b"new").unwrap();
            assert!(matches!(file.finish_on(&mut WatchedDisk::failing_at(step)), Err(WriteError::Io { .. })));
            unchanged();
        }
        drop(NewFile::create(&path).unwrap());
        unchanged();
    }

    #[test]
    fn what_is_not_a_file_to_be_replaced_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| write(folder.path().join(name), "x").unwrap_err();
        assert!(matches!(at("none/a"), WriteError::MissingFolder { .. }));
        assert!(matches!(at(".."), WriteError::NoName { .. }));
        fs::create_dir(folder.path().join("folder")).unwrap();
        assert!(matches!(at("folder"), WriteError::NotAFile { .. }));
        let fixed = folder.path().join("fixed");
        fs::write(&fixed, "old").unwrap();
        let mut permissions = fs::metadata(&fixed).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&fixed, permissions).unwrap();
        assert!(matches!(at("fixed"), WriteError::ReadOnly { .. }));
        assert_eq!(names(folder.path()), ["fixed", "folder"]);
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_refused_links_followed_and_permissions_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        assert!(matches!(write("/dev/null", "x"), Err(WriteError::NotAFile { .. })));
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("link"));
        write(&path, "old").unwrap();
        fs::write(folder.path().join("plain"), "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&folder.path().join("plain")), "as the umask leaves them");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("a", &link).unwrap();
        write(&link, "new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(link.is_symlink());
        assert_eq!(mode(&path) & 0o777, 0o640);
    }

    #[test]
    fn a_name_may_be_as_long_as_the_system_allows() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path().join("n".repeat(255)), "x").unwrap();
        let message = write(folder.path().join("n".repeat(256)), "x").unwrap_err().to_string();
        assert!(message.contains("choose a shorter"), "{message}");
    }
}
