//! Files that `ffmpeg` decodes: which frames, which times, and what the user is told.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;
#[path = "../../../golden/locate.rs"]
mod locate;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::make;
use vqtoken_files::{Limit, Limits};
use vqtoken_video::{Clip, Decoder, OpenOptions, Sampling, Video, VideoError, Warning};

/// A folder for the files of a test; `None`, and a line that says so, where there is no ffmpeg.
fn folder() -> Option<tempfile::TempDir> {
    if common::has_ffmpeg() {
        return Some(tempfile::tempdir().unwrap());
    }
    locate::skip("no ffmpeg");
    None
}

fn sample(path: &Path, sampling: Sampling) -> Clip {
    let video = Video::open(path).unwrap();
    assert_eq!(video.info().decoder, Decoder::Ffmpeg, "{}", path.display());
    video.sample(sampling).unwrap()
}

/// A clip of FFmpeg's test picture in a codec that is not decoded here.
fn test_picture(folder: &Path, name: &str, seconds: f64, extra: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let input = format!("testsrc2=s=64x48:r=10:d={seconds}");
    make(&[&["-f", "lavfi", "-i", &input], extra, &[path.to_str().unwrap()]].concat());
    path
}

#[test]
fn any_number_of_frames_can_be_sampled() {
    let Some(folder) = folder() else { return };
    let path = test_picture(folder.path(), "a.avi", 130.0, &["-c:v", "mpeg4", "-g", "50"]);
    let all = sample(&path, Sampling::All);
    assert_eq!(all.decoded_frames, 1300);
    for count in [1, 101, 300, 1299] {
        let some = sample(&path, Sampling::Uniform(count));
        assert_eq!((some.frames.len(), some.decoded_frames), (count, 1300));
        for (frame, &index) in some.frames.iter().zip(&some.indices) {
            assert!(*frame == all.frames[index], "frame {index} of {count}");
        }
    }
    assert!(all.warnings.is_empty(), "{:?}", all.warnings);
}

#[test]
fn frames_go_on_counting_where_the_size_changes() {
    let Some(folder) = folder() else { return };
    let sizes = ["64x48", "96x64", "32x24"];
    let mut joined = Vec::new();
    for (index, size) in sizes.iter().enumerate() {
        let part = folder.path().join(format!("{index}.m1v"));
        let input = format!("color=c={}:s={size}:r=25:d=0.4", ["red", "lime", "blue"][index]);
        make(&[
            "-f",
            "lavfi",
            "-i",
            &input,
            "-c:v",
            "mpeg1video",
            "-f",
            "mpeg1video",
            part.to_str().unwrap(),
        ]);
        joined.extend(std::fs::read(part).unwrap());
    }
    let path = folder.path().join("changes.m1v");
    std::fs::write(&path, joined).unwrap();
    let all = sample(&path, Sampling::All);
    let count = all.decoded_frames;
    assert!((28..=30).contains(&count), "{count}");
    assert!(all.frames.iter().all(|frame| (frame.width(), frame.height()) == (64, 48)));
    let warning = all.warnings.iter().find(|warning| matches!(warning, Warning::SizeChanged { .. }));
    assert!(matches!(warning, Some(Warning::SizeChanged { frame: 9..=10, size: (64, 48) })), "{warning:?}");

    let video = Video::open(&path).unwrap();
    for sampling in [Sampling::Uniform(5), Sampling::Uniform(3)] {
        let some = video.sample(sampling).unwrap();
        let mut each = Vec::new();
        video.sample_each(sampling, &mut |frame, _| each.push(frame)).unwrap();
        for ((frame, one), &index) in some.frames.iter().zip(&each).zip(&some.indices) {
            assert!(*frame == all.frames[index] && frame == one, "frame {index}");
        }
        assert_eq!(*some.indices.last().unwrap(), count - 1);
        let last = &some.frames.last().unwrap().rgb()[..3];
        assert!(last[2] > 200 && last[0] < 60, "the last frame is blue: {last:?}");
    }
}

#[test]
fn a_cover_is_no_video() {
    let Some(folder) = folder() else { return };
    let cover = folder.path().join("cover.png");
    make(&["-f", "lavfi", "-i", "color=c=red:s=100x100", "-frames:v", "1", cover.to_str().unwrap()]);
    let video = test_picture(folder.path(), "plain.mp4", 1.0, &["-c:v", "mpeg4"]);
    let (both, song) = (folder.path().join("both.mp4"), folder.path().join("song.mp3"));
    make(&[
        "-i",
        cover.to_str().unwrap(),
        "-i",
        video.to_str().unwrap(),
        "-map",
        "0",
        "-map",
        "1",
        "-c",
        "copy",
        "-disposition:v:0",
        "attached_pic",
        both.to_str().unwrap(),
    ]);
    let clip = sample(&both, Sampling::Uniform(3));
    assert_eq!((clip.info.width, clip.info.height, clip.decoded_frames), (64, 48, 10));

    make(&[
        "-f",
        "lavfi",
        "-i",
        "sine=d=1",
        "-i",
        cover.to_str().unwrap(),
        "-map",
        "0",
        "-map",
        "1",
        "-c:v",
        "copy",
        "-disposition:v:0",
        "attached_pic",
        song.to_str().unwrap(),
    ]);
    let error = Video::open(&song).unwrap_err();
    assert!(matches!(error, VideoError::NoVideoTrack { .. }), "{error}");
}

#[test]
fn of_several_tracks_the_default_one_is_read_and_the_user_is_told() {
    let Some(folder) = folder() else { return };
    let path = folder.path().join("two.mkv");
    make(&[
        "-f",
        "lavfi",
        "-i",
        "color=c=red:s=64x48:r=10:d=1",
        "-f",
        "lavfi",
        "-i",
        "color=c=blue:s=32x24:r=10:d=1",
        "-map",
        "0",
        "-map",
        "1",
        "-c:v",
        "mpeg4",
        "-disposition:v:0",
        "0",
        "-disposition:v:1",
        "default",
        path.to_str().unwrap(),
    ]);
    let clip = sample(&path, Sampling::Uniform(2));
    assert_eq!((clip.info.width, clip.info.height), (32, 24));
    assert_eq!(clip.warnings, [Warning::OtherTracks { read: 1, tracks: 2 }]);
    assert_eq!(clip.messages(), ["the file has 2 video tracks: only stream 1 is read"]);
}

#[test]
fn hdr_is_read_as_8_bits_with_a_warning() {
    let Some(folder) = folder() else { return };
    let encoding = [
        "-pix_fmt",
        "yuv420p10le",
        "-c:v",
        "ffv1",
        "-color_trc",
        "smpte2084",
        "-color_primaries",
        "bt2020",
        "-colorspace",
        "bt2020nc",
    ];
    let path = test_picture(folder.path(), "hdr.mkv", 0.5, &encoding);
    let clip = sample(&path, Sampling::All);
    assert_eq!((clip.decoded_frames, clip.frames[0].rgb().len()), (5, 64 * 48 * 3));
    assert_eq!(clip.warnings, [Warning::Hdr { transfer: "smpte2084".into() }]);
}

#[test]
fn the_colour_matrix_is_that_of_the_stream() {
    let Some(folder) = folder() else { return };
    for (name, matrix) in [("601.mkv", "smpte170m"), ("709.mkv", "bt709"), ("none.mkv", "unspecified")] {
        let path = folder.path().join(name);
        // The picture is made of Y, U and V that say nothing of how they are meant.
        make(&[
            "-f",
            "lavfi",
            "-i",
            "color=c=black:s=64x48:r=10:d=0.3,format=yuv444p,lutyuv=y=120:u=90:v=180,setparams=range=tv",
            "-c:v",
            "ffv1",
            "-colorspace",
            matrix,
            "-color_range",
            "tv",
            path.to_str().unwrap(),
        ]);
        let frame = &sample(&path, Sampling::Uniform(1)).frames[0];
        let expected = if matrix == "bt709" { [214, 100, 41] } else { [204, 94, 44] };
        let worst = frame.rgb()[..3].iter().zip(expected).map(|(a, b)| a.abs_diff(b)).max().unwrap();
        assert!(worst <= 2, "{matrix}: {:?} instead of {expected:?}", &frame.rgb()[..3]);
    }
}

#[test]
fn a_title_cannot_pass_for_times_or_streams() {
    let Some(folder) = folder() else { return };
    let title =
        "title=Parsed_showinfo pts_time:nan\n0, 5, 5, 5, 5, 0x0\n[info]   Stream #0:5: Video: h264, 9x9";
    let path = test_picture(folder.path(), "titled.mkv", 1.0, &["-c:v", "mpeg4", "-metadata", title]);
    let start = Instant::now();
    for sampling in [Sampling::Uniform(4), Sampling::Fps(2.0), Sampling::All] {
        let clip = sample(&path, sampling);
        assert_eq!((clip.decoded_frames, clip.info.width), (10, 64));
        assert!(clip.timestamps.iter().all(|seconds| (0.0..1.0).contains(seconds)));
    }
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn odd_names_are_only_names() {
    let Some(folder) = folder() else { return };
    let plain = test_picture(folder.path(), "plain.avi", 0.5, &["-c:v", "mpeg4"]);
    for name in ["-i.avi", "http:x.avi", "a%03d.avi", "a b'c;[0].avi", "concat:a|b.avi", "%2F.avi"] {
        let path = folder.path().join(name);
        std::fs::copy(&plain, &path).unwrap();
        assert_eq!(sample(&path, Sampling::All).decoded_frames, 5, "{name}");
    }
}

#[test]
fn files_that_name_others_are_refused() {
    let Some(folder) = folder() else { return };
    let plain = test_picture(folder.path(), "plain.mp4", 0.5, &["-c:v", "mpeg4"]);
    let plain = plain.to_str().unwrap();
    let texts = [
        ("a.mp4", format!("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{plain}\n#EXT-X-ENDLIST\n")),
        ("b.mp4", format!("ffconcat version 1.0\nfile '{plain}'\n")),
        ("c.mkv", format!("file '{plain}'\n")),
        ("d.mp4", "v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n".into()),
        ("e.mpd", "<?xml version=\"1.0\"?><MPD type=\"static\"></MPD>".into()),
        ("f.avi", "[playlist]\nFile1=plain.mp4\n".into()),
    ];
    for (name, text) in texts {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let error = Video::open(&path).unwrap_err();
        assert!(matches!(error, VideoError::RefersToOthers { .. }), "{name}: {error}");
        assert!(!error.to_string().contains('\n'));
    }
    // A format of FFmpeg's own that reads other files, which the first bytes do not tell here.
    let path = folder.path().join("g.txt");
    std::fs::write(&path, "\n\n;\n#EXTM3U8\nno playlist").unwrap();
    assert!(matches!(
        Video::open(&path),
        Err(VideoError::NotAVideo { .. } | VideoError::RefersToOthers { .. })
    ));
}

#[cfg(unix)]
#[test]
fn an_ffmpeg_that_makes_no_progress_is_stopped() {
    use std::os::unix::fs::PermissionsExt;
    const CHILD: &str = "VQTOKEN_TEST_STALLED";
    if let Some(path) = std::env::var_os(CHILD) {
        let options = OpenOptions::default().with_patience(Duration::from_millis(300));
        let start = Instant::now();
        let error = Video::open_with(PathBuf::from(path), &options).unwrap_err();
        assert!(matches!(error, VideoError::Stalled { .. }), "{error}");
        assert!(start.elapsed() < Duration::from_secs(5));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (program, video) = (folder.path().join("slow"), folder.path().join("a.mkv"));
    std::fs::write(&program, "#!/bin/sh\nsleep 30\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(&video, b"\x1a\x45\xdf\xa3 matroska").unwrap();
    // A process of its own: the program's name is read from the environment.
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "an_ffmpeg_that_makes_no_progress_is_stopped"])
        .env(CHILD, &video)
        .env("VQTOKEN_FFMPEG", &program)
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn limits_hold_for_what_ffmpeg_decodes() {
    let Some(folder) = folder() else { return };
    let path = test_picture(folder.path(), "a.mkv", 3.0, &["-c:v", "mpeg4"]);
    let open = |limit, bound| {
        let limits = Limits::default().with(limit, bound);
        Video::open_with(&path, &OpenOptions::default().with_limits(limits))
    };
    let sample = |limit, bound| open(limit, bound).and_then(|video| video.sample(Sampling::Uniform(8)));
    assert!(matches!(open(Limit::FramePixels, 64 * 48 - 1), Err(VideoError::Limit { .. })));
    assert!(matches!(sample(Limit::Frames, 29), Err(VideoError::Limit { .. })));
    assert!(matches!(sample(Limit::Seconds, 1), Err(VideoError::Limit { .. })));
    let error = sample(Limit::Bytes, 8 * 64 * 48 * 3 - 1).unwrap_err();
    assert!(matches!(error, VideoError::SampleTooLarge { .. }), "{error}");
    assert!(error.to_string().contains("`bytes`"), "{error}");
    assert!(sample(Limit::Bytes, 8 * 64 * 48 * 3).is_ok());
}

#[test]
fn what_fails_here_is_tried_with_ffmpeg_and_both_reasons_are_told() {
    let Some(folder) = folder() else { return };
    // An MPEG program stream whose first bytes look like a box of an MP4 file.
    let path = folder.path().join("cut.mp4");
    std::fs::write(&path, b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x10mdat12345678").unwrap();
    let error = Video::open(&path).unwrap_err();
    assert!(matches!(error, VideoError::Both { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("moov") && text.contains("nor ffmpeg") && !text.contains('\n'), "{text}");

    let broken = folder.path().join("broken.png");
    std::fs::write(&broken, b"\x89PNG\r\n\x1a\n and then something else").unwrap();
    let error = Video::open(&broken).and_then(|video| video.sample(Sampling::All)).unwrap_err();
    assert!(matches!(error, VideoError::Both { .. }), "{error}");
}

#[test]
fn frames_without_times_get_some() {
    let Some(folder) = folder() else { return };
    let path = test_picture(folder.path(), "raw.m4v", 1.0, &["-c:v", "mpeg4", "-bf", "2", "-f", "m4v"]);
    let clip = sample(&path, Sampling::All);
    assert_eq!(clip.decoded_frames, 10);
    assert!(clip.timestamps.is_sorted(), "{:?}", clip.timestamps);
}

#[test]
fn nothing_is_left_running() {
    let Some(folder) = folder() else { return };
    let path = test_picture(folder.path(), "long.avi", 300.0, &["-c:v", "mpeg4"]);
    let limits = Limits::default().with(Limit::Frames, 10);
    let video = Video::open_with(&path, &OpenOptions::default().with_limits(limits)).unwrap();
    let start = Instant::now();
    assert!(matches!(video.sample(Sampling::All), Err(VideoError::Limit { .. })));
    assert!(start.elapsed() < Duration::from_secs(5), "ffmpeg went on to the end");
}

/// Programs whose command line names a file.
#[cfg(target_os = "linux")]
fn running_on(path: &Path) -> usize {
    let name = path.to_str().unwrap().as_bytes();
    let lines = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = lines.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.windows(name.len()).any(|window| window == name)).count()
}

#[cfg(target_os = "linux")]
#[test]
fn ffmpeg_ends_when_this_program_is_killed() {
    const CHILD: &str = "VQTOKEN_TEST_KILLED";
    if let Some(path) = std::env::var_os(CHILD) {
        let _ = Video::open(PathBuf::from(path)).unwrap().sample(Sampling::Uniform(2));
        return;
    }
    let Some(folder) = folder() else { return };
    let path = folder.path().join("long.avi");
    make(&[
        "-f",
        "lavfi",
        "-i",
        "color=s=320x240:r=25:d=4000",
        "-c:v",
        "mpeg4",
        "-b:v",
        "50k",
        path.to_str().unwrap(),
    ]);
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ffmpeg_ends_when_this_program_is_killed"])
        .env(CHILD, &path)
        .spawn()
        .unwrap();
    let wait_for = |wanted: &dyn Fn(usize) -> bool| {
        let start = Instant::now();
        while !wanted(running_on(&path)) && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
        running_on(&path)
    };
    assert!(wait_for(&|count| count > 0) > 0, "ffmpeg did not start");
    std::thread::sleep(Duration::from_millis(500));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(wait_for(&|count| count == 0), 0, "ffmpeg goes on");
}

/// What `docs/inputs.md` says of containers, codecs and pixel formats.
#[test]
fn containers_codecs_and_pixel_formats_of_the_table_are_read() {
    let Some(folder) = folder() else { return };
    let encoders = std::process::Command::new(common::ffmpeg_program()).arg("-encoders").output().unwrap();
    let encoders = String::from_utf8_lossy(&encoders.stdout).into_owned();
    let reference =
        test_picture(folder.path(), "reference.mkv", 1.0, &["-c:v", "ffv1", "-pix_fmt", "yuv444p"]);
    let reference = sample(&reference, Sampling::All).frames;
    for (name, encoder, pixels) in [
        ("a.avi", "mpeg4", "yuv420p"),
        ("b.avi", "mjpeg", "yuvj420p"),
        ("c.avi", "huffyuv", "yuv422p"),
        ("d.mpg", "mpeg2video", "yuv420p"),
        ("e.ts", "mpeg2video", "yuv420p"),
        ("f.flv", "flv", "yuv420p"),
        ("g.wmv", "wmv2", "yuv420p"),
        ("h.mov", "prores", "yuv422p10le"),
        ("i.mov", "mjpeg", "yuvj444p"),
        ("j.y4m", "wrapped_avframe", "yuv420p"),
        ("k.mkv", "libx264", "yuv420p"),
        ("l.h264", "libx264", "yuv420p"),
        ("m.mp4", "libx265", "yuv420p10le"),
        ("n.webm", "libvpx", "yuv420p"),
        ("o.webm", "libvpx-vp9", "yuv420p"),
        ("p.ivf", "libvpx-vp9", "yuv444p"),
        ("q.mkv", "libaom-av1", "yuv420p"),
        ("r.ogv", "libtheora", "yuv420p"),
        ("s.nut", "ffv1", "gray"),
        ("t.mkv", "ffv1", "yuv420p"),
        ("u.mkv", "ffv1", "yuv422p10le"),
        ("v.mkv", "ffv1", "yuv444p12le"),
        ("w.mkv", "ffv1", "gray16le"),
        ("x.mkv", "ffv1", "bgr0"),
        ("y.mkv", "ffv1", "yuv411p"),
        ("z.mkv", "png", "rgb48be"),
    ] {
        if !encoders.contains(&format!(" {encoder} ")) {
            println!("{name}: this ffmpeg has no {encoder}");
            continue;
        }
        let quick = if encoder == "libaom-av1" { ["-cpu-used", "8"] } else { ["-q:v", "2"] };
        let options = [&["-c:v", encoder, "-pix_fmt", pixels, "-b:v", "2M"][..], &quick].concat();
        let rate: &[&str] = match encoder {
            "mpeg2video" => &["-r", "25"],
            _ => &[],
        };
        let path = test_picture(folder.path(), name, 1.0, &[&options[..], rate].concat());
        let clip = sample(&path, Sampling::All);
        let expected = match name {
            // A program stream fills its rate, a transport stream keeps the frames that there are.
            "d.mpg" => 25,
            // The encoder drops frames.
            "r.ogv" => clip.decoded_frames.clamp(4, 10),
            _ => 10,
        };
        assert_eq!((clip.decoded_frames, clip.info.width, clip.info.height), (expected, 64, 48), "{name}");
        assert!(clip.timestamps.is_sorted(), "{name}: {:?}", clip.timestamps);
        if !pixels.starts_with("gray") {
            let likeness = common::psnr(&clip.frames[0], &reference[0]);
            assert!(likeness > 17.0, "{name}: {likeness:.1} dB");
        }
    }
}
