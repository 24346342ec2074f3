//! The PNG file.

use std::io::Write;
use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError, RgbImage};
use vqtoken_files::NewFile;

use super::PictureError;

/// Writes a PNG file.
///
/// # Errors
/// If the file cannot be written; what was there before is then unchanged.
pub fn save_png(image: &RgbImage, path: &Path) -> Result<(), PictureError> {
    Ok(vqtoken_files::write_with(path, |file| encode(image, file))?)
}

fn encode(image: &RgbImage, file: &mut NewFile) -> std::io::Result<()> {
    let (width, height) = image.dimensions();
    let written = PngEncoder::new(&mut *file).write_image(image, width, height, ExtendedColorType::Rgb8);
    match written {
        Ok(()) => file.flush(),
        Err(ImageError::IoError(error)) => Err(error),
        Err(error) => Err(std::io::Error::other(error)),
    }
}
