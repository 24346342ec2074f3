//! The PNG file.

use std::io::Write;
use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError, RgbImage};

use super::PictureError;

/// Writes a PNG file.
///
/// # Errors
/// If the file cannot be written; what was there before is then unchanged.
pub fn save_png(image: &RgbImage, path: &Path) -> Result<(), PictureError> {
    Ok(vqtoken_files::write_with(path, |file| encode(image, file))?)
}

/// The bytes of a PNG file.
///
/// # Errors
/// If the picture has no pixels.
pub fn png(image: &RgbImage) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(image, &mut bytes)?;
    Ok(bytes)
}

fn encode(image: &RgbImage, file: &mut impl Write) -> std::io::Result<()> {
    let (width, height) = image.dimensions();
    let written = PngEncoder::new(&mut *file).write_image(image, width, height, ExtendedColorType::Rgb8);
    match written {
        Ok(()) => file.flush(),
        Err(ImageError::IoError(error)) => Err(error),
        Err(error) => Err(std::io::Error::other(error)),
    }
}
