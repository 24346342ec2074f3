//! A folder of images as a video: one image a frame, in the order a person would count them.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader};
use vqtoken_files::{Limit, Limits};

use crate::cancellation::Cancellation;
use crate::error::VideoError;
use crate::frame::Frame;
use crate::info::{Decoder, OpenOptions, VideoInfo};
use crate::source::{Keep, Opened, Pass, Source, Wanted};
use crate::warning::Warning;

const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];

/// What systems and programs leave in folders, of no interest to anybody.
const JUNK: [&str; 8] =
    [".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "__macosx", ".picasa.ini", ".nomedia"];

/// What a folder of images holds.
#[derive(Default)]
struct Listing {
    images: Vec<PathBuf>,
    hidden: Vec<String>,
    others: Vec<String>,
}

impl Listing {
    fn read(path: &Path, limits: &Limits) -> Result<Self, VideoError> {
        let unreadable = |source| VideoError::Unreadable { path: path.to_path_buf(), source };
        let mut listing = Listing::default();
        for (count, entry) in fs::read_dir(path).map_err(unreadable)?.enumerate() {
            let entry = entry.map_err(unreadable)?;
            limits
                .check(Limit::Frames, count as u64)
                .map_err(|source| VideoError::Limit { path: path.to_path_buf(), source })?;
            listing.add(entry.path(), entry.file_name().to_string_lossy().into_owned());
        }
        listing.images.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
        listing.hidden.sort_by(|a, b| natural(a, b));
        listing.others.sort_by(|a, b| natural(a, b));
        Ok(listing)
    }

    fn add(&mut self, path: PathBuf, name: String) {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let is_image = EXTENSIONS.contains(&extension.as_str());
        if JUNK.contains(&name.to_ascii_lowercase().as_str()) {
        } else if name.starts_with('.') {
            if is_image {
                self.hidden.push(name);
            }
        } else if is_image && path.is_file() {
            self.images.push(path);
        } else {
            self.others.push(name);
        }
    }
}

/// Opens a folder. Files that are no images by their extension are left out, and the user is told.
pub(crate) fn open_folder(path: &Path, options: &OpenOptions) -> Result<Opened, VideoError> {
    let listing = Listing::read(path, &options.limits)?;
    if listing.images.is_empty() {
        return Err(VideoError::NoFrames {
            path: path.to_path_buf(),
            reason: "the folder holds no png, jpeg, webp or bmp images".into(),
        });
    }
    let mut info = VideoInfo::unknown(path.to_path_buf(), 0);
    info.container = "image folder".into();
    if !listing.hidden.is_empty() {
        info.warnings.push(Warning::HiddenFiles { names: listing.hidden });
    }
    if !listing.others.is_empty() {
        info.warnings.push(Warning::NotPictures { names: listing.others });
    }
    open_files(info, listing.images, options)
}

/// Opens one still picture as a video of one frame.
pub(crate) fn open_file(info: VideoInfo, options: &OpenOptions) -> Result<Opened, VideoError> {
    let files = vec![info.path.clone()];
    open_files(VideoInfo { container: "image".into(), ..info }, files, options)
}

fn open_files(mut info: VideoInfo, files: Vec<PathBuf>, options: &OpenOptions) -> Result<Opened, VideoError> {
    let fps = options.images_per_second;
    if !(fps.is_finite() && fps > 0.0) {
        return Err(VideoError::BadSampling(format!("{fps} images a second: give a number greater than 0")));
    }
    let mut first = decoder(&files[0], &options.limits)?;
    let turned = is_turned(&mut first);
    let (width, height) = first.dimensions();
    let (width, height) = if turned { (height, width) } else { (width, height) };
    (info.width, info.height) = (width as usize, height as usize);
    info.codec = files[0].extension().map_or_else(String::new, |e| e.to_string_lossy().to_lowercase());
    info.frames = Some(files.len());
    info.duration = Some(files.len() as f64 / fps);
    info.file_bytes = files.iter().filter_map(|file| fs::metadata(file).ok()).map(|m| m.len()).sum();
    info.decoder = Decoder::Images;
    let size = (info.width, info.height);
    Ok((
        info,
        Box::new(ImageSource {
            files,
            fps,
            size,
            limits: options.limits,
            cancellation: options.cancellation.clone(),
        }),
    ))
}

/// A decoder of a picture whose size is within the limit.
fn decoder(path: &Path, limits: &Limits) -> Result<impl ImageDecoder + use<>, VideoError> {
    let unreadable = |source| VideoError::Unreadable { path: path.to_path_buf(), source };
    let mut reader =
        ImageReader::open(path).map_err(unreadable)?.with_guessed_format().map_err(unreadable)?;
    reader.limits(header_limits());
    let decoder = reader.into_decoder().map_err(|error| broken(path, &error))?;
    let (width, height) = decoder.dimensions();
    check_size(path, (width as usize, height as usize), limits)?;
    Ok(decoder)
}

/// Refuses a picture that is too large, or has so few bytes that decoding it can only waste memory.
pub(crate) fn check_size(
    path: &Path,
    (width, height): (usize, usize),
    limits: &Limits,
) -> Result<(), VideoError> {
    /// So much takes no harm, and a large picture of one colour may be a small file.
    const HARMLESS: u64 = 1 << 23;
    /// Deflate packs 1,032 bytes into one, and a byte holds up to 8 pixels.
    const MOST_PER_BYTE: u64 = 8 * 1032;
    limits
        .check_product(Limit::FramePixels, &[width, height])
        .map_err(|source| VideoError::Limit { path: path.to_path_buf(), source })?;
    let pixels = (width as u64).saturating_mul(height as u64);
    let bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
    if pixels > HARMLESS.max(bytes.saturating_mul(MOST_PER_BYTE)) {
        return Err(VideoError::Implausible { path: path.to_path_buf(), width, height, bytes });
    }
    Ok(())
}

/// What reading the header of a picture may take: compressed profiles and texts are unpacked there.
pub(crate) fn header_limits() -> image::Limits {
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(1 << 25);
    limits
}

fn broken(path: &Path, error: &ImageError) -> VideoError {
    VideoError::Decode { path: path.to_path_buf(), frame: 0, what: one_line(error) }
}

/// What a library says, which may hold line breaks or bytes of the file.
pub(crate) fn one_line(error: &ImageError) -> String {
    crate::error::one_line(&error.to_string())
}

/// Whether the camera was held upright, so that width and height change places.
fn is_turned(decoder: &mut impl ImageDecoder) -> bool {
    use image::metadata::Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(decoder.orientation(), Ok(Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH))
}

/// Decodes one image and turns it the way its metadata asks for.
fn read_image(path: &Path, limits: &Limits) -> Result<DynamicImage, VideoError> {
    let mut decoder = decoder(path, limits)?;
    let orientation = decoder.orientation().ok();
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| broken(path, &error))?;
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    Ok(image)
}

/// Whether any pixel is not opaque.
pub(crate) fn is_transparent(image: &DynamicImage) -> bool {
    match image {
        DynamicImage::ImageRgba8(image) => image.pixels().any(|pixel| pixel[3] < u8::MAX),
        image if image.color().has_alpha() => image.to_rgba8().pixels().any(|pixel| pixel[3] < u8::MAX),
        _ => false,
    }
}

/// 8 bits a channel, without transparency.
pub(crate) fn to_frame(image: DynamicImage) -> Result<Frame, VideoError> {
    let image = image.into_rgb8();
    Frame::new(image.width() as usize, image.height() as usize, image.into_raw())
}

struct ImageSource {
    files: Vec<PathBuf>,
    fps: f64,
    size: (usize, usize),
    limits: Limits,
    cancellation: Cancellation,
}

impl Source for ImageSource {
    fn expected_timestamps(&self) -> Option<Vec<f64>> {
        Some((0..self.files.len()).map(|index| index as f64 / self.fps).collect())
    }

    fn pass(&self, wanted: &Wanted, keep: Keep<'_>) -> Result<Pass, VideoError> {
        let mut pass = Pass { timestamps: self.expected_timestamps().unwrap_or_default(), ..Pass::default() };
        for (index, file) in self.files.iter().enumerate() {
            if !wanted.contains(index) {
                continue;
            }
            if self.cancellation.is_cancelled() {
                return Err(VideoError::Cancelled { path: file.clone() });
            }
            let image = read_image(file, &self.limits)?;
            if pass.warnings.is_empty() && is_transparent(&image) {
                pass.warnings.push(Warning::Transparency { frame: index });
            }
            let frame = to_frame(image)?;
            let found = (frame.width(), frame.height());
            if found != self.size {
                return Err(VideoError::MixedSizes { path: file.clone(), found, expected: self.size });
            }
            keep(index, frame)?;
        }
        Ok(pass)
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
