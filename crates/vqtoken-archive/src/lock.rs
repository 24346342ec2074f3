//! One writing process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};

use crate::error::ArchiveError;
use crate::layout::Layout;

/// Longest text that is read from the lock file.
const LONGEST: u64 = 20;

/// Takes the archive for this process, until the file is closed; the system closes it when the process ends, however it does.
pub(crate) fn lock(layout: &Layout) -> Result<File, ArchiveError> {
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
    Ok(file)
}
