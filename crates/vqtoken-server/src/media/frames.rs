//! Pictures as the frames of one clip: a folder of files, in their order.

use std::path::Path;

use image::ImageFormat;
use vqtoken_archive::ContentHasher;

use crate::error::ApiError;
use crate::media::data_url::{DataUrl, decode};
use crate::media::{Held, Pictures, VideoMedia};

/// Pictures of one clip, at most.
pub(crate) const MOST: usize = 4096;

/// Writes pictures, each a `data:` address or base64, into a folder of their own.
pub(crate) fn write(
    pictures: &[&str],
    place: &str,
    per_second: f64,
    uploads: &Path,
) -> Result<VideoMedia, ApiError> {
    if pictures.is_empty() {
        return Err(ApiError::parameter(place, "has no pictures: give at least one"));
    }
    if pictures.len() > MOST {
        return Err(ApiError::parameter(
            place,
            format!("has {} pictures, and a clip may have {MOST}: send a video instead", pictures.len()),
        ));
    }
    let failed = |error: std::io::Error| ApiError::Store { problem: error.to_string() };
    let folder = tempfile::Builder::new().prefix(".vqtoken-").tempdir_in(uploads).map_err(failed)?;
    let mut hasher = ContentHasher::new();
    // The same pictures at another rate are another video: their times differ.
    hasher.update(b"pictures");
    hasher.update(&per_second.to_le_bytes());
    for (index, picture) in pictures.iter().enumerate() {
        let place = format!("{place}[{index}]");
        let data = match DataUrl::parse(picture, &place)? {
            Some(url) => url.data,
            None if picture.contains("://") => {
                return Err(ApiError::parameter(
                    place,
                    "is an address, and pictures are not fetched: send data:image/jpeg;base64,DATA",
                ));
            }
            None => picture,
        };
        let bytes = decode(data, &place)?;
        let extension = match image::guess_format(&bytes) {
            Ok(ImageFormat::Jpeg) => "jpg",
            Ok(ImageFormat::Png) => "png",
            Ok(ImageFormat::WebP) => "webp",
            Ok(ImageFormat::Bmp) => "bmp",
            _ => {
                return Err(ApiError::parameter(
                    place,
                    "is no picture that can be read: send JPEG, PNG or WebP",
                ));
            }
        };
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
        std::fs::write(folder.path().join(format!("{index:05}.{extension}")), &bytes).map_err(failed)?;
    }
    Ok(VideoMedia {
        path: folder.path().to_owned(),
        name: match pictures.len() {
            1 => "1 picture".to_owned(),
            count => format!("{count} pictures"),
        },
        content: hasher.finish(),
        pictures: Some(Pictures { per_second }),
        _held: Held::Folder(folder),
    })
}
