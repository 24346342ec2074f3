//! Streams without an end: cameras, addresses, standard input, through `ffmpeg`.

mod error;
mod input;

pub use self::error::LiveVideoError;
pub use self::input::{LiveInput, LiveInputError};
pub use crate::ffmpeg::live::LiveVideo;
