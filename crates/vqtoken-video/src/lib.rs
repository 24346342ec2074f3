//! From a video file to sampled frames and pixel values, and back to small MP4 files.
//!
//! H.264 in MP4 and MOV needs nothing but this crate; every other codec and container goes through an
//! `ffmpeg` program if there is one. Folders of images and animated GIF, WebP and PNG files are videos, too.
//!
//! ```no_run
//! use vqtoken_video::{PixelSpec, Sampling, Video};
//!
//! let clip = Video::open("demo.mp4")?.sample(Sampling::Uniform(32))?;
//! for message in clip.messages() {
//!     eprintln!("warning: {message}");
//! }
//! let pixels = clip.pixels(&PixelSpec::default()); // [32, 3, 384, 384]
//! # Ok::<(), vqtoken_video::VideoError>(())
//! ```

mod animation;
mod cancellation;
mod clip;
mod colour;
mod creation_time;
mod damage;
mod error;
mod ffmpeg;
mod frame;
mod images;
mod info;
mod live;
mod mp4;
mod native;
mod open;
mod orientation;
mod pixels;
mod resize;
mod sampling;
mod sniff;
mod source;
mod span;
mod video;
mod warning;
mod writer;

pub use cancellation::Cancellation;
pub use clip::{Clip, messages};
pub use damage::Damage;
pub use error::VideoError;
#[doc(hidden)]
pub use ffmpeg::parse_output as fuzz_ffmpeg_output;
pub use frame::Frame;
pub use info::{Decoder, OpenOptions, Programs, VideoInfo};
pub use live::{LiveInput, LiveInputError, LiveVideo, LiveVideoError};
pub use pixels::{PixelSpec, Pixels};
pub use resize::resize_bicubic;
pub use sampling::Sampling;
pub use span::Span;
pub use video::Video;
pub use warning::Warning;
pub use writer::{Mp4Options, Mp4Writer};
