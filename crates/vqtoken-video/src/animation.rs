//! Animated GIF, WebP and PNG: composited frames, their delays as timestamps.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, DynamicImage, Frames, ImageDecoder, ImageError};
use vqtoken_files::{Limit, Limits};

use crate::cancellation::Cancellation;
use crate::damage::Damage;
use crate::error::VideoError;
use crate::images;
use crate::info::{Decoder, OpenOptions, VideoInfo};
use crate::sniff::PictureFormat;
use crate::source::{Keep, Opened, Pass, Source, Wanted};
use crate::warning::Warning;

/// Browsers show frames with a delay of 10 ms or less for 100 ms.
const LONGEST_IGNORED_DELAY: f64 = 0.01;
const USUAL_DELAY: f64 = 0.1;

/// Opens a file of pictures: an animation, or one still picture as a video of one frame.
pub(crate) fn open(
    info: VideoInfo,
    format: PictureFormat,
    options: &OpenOptions,
) -> Result<Opened, VideoError> {
    let path = info.path.clone();
    let Some((width, height)) = animated_size(&path, format, &options.limits)? else {
        return images::open_file(info, options);
    };
    let name = if format == PictureFormat::Png { "APNG" } else { format.name() };
    let info = VideoInfo {
        container: name.into(),
        codec: name.into(),
        width,
        height,
        decoder: Decoder::Images,
        ..info
    };
    Ok((
        info,
        Box::new(AnimationSource {
            path,
            format,
            limits: options.limits,
            cancellation: options.cancellation.clone(),
        }),
    ))
}

/// Width and height of an animation; `None` for a still picture.
fn animated_size(
    path: &Path,
    format: PictureFormat,
    limits: &Limits,
) -> Result<Option<(usize, usize)>, VideoError> {
    let broken = |error: ImageError| not_a_picture(path, format, &error);
    let size = match format {
        PictureFormat::Gif => Some(GifDecoder::new(reader(path)?).map_err(broken)?.dimensions()),
        PictureFormat::WebP => {
            let decoder = WebPDecoder::new(reader(path)?).map_err(broken)?;
            decoder.has_animation().then(|| decoder.dimensions())
        }
        PictureFormat::Png => {
            let decoder = PngDecoder::with_limits(reader(path)?, images::header_limits()).map_err(broken)?;
            let size = decoder.dimensions();
            decoder.is_apng().map_err(broken)?.then_some(size)
        }
        PictureFormat::Jpeg | PictureFormat::Bmp => None,
    };
    let size = size.map(|(width, height)| (width as usize, height as usize));
    if let Some(size) = size {
        images::check_size(path, size, limits)?;
    }
    Ok(size)
}

fn reader(path: &Path) -> Result<BufReader<File>, VideoError> {
    let file = File::open(path);
    file.map(BufReader::new).map_err(|source| VideoError::Unreadable { path: path.to_path_buf(), source })
}

fn not_a_picture(path: &Path, format: PictureFormat, error: &ImageError) -> VideoError {
    let reason = format!("a {} file that cannot be read: {}", format.name(), images::one_line(error));
    VideoError::NotAVideo { path: path.to_path_buf(), reason }
}

struct AnimationSource {
    path: PathBuf,
    format: PictureFormat,
    limits: Limits,
    cancellation: Cancellation,
}

impl AnimationSource {
    fn frames(&self) -> Result<Frames<'static>, VideoError> {
        let broken = |error: ImageError| not_a_picture(&self.path, self.format, &error);
        let reader = reader(&self.path)?;
        Ok(match self.format {
            PictureFormat::WebP => WebPDecoder::new(reader).map_err(broken)?.into_frames(),
            PictureFormat::Png => {
                let mut limits = images::header_limits();
                // The canvas, the one before and the new part of it, with room to spare.
                let canvas = self.limits.frame_pixels.saturating_mul(32);
                limits.max_alloc = limits.max_alloc.map(|bytes| bytes.saturating_add(canvas));
                let decoder = PngDecoder::with_limits(reader, limits).and_then(PngDecoder::apng);
                decoder.map_err(broken)?.into_frames()
            }
            _ => GifDecoder::new(reader).map_err(broken)?.into_frames(),
        })
    }

    fn limit(&self, limit: Limit, found: u64) -> Result<(), VideoError> {
        let checked = self.limits.check(limit, found);
        checked.map_err(|source| VideoError::Limit { path: self.path.clone(), source })
    }
}

impl Source for AnimationSource {
    fn expected_timestamps(&self) -> Option<Vec<f64>> {
        None
    }

    fn pass(&self, wanted: &Wanted, keep: Keep<'_>) -> Result<Pass, VideoError> {
        let mut pass = Pass::default();
        let mut now = 0.0;
        for (index, frame) in self.frames()?.enumerate() {
            if self.cancellation.is_cancelled() {
                return Err(VideoError::Cancelled { path: self.path.clone() });
            }
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    let what = format!("the rest of the file is lost: {}", images::one_line(&error));
                    pass.damage.push(Damage { frame: index, seconds: Some(now), lost: 0, what });
                    break;
                }
            };
            self.limit(Limit::Frames, index as u64 + 1)?;
            self.limit(Limit::Seconds, now as u64)?;
            let (numerator, denominator) = frame.delay().numer_denom_ms();
            let delay = f64::from(numerator) / f64::from(denominator.max(1)) / 1000.0;
            pass.timestamps.push(now);
            now += if delay <= LONGEST_IGNORED_DELAY { USUAL_DELAY } else { delay };
            if wanted.contains(index) {
                let image = DynamicImage::ImageRgba8(frame.into_buffer());
                if pass.warnings.is_empty() && images::is_transparent(&image) {
                    pass.warnings.push(Warning::Transparency { frame: index });
                }
                keep(index, images::to_frame(image)?)?;
            }
        }
        Ok(pass)
    }
}
