//! What the writer writes, the reader and `ffmpeg` read back.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;
#[path = "../../../golden/locate.rs"]
mod locate;

use common::{psnr, scene, write_scenes};
use vqtoken_video::{Decoder, Frame, Mp4Options, Mp4Writer, Sampling, Video, VideoError};

#[test]
fn frames_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    // 100 x 52 is no multiple of 16 in either direction: the rest is cropped.
    write_scenes(&path, (100, 52), 40, 25.0, Mp4Options { keyframe_interval: 12, ..Mp4Options::default() });
    let video = Video::open(&path).unwrap();
    let info = video.info();
    assert_eq!((info.width, info.height, info.frames, info.rotation), (100, 52, Some(40), 0));
    assert_eq!((info.container.as_str(), info.codec.as_str()), ("MP4", "H.264"));
    assert_eq!(info.decoder, Decoder::Native);
    assert!((info.duration.unwrap() - 1.6).abs() < 1e-3);
    assert_eq!(info.file_bytes, std::fs::metadata(&path).unwrap().len());

    let clip = video.sample(Sampling::All).unwrap();
    assert_eq!((clip.frames.len(), clip.decoded_frames), (40, 40));
    assert!(clip.damage.is_empty());
    for (index, (frame, seconds)) in clip.frames.iter().zip(&clip.timestamps).enumerate() {
        assert!((seconds - index as f64 / 25.0).abs() < 1e-5);
        let quality = psnr(frame, &scene(100, 52, index));
        assert!(quality > 28.0, "frame {index}: {quality:.1} dB");
    }
    let raw = 100 * 52 * 3 * 40;
    assert!(info.file_bytes < raw / 10, "{} bytes for {raw} of pixels", info.file_bytes);

    let few = video.sample(Sampling::Uniform(4)).unwrap();
    assert_eq!(few.indices, [0, 13, 26, 39]);
    assert_eq!(few.frames[2], clip.frames[26]);
    let slow = video.sample(Sampling::Fps(5.0)).unwrap();
    assert_eq!(slow.indices, [0, 5, 10, 15, 20, 25, 30, 35]);
    let more = video.sample(Sampling::Uniform(50)).unwrap();
    assert_eq!((more.frames.len(), more.indices[49]), (50, 39));
}

#[test]
fn plain_colours_keep_their_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.mp4");
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [90, 160, 30]];
    let mut writer =
        Mp4Writer::create(&path, 32, 32, 1.0, Mp4Options { quantizer: 10, ..Default::default() }).unwrap();
    for colour in colours {
        writer.push(&Frame::new(32, 32, colour.repeat(32 * 32)).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    let clip = Video::open(&path).unwrap().sample(Sampling::All).unwrap();
    for (frame, colour) in clip.frames.iter().zip(colours) {
        let centre = (16 * 32 + 16) * 3;
        for (got, wanted) in frame.rgb()[centre..centre + 3].iter().zip(colour) {
            assert!(got.abs_diff(wanted) <= 6, "{colour:?}: {got} instead of {wanted}");
        }
    }
}

#[test]
fn every_frame_may_last_as_long_as_it_likes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("uneven.mp4");
    let mut writer = Mp4Writer::create(&path, 64, 48, 30.0, Mp4Options::default()).unwrap();
    let lasting = [0.5, 0.1, 2.0, 0.033, 1.0];
    for (index, seconds) in lasting.iter().enumerate() {
        writer.push_for(&scene(64, 48, index), *seconds).unwrap();
    }
    writer.finish().unwrap();
    let video = Video::open(&path).unwrap();
    let clip = video.sample(Sampling::All).unwrap();
    for (got, wanted) in clip.timestamps.iter().zip([0.0, 0.5, 0.6, 2.6, 2.633]) {
        assert!((got - wanted).abs() < 1e-4, "{:?}", clip.timestamps);
    }
    assert_eq!(video.sample(Sampling::Fps(1.0)).unwrap().indices, [0, 2, 2]);
}

#[test]
fn rotation_is_applied_when_reading() {
    let folder = tempfile::tempdir().unwrap();
    let upright = folder.path().join("0.mp4");
    write_scenes(&upright, (64, 48), 1, 10.0, Mp4Options::default());
    let upright = Video::open(&upright).unwrap().sample(Sampling::All).unwrap().frames.remove(0);
    let pixel = |frame: &Frame, x: usize, y: usize| {
        let at = (y * frame.width() + x) * 3;
        frame.rgb()[at..at + 3].to_vec()
    };
    for (rotation, size, top_left) in
        [(90, (48, 64), (0, 47)), (180, (64, 48), (63, 47)), (270, (48, 64), (63, 0))]
    {
        let path = folder.path().join(format!("{rotation}.mp4"));
        write_scenes(&path, (64, 48), 1, 10.0, Mp4Options { rotation, ..Mp4Options::default() });
        let video = Video::open(&path).unwrap();
        assert_eq!((video.info().rotation, (video.info().width, video.info().height)), (rotation, size));
        let frame = video.sample(Sampling::All).unwrap().frames.remove(0);
        assert_eq!((frame.width(), frame.height()), size);
        assert_eq!(pixel(&frame, 0, 0), pixel(&upright, top_left.0, top_left.1), "{rotation} degrees");
    }
}

#[test]
fn options_do_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let len = |name: &str, options: Mp4Options| {
        let path = folder.path().join(name);
        write_scenes(&path, (128, 96), 30, 30.0, options);
        std::fs::read(path).unwrap()
    };
    let usual = len("a.mp4", Mp4Options::default());
    assert_eq!(usual, len("b.mp4", Mp4Options::default()), "the same frames give the same bytes");
    let coarse = len("c.mp4", Mp4Options { quantizer: 40, ..Mp4Options::default() });
    assert!(coarse.len() < usual.len());
    let keyframes = len("d.mp4", Mp4Options { keyframe_interval: 1, ..Mp4Options::default() });
    assert!(keyframes.len() > usual.len());
    let low = len("e.mp4", Mp4Options { bitrate: Some(20_000), ..Mp4Options::default() });
    let high = len("f.mp4", Mp4Options { bitrate: Some(400_000), ..Mp4Options::default() });
    assert!(low.len() < high.len());
}

#[test]
fn what_cannot_be_written_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let create =
        |width, height, fps, options| Mp4Writer::create(&path, width, height, fps, options).map(drop);
    let usual = Mp4Options::default;
    for bad in [
        create(33, 32, 30.0, usual()),
        create(0, 32, 30.0, usual()),
        create(32, 32, 0.0, usual()),
        create(32, 32, f64::NAN, usual()),
        create(32, 32, 30.0, Mp4Options { quantizer: 52, ..usual() }),
        create(32, 32, 30.0, Mp4Options { rotation: 45, ..usual() }),
    ] {
        let Err(error @ VideoError::Encode { .. }) = bad else { panic!("{bad:?}") };
        assert!(!error.to_string().contains('\n'));
    }
    let nowhere = Mp4Writer::create(folder.path().join("no/such.mp4"), 32, 32, 30.0, usual());
    assert!(matches!(nowhere, Err(VideoError::Write(_))));

    let empty = Mp4Writer::create(&path, 32, 32, 30.0, usual()).unwrap();
    assert!(matches!(empty.finish(), Err(VideoError::Encode { .. })));
    let mut writer = Mp4Writer::create(&path, 32, 32, 30.0, usual()).unwrap();
    assert!(matches!(writer.push(&scene(16, 16, 0)), Err(VideoError::Encode { .. })));
    assert!(matches!(writer.push_for(&scene(32, 32, 0), -1.0), Err(VideoError::Encode { .. })));
    assert!(matches!(writer.push_for(&scene(32, 32, 0), f64::NAN), Err(VideoError::Encode { .. })));
    writer.push(&scene(32, 32, 0)).unwrap();
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn ffmpeg_sees_the_same_frames() {
    if !common::has_ffmpeg() {
        return locate::skip("no ffmpeg");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    write_scenes(
        &path,
        (100, 52),
        20,
        30000.0 / 1001.0,
        Mp4Options { rotation: 90, ..Mp4Options::default() },
    );
    let ours = Video::open(&path).unwrap().sample(Sampling::All).unwrap();
    let program = std::env::var("VQTOKEN_FFMPEG").unwrap_or_else(|_| "ffmpeg".into());
    let out = std::process::Command::new(program)
        .args(["-v", "error", "-i"])
        .arg(&path)
        .args(["-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    let ours: Vec<u8> = ours.frames.iter().flat_map(|frame| frame.rgb().to_vec()).collect();
    assert_eq!(ours.len(), out.stdout.len());
    let worst = ours.iter().zip(&out.stdout).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(worst <= Some(3), "{worst:?}");
}
