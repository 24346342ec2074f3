//! Sampled frames as JPEG, small and bounded. While a video is encoded they lie on the disk and take no memory.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
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

/// Why the frames of a video are not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotKept {
    #[error("the sampled frames are too many to be stored: the page shows codes alone")]
    TooMany,
    #[error("the sampled frames cannot be stored on the server's disk: the page shows codes alone")]
    Disk,
}

/// Frames that are kept while a video is encoded.
#[derive(Clone, Debug)]
pub(crate) struct KeptFrames(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    folder: PathBuf,
    /// Made with the first frame. It has no name, so it is gone with the process, however that ends.
    file: Option<File>,
    /// Bytes of each frame.
    lengths: Vec<usize>,
    /// Bytes of all of them.
    bytes: usize,
    failed: Option<NotKept>,
}

impl KeptFrames {
    /// Keeps frames in a file in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        let kept =
            Kept { folder: folder.to_owned(), file: None, lengths: Vec::new(), bytes: 0, failed: None };
        Self(Arc::new(Mutex::new(kept)))
    }

    /// What keeps each frame.
    pub(crate) fn keeper(&self) -> OnFrame {
        let kept = self.0.clone();
        Box::new(move |frame, _| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.failed.is_some() {
                return;
            }
            if let Err(failed) = kept.add(frame) {
                kept.file = None;
                kept.failed = Some(failed);
            }
        })
    }

    /// The frames of a video of so many. They are read from the disk, and can be had once.
    pub(crate) fn take(&self, frames: usize) -> Result<Vec<Vec<u8>>, NotKept> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.failed {
            Some(failed) => Err(failed),
            None if kept.lengths.len() != frames => Err(NotKept::TooMany),
            None => kept.read().map_err(disk),
        }
    }
}

impl Kept {
    fn add(&mut self, frame: &Frame) -> Result<(), NotKept> {
        let jpeg = jpeg(frame).ok_or(NotKept::TooMany)?;
        self.bytes += jpeg.len();
        if self.bytes > MOST_BYTES {
            return Err(NotKept::TooMany);
        }
        self.write(&jpeg).map_err(disk)
    }

    fn write(&mut self, jpeg: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.folder)?),
        };
        self.lengths.push(jpeg.len());
        file.write_all(jpeg)
    }

    fn read(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let Some(mut file) = self.file.take() else { return Ok(Vec::new()) };
        file.rewind()?;
        let read = |length: usize| {
            let mut jpeg = vec![0; length];
            file.read_exact(&mut jpeg).map(|()| jpeg)
        };
        std::mem::take(&mut self.lengths).into_iter().map(read).collect()
    }
}

/// Logged and not told: the message names folders of this machine.
fn disk(error: io::Error) -> NotKept {
    tracing::warn!(%error, "the sampled frames of a video cannot be kept");
    NotKept::Disk
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

    /// Keeps a frame of each level of grey.
    fn keep(folder: &Path, levels: &[u8]) -> KeptFrames {
        let kept = KeptFrames::new(folder);
        let mut keep = kept.keeper();
        for &level in levels {
            keep(&Frame::new(1024, 256, vec![level; 1024 * 256 * 3]).unwrap(), 0.0);
        }
        kept
    }

    #[test]
    fn frames_come_back_small_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let jpegs = keep(folder.path(), &[128, 40]).take(2).unwrap();
        assert_eq!(jpegs.len(), 2);
        for (jpeg, level) in jpegs.iter().zip([128_u8, 40]) {
            let frame = decode(jpeg).unwrap();
            assert_eq!((frame.width(), frame.height()), (512, 128));
            assert!(frame.rgb().iter().all(|value| value.abs_diff(level) < 3));
        }
    }

    #[test]
    fn all_frames_are_kept_or_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(keep(folder.path(), &[128]).take(2), Err(NotKept::TooMany));
        let kept = keep(folder.path(), &[128]);
        kept.0.lock().unwrap().bytes = MOST_BYTES - 1;
        kept.keeper()(&Frame::new(2, 2, vec![0; 12]).unwrap(), 0.0);
        assert_eq!(kept.take(2), Err(NotKept::TooMany));
        assert!(kept.0.lock().unwrap().file.is_none(), "the disk is given back at once");
    }

    #[test]
    fn a_disk_that_fails_costs_the_frames_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(keep(&folder.path().join("none"), &[128]).take(1), Err(NotKept::Disk));
    }

    #[test]
    fn nothing_is_left_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let kept = keep(folder.path(), &[128]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        drop(kept);
    }
}
