//! Folders of images, GIFs, and paths that are no video.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use std::path::Path;

use common::scene;
use image::codecs::gif::GifEncoder;
use image::{Delay, DynamicImage, RgbImage};
use vqtoken_video::{Decoder, Frame, OpenOptions, Programs, Sampling, Video, VideoError};

fn image_of(frame: &Frame) -> DynamicImage {
    let (width, height) = (frame.width() as u32, frame.height() as u32);
    DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, frame.rgb().to_vec()).unwrap())
}

fn save(frame: &Frame, path: &Path) {
    image_of(frame).save(path).unwrap();
}

#[test]
fn a_folder_of_images_is_a_video() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..12 {
        let extension = if index % 2 == 0 { "png" } else { "bmp" };
        save(&scene(20, 10, index), &folder.path().join(format!("frame{index}.{extension}")));
    }
    std::fs::write(folder.path().join("notes.txt"), "not an image").unwrap();
    let video = Video::open(folder.path()).unwrap();
    assert_eq!((video.info().width, video.info().height, video.info().frames), (20, 10, Some(12)));
    assert_eq!((video.info().decoder, video.info().duration), (Decoder::Images, Some(12.0)));
    let clip = video.sample(Sampling::Uniform(3)).unwrap();
    assert_eq!(
        (clip.indices.as_slice(), clip.timestamps.as_slice()),
        (&[0, 5, 11][..], &[0.0, 5.0, 11.0][..])
    );
    assert_eq!(clip.frames, [scene(20, 10, 0), scene(20, 10, 5), scene(20, 10, 11)]);

    let quick = Video::open_with(folder.path(), &OpenOptions::default().with_images_per_second(4.0)).unwrap();
    assert_eq!(quick.sample(Sampling::Fps(1.0)).unwrap().indices, [0, 4, 8]);
    let bad = Video::open_with(folder.path(), &OpenOptions::default().with_images_per_second(0.0));
    assert!(matches!(bad, Err(VideoError::BadSampling(_))));
}

#[test]
fn images_and_gifs_are_handed_out_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    (0..3).for_each(|index| save(&scene(20, 10, index), &folder.path().join(format!("{index}.png"))));
    let video = Video::open(folder.path()).unwrap();
    let mut taken = Vec::new();
    let clip =
        video.sample_each(Sampling::Uniform(4), &mut |frame, seconds| taken.push((frame, seconds))).unwrap();
    assert_eq!((clip.indices, clip.decoded_frames), (vec![0, 0, 1, 2], 3));
    assert_eq!(taken[1], (scene(20, 10, 0), 0.0));
    assert_eq!(taken[3], (scene(20, 10, 2), 2.0));
    let nothing = video.sample_each(Sampling::Uniform(0), &mut |_, _| ());
    assert!(matches!(nothing, Err(VideoError::BadSampling(_))));
    assert!(matches!(video.sampled_frames(Sampling::Fps(0.0)), Err(VideoError::BadSampling(_))));
}

#[test]
fn images_of_two_sizes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    save(&scene(20, 10, 0), &folder.path().join("1.png"));
    save(&scene(10, 20, 0), &folder.path().join("2.png"));
    let error = Video::open(folder.path()).unwrap().sample(Sampling::All).unwrap_err();
    assert!(matches!(error, VideoError::MixedSizes { found: (10, 20), expected: (20, 10), .. }), "{error}");
    assert!(error.to_string().contains("2.png"));
}

#[test]
fn one_image_is_a_video_of_one_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("still.png");
    save(&scene(20, 10, 3), &path);
    assert_eq!(
        Video::open(&path).unwrap().sample(Sampling::Uniform(2)).unwrap().frames,
        [scene(20, 10, 3), scene(20, 10, 3)]
    );
}

#[test]
fn a_gif_gives_composited_frames_and_its_delays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gif");
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255]];
    let mut encoder = GifEncoder::new(std::fs::File::create(&path).unwrap());
    for (index, colour) in colours.into_iter().enumerate() {
        let frame = Frame::new(8, 6, colour.repeat(48)).unwrap();
        let delay = Delay::from_numer_denom_ms(200 * (index as u32 + 1), 1);
        let frame = image::Frame::from_parts(image_of(&frame).into_rgba8(), 0, 0, delay);
        encoder.encode_frame(frame).unwrap();
    }
    drop(encoder);
    let video = Video::open(&path).unwrap();
    assert_eq!((video.info().width, video.info().height), (8, 6));
    let clip = video.sample(Sampling::All).unwrap();
    assert_eq!(clip.decoded_frames, 3);
    for (got, wanted) in clip.timestamps.iter().zip([0.0, 0.2, 0.6]) {
        assert!((got - wanted).abs() < 1e-9);
    }
    for (frame, colour) in clip.frames.iter().zip(colours) {
        assert_eq!(frame.rgb()[..3], colour);
    }
    assert_eq!(video.sample(Sampling::Uniform(2)).unwrap().indices, [0, 2]);

    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let cut = Video::open(&path).unwrap().sample(Sampling::All).unwrap();
    assert_eq!((cut.decoded_frames, cut.damage.len()), (2, 1));
}

#[test]
fn what_is_no_video_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.mp4");
    let error = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let alone = OpenOptions::default().with_programs(Programs::None);
        let error =
            Video::open_with(&path, &alone).and_then(|video| video.sample(Sampling::All)).unwrap_err();
        assert!(error.to_string().contains("file.mp4") && !error.to_string().contains('\n'), "{error}");
        error
    };
    assert!(matches!(error(b""), VideoError::NotAVideo { .. }));
    assert!(matches!(error(b"a text that is no video at all, however long"), VideoError::NotAVideo { .. }));
    assert!(matches!(error(b"\0\0\0\x10ftypisom\0\0\0\0"), VideoError::NotAVideo { .. }));
    let no_track = b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov";
    assert!(matches!(error(no_track), VideoError::NoVideoTrack { .. }));
    assert!(matches!(error(b"GIF89a"), VideoError::NotAVideo { .. }));

    let missing = Video::open(folder.path().join("missing.mp4")).unwrap_err();
    assert!(matches!(missing, VideoError::NotFound { .. }));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(Video::open(empty.path()), Err(VideoError::NoFrames { .. })));
}

#[test]
fn a_sampling_of_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    save(&scene(4, 4, 0), &folder.path().join("1.png"));
    let video = Video::open(folder.path()).unwrap();
    for bad in [
        Sampling::Uniform(0),
        Sampling::Uniform(usize::MAX),
        Sampling::Fps(f64::NAN),
        Sampling::Fps(0.0),
        Sampling::Fps(-3.0),
    ] {
        assert!(matches!(video.sample(bad), Err(VideoError::BadSampling(_))), "{bad:?}");
    }
}
