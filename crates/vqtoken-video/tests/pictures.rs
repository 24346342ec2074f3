//! Pictures: animations, folders, sizes that are not to be believed, and what is no file at all.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::scene;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};
use vqtoken_files::{Limit, Limits};
use vqtoken_video::{Clip, Decoder, OpenOptions, Programs, Sampling, Video, VideoError, Warning};

/// Without `ffmpeg`: what it makes of the files is no matter here.
fn options() -> OpenOptions {
    OpenOptions::default().with_programs(Programs::None)
}

fn sample(path: &Path) -> Result<Clip, VideoError> {
    Video::open_with(path, &options())?.sample(Sampling::All)
}

fn save(path: &Path, index: usize) {
    let frame = scene(20, 10, index);
    image::save_buffer(path, frame.rgb(), 20, 10, ExtendedColorType::Rgb8).unwrap();
}

/// Chunks of a RIFF file behind its form type.
fn chunk(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut bytes = [&kind[..], &(payload.len() as u32).to_le_bytes(), payload].concat();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

fn u24(value: u32) -> [u8; 3] {
    let [a, b, c, _] = value.to_le_bytes();
    [a, b, c]
}

/// An animated WebP of the first scenes, with these delays in milliseconds.
fn animated_webp(delays: &[u32]) -> Vec<u8> {
    let size = [u24(19), u24(9)].concat();
    let mut body = chunk(b"VP8X", &[&[2, 0, 0, 0], size.as_slice()].concat());
    body.extend(chunk(b"ANIM", &[0; 6]));
    for (index, &delay) in delays.iter().enumerate() {
        let mut still = Vec::new();
        WebPEncoder::new_lossless(&mut still)
            .write_image(scene(20, 10, index).rgb(), 20, 10, ExtendedColorType::Rgb8)
            .unwrap();
        let payload = [&u24(0)[..], &u24(0), &size, &u24(delay), &[2], &still[12..]].concat();
        body.extend(chunk(b"ANMF", &payload));
    }
    [&b"RIFF"[..], &(body.len() as u32 + 4).to_le_bytes(), b"WEBP", &body].concat()
}

fn png_chunk(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for &byte in kind.iter().chain(payload) {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    [&(payload.len() as u32).to_be_bytes()[..], kind, payload, &(!crc).to_be_bytes()].concat()
}

fn png(index: usize) -> Vec<u8> {
    let mut still = Vec::new();
    image::codecs::png::PngEncoder::new(&mut still)
        .write_image(scene(20, 10, index).rgb(), 20, 10, ExtendedColorType::Rgb8)
        .unwrap();
    still
}

/// The payload of all `IDAT` chunks.
fn png_data(still: &[u8]) -> Vec<u8> {
    let (mut data, mut at) = (Vec::new(), 8);
    while at < still.len() {
        let len = u32::from_be_bytes(still[at..at + 4].try_into().unwrap()) as usize;
        if &still[at + 4..at + 8] == b"IDAT" {
            data.extend(&still[at + 8..at + 8 + len]);
        }
        at += len + 12;
    }
    data
}

/// An animated PNG of the first scenes, with these delays in milliseconds.
fn animated_png(delays: &[u16]) -> Vec<u8> {
    let still = png(0);
    let mut bytes = still[..33].to_vec();
    bytes.extend(png_chunk(b"acTL", &[(delays.len() as u32).to_be_bytes(), [0; 4]].concat()));
    let mut sequence = 0_u32;
    let mut number = || {
        sequence += 1;
        (sequence - 1).to_be_bytes()
    };
    for (index, delay) in delays.iter().enumerate() {
        let control = [
            &number()[..],
            &20_u32.to_be_bytes(),
            &10_u32.to_be_bytes(),
            &[0; 8],
            &delay.to_be_bytes(),
            &1000_u16.to_be_bytes(),
            &[0, 0],
        ];
        bytes.extend(png_chunk(b"fcTL", &control.concat()));
        let data = png_data(&png(index));
        bytes.extend(match index {
            0 => png_chunk(b"IDAT", &data),
            _ => png_chunk(b"fdAT", &[&number()[..], &data].concat()),
        });
    }
    bytes.extend(png_chunk(b"IEND", &[]));
    bytes
}

#[test]
fn animated_webp_and_png_have_their_frames_and_times() {
    let folder = tempfile::tempdir().unwrap();
    let files =
        [("a.webp", animated_webp(&[200, 0, 40]), "WebP"), ("a.png", animated_png(&[200, 0, 40]), "APNG")];
    for (name, bytes, container) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let video = Video::open_with(&path, &options()).unwrap();
        let info = video.info();
        assert_eq!((info.container.as_str(), info.width, info.height), (container, 20, 10));
        let clip = video.sample(Sampling::All).unwrap();
        assert_eq!(clip.frames, [scene(20, 10, 0), scene(20, 10, 1), scene(20, 10, 2)], "{name}");
        // A frame without a delay is shown for 100 ms.
        for (got, wanted) in clip.timestamps.iter().zip([0.0, 0.2, 0.3]) {
            assert!((got - wanted).abs() < 1e-9, "{name}: {:?}", clip.timestamps);
        }
        assert!(clip.messages().is_empty(), "{:?}", clip.messages());

        std::fs::write(&path, &bytes[..bytes.len() - 60]).unwrap();
        if let Ok(cut) = sample(&path) {
            assert!(cut.decoded_frames < 3 && !cut.damage.is_empty(), "{name}: {:?}", cut.messages());
            assert!(cut.frames[0] == scene(20, 10, 0));
        }
        let limited = options().with_limits(Limits::default().with(Limit::Frames, 2));
        std::fs::write(&path, &bytes).unwrap();
        let error = Video::open_with(&path, &limited).unwrap().sample(Sampling::Uniform(1)).unwrap_err();
        assert!(matches!(error, VideoError::Limit { .. }), "{error}");
    }
}

#[test]
fn still_pictures_are_one_frame() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.png", "a.webp", "a.bmp"] {
        let path = folder.path().join(name);
        save(&path, 3);
        let clip = Video::open_with(&path, &options()).unwrap().sample(Sampling::Uniform(2)).unwrap();
        assert_eq!((clip.info.decoder, clip.decoded_frames), (Decoder::Images, 1));
        assert_eq!(clip.frames, [scene(20, 10, 3), scene(20, 10, 3)], "{name}");
        assert_eq!(clip.warnings, [Warning::RepeatedFrames { asked: 2, frames: 1 }]);
    }
}

#[test]
fn a_folder_is_read_without_what_does_not_belong_to_it() {
    let folder = tempfile::tempdir().unwrap();
    for index in [0, 1, 2, 9, 10, 11] {
        save(&folder.path().join(format!("frame_{index}.png")), index);
    }
    let junk = ["._frame_0.png", ".DS_Store", "Thumbs.db", "desktop.ini", "notes.txt", "frame_3.tiff"];
    for name in junk {
        std::fs::write(folder.path().join(name), "no picture").unwrap();
    }
    for name in ["@eaDir", "more.png"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let clip = sample(folder.path()).unwrap();
    let expected = [0, 1, 2, 9, 10, 11].map(|index| scene(20, 10, index));
    assert_eq!(clip.frames, expected);
    assert_eq!(
        clip.messages(),
        [
            "1 file left out, hidden: ._frame_0.png",
            "3 files left out, no pictures: frame_3.tiff, more.png, notes.txt"
        ]
    );
    assert_eq!(clip.info.warnings, clip.warnings);

    std::fs::write(folder.path().join("frame_4.png"), "no picture").unwrap();
    let error = sample(folder.path()).unwrap_err();
    assert!(error.to_string().contains("frame_4.png"), "{error}");
}

#[test]
fn transparency_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    image::save_buffer(&path, &[9, 9, 9, 0], 1, 1, ExtendedColorType::Rgba8).unwrap();
    assert_eq!(sample(&path).unwrap().warnings, [Warning::Transparency { frame: 0 }]);
    image::save_buffer(&path, &[9, 9, 9, 255], 1, 1, ExtendedColorType::Rgba8).unwrap();
    assert!(sample(&path).unwrap().warnings.is_empty());
}

/// A GIF of 43 bytes that claims a size.
fn gif(width: u16, height: u16) -> Vec<u8> {
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let mut bytes = [b"GIF89a", size.as_slice(), &[0x80, 0, 0, 0, 0, 0, 255, 255, 255]].concat();
    bytes.extend([0x21, 0xf9, 4, 0, 0, 0, 0, 0, 0x2c, 0, 0, 0, 0]);
    bytes.extend([size.as_slice(), &[0, 2, 2, 0x44, 1, 0, 0x3b]].concat());
    bytes
}

#[test]
fn sizes_that_no_picture_has_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let header = |width: u32, height: u32| {
        [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat()
    };
    let png =
        [&b"\x89PNG\r\n\x1a\n"[..], &png_chunk(b"IHDR", &header(60_000, 60_000)), &png_chunk(b"IDAT", &[])];
    let frame_header = [0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0xff, 0xf0, 0xff, 0xf0, 3];
    let jpeg = [&frame_header[..], &[1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 0xff, 0xd9]].concat();
    let extended = chunk(b"VP8X", &[&[2, 0, 0, 0][..], &u24(16_000_000), &u24(200)].concat());
    let webp = [&b"RIFF"[..], &(extended.len() as u32 + 4).to_le_bytes(), b"WEBP", &extended].concat();
    let mut bmp = vec![0; 54];
    bmp[..2].copy_from_slice(b"BM");
    bmp[10..26].copy_from_slice(
        &[54_u32.to_le_bytes(), 40_u32.to_le_bytes(), 60_000_u32.to_le_bytes(), 60_000_u32.to_le_bytes()]
            .concat(),
    );
    bmp[26..30].copy_from_slice(&[1, 0, 24, 0]);
    for (name, bytes) in [
        ("a.gif", gif(65_535, 65_535)),
        // Within the limit, and yet not to be believed.
        ("b.gif", gif(11_000, 11_000)),
        ("a.png", png.concat()),
        ("a.jpg", jpeg),
        ("a.webp", webp),
        ("a.bmp", bmp),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        for options in [options(), OpenOptions::default()] {
            let start = Instant::now();
            let error = Video::open_with(&path, &options)
                .and_then(|video| video.sample(Sampling::Uniform(8)))
                .unwrap_err();
            assert!(start.elapsed() < Duration::from_secs(3), "{name}: {:?}", start.elapsed());
            assert!(!error.to_string().contains('\n'), "{error}");
            let is_expected = matches!(error, VideoError::Limit { .. } | VideoError::Implausible { .. })
                || matches!(name, "a.jpg" | "a.webp" | "a.bmp" | "a.png");
            assert!(is_expected, "{name}: {error}");
        }
    }
}

#[test]
fn a_small_gif_is_read_and_a_limit_can_be_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gif");
    std::fs::write(&path, [gif(1, 1), b"and more behind it".to_vec()].concat()).unwrap();
    assert_eq!(sample(&path).unwrap().decoded_frames, 1);
    std::fs::write(&path, gif(1000, 1000)).unwrap();
    let limited = options().with_limits(Limits::default().with(Limit::FramePixels, 999_999));
    let error = Video::open_with(&path, &limited).unwrap_err();
    assert!(error.to_string().contains("raise the limit `frame-pixels`"), "{error}");
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_before_they_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.mp4");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    let socket = folder.path().join("socket.mp4");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut paths = vec![Path::new("/dev/zero"), &socket];
    if made.is_ok_and(|status| status.success()) {
        paths.push(&pipe);
    }
    for path in paths {
        let error = Video::open(path).unwrap_err();
        assert!(matches!(error, VideoError::NotAFile { .. }), "{error}");
    }
}

#[test]
fn avif_and_heic_are_named_where_they_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    for (brand, name) in [(b"avif", "AVIF"), (b"heic", "HEIC")] {
        let path = folder.path().join("picture.bin");
        let bytes = [&b"\0\0\0\x18ftyp"[..], brand, b"\0\0\0\0mif1", brand, b"\0\0\0\x08meta"].concat();
        std::fs::write(&path, bytes).unwrap();
        for options in [options(), OpenOptions::default()] {
            let error = Video::open_with(&path, &options)
                .and_then(|video| video.sample(Sampling::Uniform(1)))
                .unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
