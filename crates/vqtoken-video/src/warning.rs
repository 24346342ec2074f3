//! What a clip shows otherwise than the file has it, though nothing is damaged.

use std::fmt;

/// A difference between the frames of a clip and what somebody would expect of the file. Each prints as one line for the user.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// The size or the pixel format changes in the middle of the stream.
    SizeChanged {
        /// The first frame after the change, in display order.
        frame: usize,
        /// Width and height in pixels of every frame of the clip: those of the first frame.
        size: (usize, usize),
    },
    /// The pictures have a high dynamic range.
    Hdr {
        /// FFmpeg's name of the transfer function, such as `smpte2084`.
        transfer: String,
    },
    /// The file has several video tracks.
    OtherTracks {
        /// Index in the file of the track that is read, counting all its streams from 0.
        read: usize,
        /// How many video tracks there are.
        tracks: usize,
    },
    /// The file holds still pictures beside the video, such as a cover.
    AttachedPictures {
        /// How many.
        pictures: usize,
    },
    /// The first choice could not read the file.
    ReadThroughFfmpeg {
        /// Why not.
        reason: String,
    },
    /// Hidden files of a folder that have a picture's extension.
    HiddenFiles {
        /// Their names, in the order of frames.
        names: Vec<String>,
    },
    /// What lies in a folder of images and is no picture.
    NotPictures {
        /// The names, in the order of frames.
        names: Vec<String>,
    },
    /// Fewer frames decode than the file promises, and damage does not account for them.
    FewerFrames {
        /// Frames that the headers promise.
        promised: usize,
        /// Frames that decoded.
        decoded: usize,
    },
    /// More frames were asked for than there are, so that some are shown more than once.
    RepeatedFrames {
        /// Frames that were asked for.
        asked: usize,
        /// Frames of the video.
        frames: usize,
    },
    /// Sampled frames that did not come when they were decoded.
    MissingFrames {
        /// How many.
        missing: usize,
        /// Frames that were to be sampled.
        sampled: usize,
    },
    /// Frames without a time of their own, or with that of the frame before.
    TimesMended {
        /// How many.
        frames: usize,
    },
    /// A picture is transparent in places.
    Transparency {
        /// The first frame that is, in display order.
        frame: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::SizeChanged { frame, size: (width, height) } => write!(
                f,
                "the picture size or format changes at frame {frame}: all frames are scaled to {width} x {height}"
            ),
            Warning::Hdr { transfer } => {
                write!(f, "the video is HDR ({transfer}): it is read without tone mapping, colours look pale")
            }
            Warning::OtherTracks { read, tracks } => {
                write!(f, "the file has {tracks} video tracks: only stream {read} is read")
            }
            Warning::AttachedPictures { pictures: 1 } => {
                f.write_str("an attached picture (a cover) is left out")
            }
            Warning::AttachedPictures { pictures } => {
                write!(f, "{pictures} attached pictures (covers) are left out")
            }
            Warning::ReadThroughFfmpeg { reason } => write!(f, "read through ffmpeg instead: {reason}"),
            Warning::HiddenFiles { names } => {
                write!(f, "{} left out, hidden: {}", files(names.len()), Names(names))
            }
            Warning::NotPictures { names } => {
                write!(f, "{} left out, no pictures: {}", files(names.len()), Names(names))
            }
            Warning::FewerFrames { promised, decoded } => {
                write!(f, "the file promises {promised} frames, {decoded} decode")
            }
            Warning::RepeatedFrames { asked, frames: 1 } => {
                write!(f, "{asked} frames asked for, the video has 1: it is repeated")
            }
            Warning::RepeatedFrames { asked, frames } => {
                write!(f, "{asked} frames asked for, the video has {frames}: some are repeated")
            }
            Warning::MissingFrames { missing, sampled } => {
                write!(f, "{missing} of {sampled} sampled frames did not decode and are left out")
            }
            Warning::TimesMended { frames } => write!(
                f,
                "{} without a time of its own: the times there are estimates",
                if *frames == 1 { "1 frame".to_owned() } else { format!("{frames} frames, each") }
            ),
            Warning::Transparency { frame } => {
                write!(f, "frame {frame} is transparent in places: it is read without transparency")
            }
        }
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// The first few names, safe to print.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        for (index, name) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{}", vqtoken_files::quoted(name))?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_to_print_and_few() {
        let names = ["a", "b\n", "c", "d", "e", "f", "g"].map(String::from).to_vec();
        assert_eq!(
            Warning::NotPictures { names }.to_string(),
            "7 files left out, no pictures: a, \"b\\u000a\", c, d, e and 2 more"
        );
    }
}
