//! One writing process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};

use crate::error::ArchiveError;
use crate::layout::Layout;

/// Longest text that is read from the lock file.
const LONGEST: u64 = 20;

/// The right to write to an archive, until it is dropped or the process ends, however it does.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would not do: a program that another thread is just starting has the file open for a moment, too.
        let _ = self.0.unlock();
    }
}

/// Takes the archive for this process.
pub(crate) fn lock(layout: &Layout) -> Result<Lock, ArchiveError> {
    let path = layout.lock();
    let failed = |source| ArchiveError::Read { path: path.clone(), source };
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // The number is a help for people; without it the message is still right.
            let _ = file.take(LONGEST).read_to_string(&mut text);
            let process = text.trim().parse().ok();
            return Err(ArchiveError::Locked { folder: layout.folder().to_owned(), process });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let note = |file: &mut File| {
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        writeln!(file, "{}", std::process::id())
    };
    // The same: a full disk must not keep what is stored from being read.
    let _ = note(&mut file);
    Ok(Lock(file))
}
