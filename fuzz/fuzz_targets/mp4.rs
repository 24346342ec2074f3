//! Any bytes as an MP4 file, whole or as header, fragments and media, are refused in one line or give consistent frames.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use vqtoken_video::{Sampling, Video};

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    /// The file as it is. Seed the corpus with small MP4 files.
    Whole(&'a [u8]),
    /// Payloads of the boxes of a fragmented file.
    Fragmented { header: &'a [u8], fragments: Vec<&'a [u8]>, media: &'a [u8] },
}

fn a_box(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32 + 8).to_be_bytes()[..], kind, payload].concat()
}

fuzz_target!(|input: Input| {
    let bytes = match input {
        Input::Whole(bytes) => [&a_box(b"ftyp", b"isom\0\0\0\0"), bytes].concat(),
        Input::Fragmented { header, fragments, media } => {
            let mut file = a_box(b"moov", header);
            fragments.iter().for_each(|fragment| file.extend(a_box(b"moof", fragment)));
            file.extend(a_box(b"mdat", media));
            file
        }
    };
    // Only the native reader is of interest. SAFETY: this process has no other thread yet that reads the environment.
    unsafe { std::env::set_var("VQTOKEN_FFMPEG", "no-such-program") };
    let path = std::env::temp_dir().join(format!("vqtoken-fuzz-{}.mp4", std::process::id()));
    if std::fs::write(&path, bytes).is_err() {
        return;
    }
    match Video::open(&path).and_then(|video| video.sample(Sampling::Uniform(3))) {
        Ok(clip) => {
            assert!(clip.frames.len() == clip.timestamps.len() && !clip.frames.is_empty());
            assert!(clip.timestamps.iter().all(|seconds| seconds.is_finite()));
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
});
