//! From a video file to sampled frames and pixel values, and back to small MP4 files.
//!
//! H.264 in MP4 and MOV needs nothing but this crate; every other codec and container goes through an
//! `ffmpeg` program if there is one. Folders of images and animated GIFs are videos, too.
//!
//! ```no_run
//! use vqtoken_video::{PixelSpec, Sampling, Video};
//!
//! let clip = Video::open("demo.mp4")?.sample(Sampling::Uniform(32))?;
//! for damage in &clip.damage {
//!     eprintln!("{damage}");
//! }
//! let pixels = clip.pixels(&PixelSpec::default()); // [32, 3, 384, 384]
//! # Ok::<(), vqtoken_video::VideoError>(())
//! ```

mod clip;
mod colour;
mod damage;
mod error;
mod ffmpeg;
mod ffmpeg_log;
mod frame;
mod gif;
mod images;
mod info;
mod mp4;
mod native;
mod open;
mod orientation;
mod pixels;
mod ppm;
mod resize;
mod sampling;
mod sniff;
mod source;
mod video;
mod writer;

pub use clip::Clip;
pub use damage::Damage;
pub use error::VideoError;
pub use frame::Frame;
pub use info::{Decoder, OpenOptions, VideoInfo};
pub use pixels::{PixelSpec, Pixels};
pub use resize::resize_bicubic;
pub use sampling::Sampling;
pub use video::Video;
pub use writer::{Mp4Options, Mp4Writer};
