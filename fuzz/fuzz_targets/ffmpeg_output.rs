//! Whatever stands on the pipes of ffmpeg and ffprobe is read or passed over; times come out finite and in order.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vqtoken_files::{Limit, Limits};

fuzz_target!(|bytes: &[u8]| {
    vqtoken_video::fuzz_ffmpeg_output(bytes, &Limits::default().with(Limit::FramePixels, 1 << 16));
});
