use vqtoken_core::{Budget, Codebook, GridShape, IndexMap, Source, VideoTokens};
use vqtoken_video::Frame;

use super::*;

/// Video tokens of `codes` codes; the cell at place `index` of the flat grid has code `index * 7 % codes`.
pub(super) fn tokens(frames: usize, height: usize, width: usize, codes: usize) -> VideoTokens {
    let shape = GridShape { frames, height, width };
    let labels = (0..shape.len()).map(|index| (index * 7 % codes) as u32).collect();
    VideoTokens {
        codebook: Codebook::new(codes, 2, vec![1.0; codes * 2]).unwrap(),
        index_map: IndexMap::new(shape, codes, labels).unwrap(),
        timestamps: (0..frames).map(|frame| frame as f64 / 2.0).collect(),
        model: "mini".into(),
        source: None,
        budget: Budget::Fixed(codes),
        windows: None,
        quality: Default::default(),
    }
}

fn named(mut tokens: VideoTokens, name: &str, width: usize, height: usize) -> VideoTokens {
    let (name, duration) = (name.to_owned(), 1.0);
    tokens.source = Some(Source { name, width, height, duration, bytes: 1, frames: 10 });
    tokens
}

pub(super) fn grey(width: usize, height: usize) -> Frame {
    Frame::new(width, height, vec![128; width * height * 3]).unwrap()
}

fn picture(tokens: &VideoTokens, frames: Option<&[Frame]>) -> RgbImage {
    draw(tokens, frames, &PictureOptions::default()).unwrap()
}

#[test]
fn pictures_are_bounded_and_always_the_same() {
    let tokens = named(tokens(5, 4, 6, 9), "clip.mp4", 320, 180);
    let frames = vec![grey(320, 180); 5];
    let image = picture(&tokens, Some(&frames));
    assert_eq!(image, picture(&tokens, Some(&frames)));
    assert_eq!(image.width(), 1800);
    for (asked, got) in [(Some(1), 640), (Some(900), 900), (Some(usize::MAX), 4096)] {
        let options = PictureOptions { frames: usize::MAX, width: asked };
        let image = draw(&tokens, Some(&frames), &options).unwrap();
        assert_eq!(image.width(), got);
        assert!(image.height() <= 2 * image.width(), "{asked:?}: {}", image.height());
    }
}

#[test]
fn the_picture_shows_every_code_and_the_frames() {
    let mut tokens = tokens(2, 3, 4, 12);
    let frames =
        [Frame::new(2, 2, [1, 2, 3].repeat(4)).unwrap(), Frame::new(2, 2, [4, 5, 6].repeat(4)).unwrap()];
    let has =
        |image: &RgbImage, colour: Colour| image.pixels().filter(|pixel| pixel.0 == colour).count() > 200;
    let (with, without) = (picture(&tokens, Some(&frames)), picture(&tokens, None));
    assert!(palette::palette(12).into_iter().all(|colour| has(&with, colour) && has(&without, colour)));
    for colour in [[1, 2, 3], [4, 5, 6]] {
        assert!(has(&with, colour) && !has(&without, colour));
    }
    let before = picture(&tokens, None);
    tokens.index_map = IndexMap::new(tokens.index_map.shape(), 12, vec![3; 24]).unwrap();
    assert_ne!(before, picture(&tokens, None));
}

#[test]
fn odd_clips_are_drawn() {
    for (frames, height, width, codes) in
        [(1, 1, 1, 1), (1, 27, 27, 1), (3, 1, 1, 200), (40, 14, 14, 200), (2, 300, 2, 3), (2, 1, 900, 70_000)]
    {
        let tokens = tokens(frames, height, width, codes);
        let image = picture(&tokens, None);
        assert!(image.height() <= 2 * image.width(), "{:?}", tokens.index_map.shape());
        for (across, down) in [(1, 1), (1, 700), (700, 1), (108, 192)] {
            picture(&tokens, Some(&vec![grey(across, down); frames]));
        }
        let options = PictureOptions { frames: 0, width: Some(0) };
        draw(&tokens, None, &options).unwrap();
    }
    picture(&tokens(1, 27, 27, 32), Some(&[grey(4000, 3000)]));
}

#[test]
fn any_name_and_any_time_is_drawn() {
    let plain = picture(&named(tokens(1, 2, 2, 2), "clip.mp4", 0, 0), None);
    for name in ["", "影片 \u{1f600}\n\u{7}é.mp4", &"long".repeat(1000)] {
        let mut tokens = named(tokens(1, 2, 2, 2), name, 0, usize::MAX);
        tokens.timestamps = vec![f64::NAN];
        tokens.model = name.to_owned();
        assert_eq!(picture(&tokens, None).width(), plain.width());
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let tokens = tokens(3, 2, 2, 4);
    let draw = |tokens: &VideoTokens, frames: &[Frame]| {
        draw(tokens, Some(frames), &PictureOptions::default()).unwrap_err().to_string()
    };
    assert_eq!(
        draw(&tokens, &[grey(4, 4), grey(4, 4)]),
        "2 frames were given for video tokens of 3 frames: sample the video as it was encoded, with --frames 3"
    );
    assert_eq!(
        draw(&tokens, &[grey(4, 4), grey(4, 4), grey(4, 5)]),
        "frame 2 is 4 x 5, but frame 0 is 4 x 4: give frames of one size"
    );
    let frames = vec![grey(4, 4); 3];
    let short = VideoTokens { timestamps: vec![0.0], ..tokens.clone() };
    assert!(draw(&short, &frames).contains("3 frames have 1 timestamps"));
    let other = VideoTokens { codebook: Codebook::new(5, 1, vec![1.0; 5]).unwrap(), ..tokens };
    assert!(draw(&other, &frames).contains("codebook has 5 codes but the index map 4"));
}

#[test]
fn a_png_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let image = picture(&tokens(2, 2, 2, 4), None);
    let path = folder.path().join("tokens.png");
    save_png(&image, &path).unwrap();
    save_png(&image, &path).unwrap();
    assert_eq!(image::open(&path).unwrap().to_rgb8(), image);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let missing = folder.path().join("nowhere");
    let error = save_png(&image, &missing.join("tokens.png")).unwrap_err().to_string();
    assert!(error.contains(&format!("there is no folder {}: create it", missing.display())), "{error}");
    assert!(!error.contains('\n'));
    assert!(matches!(save_png(&image, std::path::Path::new("..")), Err(PictureError::Write(_))));
    std::fs::create_dir(folder.path().join("taken.png")).unwrap();
    let error = save_png(&image, &folder.path().join("taken.png")).unwrap_err();
    assert!(matches!(error, PictureError::Write(_)), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
