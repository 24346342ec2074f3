//! Any bytes are refused in one line, or are a picture or animation within the limits.

#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use vqtoken_files::{Limit, Limits};
use vqtoken_video::{OpenOptions, Programs, Sampling, Video};

fuzz_target!(|bytes: &[u8]| {
    // What else the first bytes can say is not of interest here.
    let is_picture = [&b"GIF8"[..], b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"BM"]
        .iter()
        .any(|magic| bytes.starts_with(magic));
    if !is_picture {
        return;
    }
    let limits = Limits::default().with(Limit::FramePixels, 1 << 16).with(Limit::Frames, 64);
    let options = OpenOptions::default().with_limits(limits).with_programs(Programs::None);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let sampled = Video::open_with(file.path(), &options).and_then(|video| video.sample(Sampling::All));
    match sampled {
        Ok(clip) => {
            assert!(!clip.frames.is_empty() && clip.frames.len() <= 64);
            assert!(clip.frames.iter().all(|frame| frame.width() * frame.height() <= 1 << 16));
            assert!(clip.messages().iter().all(|message| !message.contains('\n')));
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
});
