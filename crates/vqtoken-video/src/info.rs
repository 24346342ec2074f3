//! What is known of a video before it is decoded.

use std::path::PathBuf;

/// Who turns the bytes into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoder {
    /// This crate: H.264 in MP4 and MOV.
    Native,
    /// The `ffmpeg` program.
    Ffmpeg,
    /// Still pictures and GIF.
    Images,
}

/// What the headers of a video say.
#[derive(Clone, Debug)]
pub struct VideoInfo {
    /// Where it lies.
    pub path: PathBuf,
    /// Name of the container.
    pub container: String,
    /// Name of the codec.
    pub codec: String,
    /// Width in pixels as displayed, after rotation; 0 when not known before decoding.
    pub width: usize,
    /// Height in pixels as displayed, after rotation; 0 when not known before decoding.
    pub height: usize,
    /// How many frames the headers promise, if they do.
    pub frames: Option<usize>,
    /// Seconds, if the headers say.
    pub duration: Option<f64>,
    /// Degrees clockwise by which decoded pictures are turned for display; already applied to every frame.
    pub rotation: u16,
    /// Size of the file, or of all images together.
    pub file_bytes: u64,
    /// Who decodes it.
    pub decoder: Decoder,
}

/// How to open what does not say everything itself.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Frames a second of a folder of images.
    pub images_per_second: f64,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { images_per_second: 1.0 }
    }
}
