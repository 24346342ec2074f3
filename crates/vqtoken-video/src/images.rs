//! A folder of images as a video: one image a frame, in the order a person would count them.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageReader};

use crate::error::VideoError;
use crate::frame::Frame;
use crate::info::{Decoder, VideoInfo};
use crate::source::{Keep, Opened, Pass, Source, Wanted};

const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];

/// Opens a folder. Files that are no images by their extension are passed over.
pub(crate) fn open_folder(path: &Path, fps: f64) -> Result<Opened, VideoError> {
    let unreadable = |source| VideoError::Unreadable { path: path.to_path_buf(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        if EXTENSIONS.contains(&extension.as_str()) && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(VideoError::NoFrames {
            path: path.to_path_buf(),
            reason: "the folder holds no png, jpeg, webp or bmp images".into(),
        });
    }
    files.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    open_files(path, files, fps, "image folder")
}

/// Opens one still picture as a video of one frame.
pub(crate) fn open_file(path: &Path, fps: f64) -> Result<Opened, VideoError> {
    open_files(path, vec![path.to_path_buf()], fps, "image")
}

fn open_files(path: &Path, files: Vec<PathBuf>, fps: f64, container: &str) -> Result<Opened, VideoError> {
    if !(fps.is_finite() && fps > 0.0) {
        return Err(VideoError::BadSampling(format!("{fps} images a second: give a number greater than 0")));
    }
    let mut first = decoder(&files[0])?;
    let turned = is_turned(&mut first);
    let (width, height) = first.dimensions();
    let (width, height) = if turned { (height, width) } else { (width, height) };
    let info = VideoInfo {
        path: path.to_path_buf(),
        container: container.into(),
        codec: files[0].extension().map_or_else(String::new, |e| e.to_string_lossy().to_lowercase()),
        width: width as usize,
        height: height as usize,
        frames: Some(files.len()),
        duration: Some(files.len() as f64 / fps),
        rotation: 0,
        file_bytes: files.iter().filter_map(|file| fs::metadata(file).ok()).map(|m| m.len()).sum(),
        decoder: Decoder::Images,
    };
    let size = (info.width, info.height);
    Ok((info, Box::new(ImageSource { files, fps, size })))
}

fn decoder(path: &Path) -> Result<impl ImageDecoder + use<>, VideoError> {
    let unreadable = |source| VideoError::Unreadable { path: path.to_path_buf(), source };
    let reader = ImageReader::open(path).map_err(unreadable)?.with_guessed_format().map_err(unreadable)?;
    reader.into_decoder().map_err(|error| broken(path, &error))
}

fn broken(path: &Path, error: &image::ImageError) -> VideoError {
    VideoError::Decode { path: path.to_path_buf(), frame: 0, what: error.to_string() }
}

/// Whether the camera was held upright, so that width and height change places.
fn is_turned(decoder: &mut impl ImageDecoder) -> bool {
    use image::metadata::Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(decoder.orientation(), Ok(Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH))
}

/// Decodes one image and turns it the way its metadata asks for.
fn read_image(path: &Path) -> Result<Frame, VideoError> {
    let mut decoder = decoder(path)?;
    let orientation = decoder.orientation().ok();
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| broken(path, &error))?;
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    let image = image.into_rgb8();
    Frame::new(image.width() as usize, image.height() as usize, image.into_raw())
}

struct ImageSource {
    files: Vec<PathBuf>,
    fps: f64,
    size: (usize, usize),
}

impl Source for ImageSource {
    fn expected_timestamps(&self) -> Option<Vec<f64>> {
        Some((0..self.files.len()).map(|index| index as f64 / self.fps).collect())
    }

    fn pass(&self, wanted: &Wanted, keep: Keep<'_>) -> Result<Pass, VideoError> {
        for (index, file) in self.files.iter().enumerate() {
            if wanted.contains(index) {
                let frame = read_image(file)?;
                let found = (frame.width(), frame.height());
                if found != self.size {
                    return Err(VideoError::MixedSizes { path: file.clone(), found, expected: self.size });
                }
                keep(index, frame);
            }
        }
        Ok(Pass { timestamps: self.expected_timestamps().unwrap_or_default(), damage: Vec::new() })
    }
}

/// Digits compare as numbers, the rest as text: frame 9 comes before frame 10.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !a.is_empty() && !b.is_empty() {
        let (run_a, rest_a) = split_run(a);
        let (run_b, rest_b) = split_run(b);
        let order = match (run_a.starts_with(is_digit), run_b.starts_with(is_digit)) {
            (true, true) => {
                let (x, y) = (run_a.trim_start_matches('0'), run_b.trim_start_matches('0'));
                x.len().cmp(&y.len()).then_with(|| x.cmp(y)).then_with(|| run_a.len().cmp(&run_b.len()))
            }
            _ => run_a.cmp(run_b),
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.len().cmp(&b.len())
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// The digits, or the characters that are none, at the start.
fn split_run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(is_digit);
    text.split_at(text.find(|c| is_digit(c) != digits).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_their_numbers() {
        let mut names =
            ["f10.png", "f9.png", "f009.png", "a.png", "f1b2.png", "f1b10.png", "f.png", "f1.png"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["a.png", "f1.png", "f1b2.png", "f1b10.png", "f9.png", "f009.png", "f10.png", "f.png"]
        );
    }
}
