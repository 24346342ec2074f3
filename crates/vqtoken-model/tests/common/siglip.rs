//! The project's own tiny SigLIP in a directory that a test may change.

#![allow(dead_code, reason = "every test file uses its own part of this module")]

use std::fs;
use std::path::{Path, PathBuf};

use vqtoken_video::{Frame, Pixels};

use super::edits::{Stored, tensors, write_tensors};

/// The folder of the project's own golden cases.
pub(crate) fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/a")
}

/// A copy of the SigLIP of the golden cases in a new directory of `folder`.
pub(crate) fn copy(folder: &Path, name: &str) -> PathBuf {
    let directory = folder.join(name);
    fs::create_dir(&directory).unwrap();
    for entry in fs::read_dir(golden().join("siglip")).unwrap() {
        let path = entry.unwrap().path();
        fs::write(directory.join(path.file_name().unwrap()), fs::read(&path).unwrap()).unwrap();
    }
    directory
}

/// Changes the tensors of a checkpoint.
pub(crate) fn edit_tensors(directory: &Path, change: impl FnOnce(&mut Vec<Stored>)) {
    let path = directory.join("model.safetensors");
    let mut tensors = tensors(&path);
    change(&mut tensors);
    // The file may be mapped by a checkpoint that is still open: a new one takes its place.
    fs::remove_file(&path).unwrap();
    write_tensors(&path, &tensors);
}

/// The first `count` pictures of the golden cases.
pub(crate) fn pixels(count: usize) -> Pixels {
    let bytes = fs::read(golden().join("cases/siglip.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor("pixels").unwrap();
    let size = tensor.shape()[2];
    let mut data = super::edits::values(tensor.data());
    data.truncate(count * 3 * size * size);
    Pixels { frames: count, size, data }
}

/// A picture whose colours depend on `seed`.
pub(crate) fn frame(seed: usize) -> Frame {
    let rgb =
        (0..80 * 60 * 3).map(|i| ((i / 3 * (seed * seed + 3) / 7 + i % 3 * seed * 40) % 256) as u8).collect();
    Frame::new(80, 60, rgb).unwrap()
}
