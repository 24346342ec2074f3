//! Sampled frames as JPEG, small and bounded.

use std::sync::{Arc, Mutex, PoisonError};

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use vqtoken_engine::OnFrame;
use vqtoken_video::{Frame, resize_bicubic};

/// The longest side of a kept frame, in pixels.
const SIDE: usize = 512;

const QUALITY: u8 = 80;

/// Bytes of the frames of one video, at most: a long video sampled by time has more than anybody looks at.
const MOST_BYTES: usize = 48 << 20;

/// Frames that are kept while a video is encoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeptFrames(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    jpegs: Vec<Vec<u8>>,
    bytes: usize,
    failed: bool,
}

impl KeptFrames {
    /// What keeps each frame.
    pub(crate) fn keeper(&self) -> OnFrame {
        let kept = self.0.clone();
        Box::new(move |frame, _| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.failed {
                return;
            }
            match jpeg(frame) {
                Some(jpeg) if kept.bytes + jpeg.len() <= MOST_BYTES => {
                    kept.bytes += jpeg.len();
                    kept.jpegs.push(jpeg);
                }
                _ => {
                    kept.failed = true;
                    kept.jpegs = Vec::new();
                }
            }
        })
    }

    /// The frames of a video of so many, or none, and then why.
    pub(crate) fn take(&self, frames: usize) -> (Vec<Vec<u8>>, Option<&'static str>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let jpegs = std::mem::take(&mut kept.jpegs);
        match jpegs.len() == frames && !kept.failed {
            true => (jpegs, None),
            false => {
                (Vec::new(), Some("the sampled frames are too many to be stored: the page shows codes alone"))
            }
        }
    }
}

/// A frame as JPEG; `None` if its encoder refuses.
fn jpeg(frame: &Frame) -> Option<Vec<u8>> {
    let longest = frame.width().max(frame.height());
    let small;
    let shown = match longest > SIDE {
        true => {
            let scaled = |side: usize| (side * SIDE / longest).max(1);
            small = resize_bicubic(frame, scaled(frame.width()), scaled(frame.height()));
            &small
        }
        false => frame,
    };
    let mut bytes = Vec::new();
    let (width, height) = (u32::try_from(shown.width()).ok()?, u32::try_from(shown.height()).ok()?);
    JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .encode(shown.rgb(), width, height, ExtendedColorType::Rgb8)
        .ok()?;
    Some(bytes)
}

/// A kept frame as pixels.
pub(crate) fn decode(jpeg: &[u8]) -> Option<Frame> {
    let image = image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).ok()?.into_rgb8();
    Frame::new(image.width() as usize, image.height() as usize, image.into_raw()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_small_and_all_of_them_or_none_are_kept() {
        let kept = KeptFrames::default();
        let mut keep = kept.keeper();
        let frame = Frame::new(1024, 256, vec![128; 1024 * 256 * 3]).unwrap();
        keep(&frame, 0.0);
        let (jpegs, note) = kept.take(1);
        assert_eq!(note, None);
        let frame = decode(&jpegs[0]).unwrap();
        assert_eq!((frame.width(), frame.height()), (512, 128));
        assert!(frame.rgb().iter().all(|value| value.abs_diff(128) < 3));
        assert!(kept.take(2).1.is_some());
    }
}
