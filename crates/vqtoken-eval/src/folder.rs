//! The files below a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// All files in a folder and at most `depth` folders below it, sorted: those nearer to the top first. Links are followed.
pub(crate) fn files_below(folder: &Path, depth: usize) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { folders.push(path) } else { files.push(path) }
    }
    files.sort();
    folders.sort();
    let mut below = Vec::new();
    if depth > 0 {
        for folder in folders {
            below.extend(files_below(&folder, depth - 1)?);
        }
    }
    below.sort_by_key(|path| path.components().count());
    files.extend(below);
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_order_and_not_from_too_deep() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b/c")).unwrap();
        for name in ["z", "a/y", "a/b/x", "a/b/c/w"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = files_below(folder.path(), 2).unwrap();
        let names: Vec<_> = found.iter().map(|path| path.strip_prefix(folder.path()).unwrap()).collect();
        assert_eq!(names, [Path::new("z"), Path::new("a/y"), Path::new("a/b/x")]);
        assert!(files_below(&folder.path().join("none"), 2).is_err());
    }
}
