//! The PNG file.

use std::fs;
use std::path::Path;

use image::{ImageFormat, RgbImage};

use super::PictureError;

/// Writes a PNG file: beside its final name first, so that no half-written file can be found under it.
///
/// # Errors
/// If the folder does not exist, or the file cannot be written.
pub fn save_png(image: &RgbImage, path: &Path) -> Result<(), PictureError> {
    let Some(name) = path.file_name() else {
        return Err(PictureError::NoName { path: path.to_owned() });
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(PictureError::NoFolder { path: path.to_owned(), folder: folder.to_owned() });
    }
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.part", std::process::id()));
    let beside = folder.join(beside);
    let written = image
        .save_with_format(&beside, ImageFormat::Png)
        .map_err(|error| PictureError::write(path, error))
        .and_then(|()| fs::rename(&beside, path).map_err(|error| PictureError::write(path, error)));
    if written.is_err() {
        // Whether or not there is anything to remove, the first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    written
}
