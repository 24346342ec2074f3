//! The steps that make something durable, and where it is until then.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use tempfile::Builder;

const PREFIX: &str = ".vqtoken-";
const SUFFIX: &str = ".part";

/// The names of what is not finished yet.
pub(crate) fn hidden_names() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    builder
}

/// Whether a name is one of [`hidden_names`].
pub(crate) fn is_hidden_name(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(PREFIX.as_bytes()) && name.ends_with(SUFFIX.as_bytes())
}

/// The folder that a path is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What is asked of the operating system at the end, in this order; tests watch it and let it fail.
pub(crate) trait Disk {
    /// Waits until all bytes of a file are on the disk.
    fn sync_file(&mut self, file: &File) -> io::Result<()>;
    /// Gives a file or folder its name, in place of a file of that name.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Waits until the names in a folder are on the disk.
    fn sync_folder(&mut self, folder: &Path) -> io::Result<()>;
}

/// The operating system's disk.
pub(crate) struct SystemDisk;

impl Disk for SystemDisk {
    fn sync_file(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        // Elsewhere a folder cannot be opened as a file.
        if !cfg!(unix) {
            return Ok(());
        }
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            // Some file systems cannot sync a folder, and a folder that may be written to need not be readable.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
                ) =>
            {
                Ok(())
            }
            result => result,
        }
    }
}

#[cfg(test)]
pub(crate) mod test {
    use super::*;

    /// Does what the system's disk does, up to a step that fails, and keeps what it was asked for.
    #[derive(Default)]
    pub(crate) struct WatchedDisk {
        pub(crate) steps: Vec<&'static str>,
        pub(crate) fails_at: Option<&'static str>,
    }

    impl WatchedDisk {
        pub(crate) fn failing_at(step: &'static str) -> Self {
            Self { fails_at: Some(step), ..Self::default() }
        }

        fn step(&mut self, step: &'static str) -> io::Result<()> {
            self.steps.push(step);
            match self.fails_at == Some(step) {
                true => Err(ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        }
    }

    impl Disk for WatchedDisk {
        fn sync_file(&mut self, file: &File) -> io::Result<()> {
            self.step("sync file")?;
            SystemDisk.sync_file(file)
        }

        fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
            self.step("rename")?;
            SystemDisk.rename(from, to)
        }

        fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
            self.step("sync folder")?;
            SystemDisk.sync_folder(folder)
        }
    }
}
