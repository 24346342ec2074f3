//! The clip that the project renders itself: a red circle crosses from left to right, a blue square falls, a green triangle
//! goes out of sight behind a grey pillar and comes back, and a yellow star turns and bounces.
//!
//! Shapes are signed distance functions: pixels to the edge, negative inside, which also gives the smooth edges.

use std::path::Path;

use vqtoken_video::{Frame, Mp4Options, Mp4Writer, VideoError};

/// Pixels in a row.
pub const WIDTH: usize = 448;
/// Rows of pixels.
pub const HEIGHT: usize = 256;
/// Frames in a second.
pub const FRAMES_PER_SECOND: usize = 15;
/// Frames in the clip: six seconds.
pub const FRAMES: usize = 6 * FRAMES_PER_SECOND;

type Point = [f32; 2];
type Colour = [f32; 3];

const RED: Colour = [226.0, 46.0, 46.0];
const BLUE: Colour = [44.0, 84.0, 220.0];
const GREEN: Colour = [40.0, 168.0, 72.0];
const YELLOW: Colour = [246.0, 200.0, 36.0];
const GREY: Colour = [112.0, 114.0, 120.0];

/// All frames, in order.
pub fn frames() -> impl Iterator<Item = Frame> {
    (0..FRAMES).filter_map(|index| {
        let time = index as f32 / (FRAMES - 1) as f32;
        Frame::new(WIDTH, HEIGHT, render(time)).ok()
    })
}

/// Writes the clip as an H.264 MP4 file of about 34 kB; the same bytes every time.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path) -> Result<(), VideoError> {
    let options = Mp4Options::default();
    let mut writer = Mp4Writer::create(path, WIDTH, HEIGHT, FRAMES_PER_SECOND as f64, options)?;
    for frame in frames() {
        writer.push(&frame)?;
    }
    writer.finish()
}

/// The picture at `time` in `[0, 1]`, `[HEIGHT, WIDTH, 3]`.
fn render(time: f32) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(WIDTH * HEIGHT * 3);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let at = [x as f32 + 0.5, y as f32 + 0.5];
            let mut colour = background(at);
            for (distance, ink) in shapes(at, time) {
                let cover = (0.5 - distance).clamp(0.0, 1.0);
                colour =
                    std::array::from_fn(|channel| colour[channel] + (ink[channel] - colour[channel]) * cover);
            }
            rgb.extend(colour.map(|value| value.round() as u8));
        }
    }
    rgb
}

/// Off-white, a little darker towards the floor.
fn background(at: Point) -> Colour {
    let shade = 22.0 * at[1] / HEIGHT as f32;
    [236.0 - shade, 234.0 - shade, 228.0 - shade]
}

/// From back to front, the distance from `at` to each shape at `time`, and its colour.
fn shapes(at: Point, time: f32) -> [(f32, Colour); 5] {
    let from_the_middle = (2.0 * time - 1.0).abs();
    let hop = (time * 3.0).fract();
    let pillar = [340.0, 198.0];
    let triangle = [pillar[0] - 220.0 * (from_the_middle - 0.4).max(0.0), 214.0];
    let star = rotate(minus(at, [300.0, 62.0 - 110.0 * hop * (1.0 - hop)]), 4.0 * time);
    [
        (triangle_distance(minus(at, triangle), 24.0), GREEN),
        (box_distance(minus(at, pillar), [35.0, 52.0]), GREY),
        (box_distance(minus(at, [92.0, 10.0 + 220.0 * time * time]), [22.0, 22.0]), BLUE),
        (star_distance(star, 28.0), YELLOW),
        (length(minus(at, [40.0 + 368.0 * time, 118.0])) - 25.0, RED),
    ]
}

fn box_distance(at: Point, half: Point) -> f32 {
    let (x, y) = (at[0].abs() - half[0], at[1].abs() - half[1]);
    length([x.max(0.0), y.max(0.0)]) + x.max(y).min(0.0)
}

/// A triangle with a level base and equal sides, `radius` from centre to side.
fn triangle_distance(at: Point, radius: f32) -> f32 {
    (at[0].abs() * 0.866 - at[1] * 0.5).max(at[1]) - radius * 0.75
}

/// A star of five rounded points: a circle whose radius waves.
fn star_distance(at: Point, radius: f32) -> f32 {
    let wave = (5.0 * at[1].atan2(at[0])).cos();
    (length(at) - radius * (0.78 + 0.22 * wave)) * 0.8
}

fn rotate(at: Point, angle: f32) -> Point {
    let (sine, cosine) = angle.sin_cos();
    [at[0] * cosine - at[1] * sine, at[0] * sine + at[1] * cosine]
}

fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1]]
}

fn length(at: Point) -> f32 {
    at[0].hypot(at[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean place and the number of the pixels nearer to `ink` than to any other colour of the clip.
    fn centroid(frame: &Frame, ink: Colour) -> (Point, usize) {
        let others = [RED, BLUE, GREEN, YELLOW, GREY, background([0.0; 2])];
        let apart =
            |a: Colour, b: Colour| (0..3).map(|channel| (a[channel] - b[channel]).powi(2)).sum::<f32>();
        let (mut sum, mut count) = ([0.0, 0.0], 0);
        for (place, pixel) in frame.rgb().chunks_exact(3).enumerate() {
            let pixel = [pixel[0], pixel[1], pixel[2]].map(f32::from);
            if others.iter().all(|&other| apart(pixel, ink) <= apart(pixel, other)) {
                sum = [sum[0] + (place % WIDTH) as f32, sum[1] + (place / WIDTH) as f32];
                count += 1;
            }
        }
        (sum.map(|sum| sum / count.max(1) as f32), count)
    }

    #[test]
    fn shapes_go_where_a_person_would_say_they_go() {
        let frames: Vec<Frame> = frames().collect();
        assert_eq!(frames.len(), FRAMES);
        assert!(frames.iter().all(|frame| (frame.width(), frame.height()) == (WIDTH, HEIGHT)));
        let steps = || frames.iter().step_by(11);
        let red: Vec<f32> = steps().map(|frame| centroid(frame, RED).0[0]).collect();
        assert!(red.windows(2).all(|pair| pair[1] > pair[0] + 30.0), "{red:?}");
        let blue: Vec<f32> = steps().map(|frame| centroid(frame, BLUE).0[1]).collect();
        assert!(blue.windows(2).all(|pair| pair[1] > pair[0] + 1.0), "{blue:?}");
        let green = [0, FRAMES / 2, FRAMES - 1].map(|index| centroid(&frames[index], GREEN).1);
        assert!(green[0] > 500 && green[1] == 0 && green[2] > 500, "{green:?}");
        assert!(steps().all(|frame| centroid(frame, YELLOW).1 > 500));
    }

    #[test]
    fn the_file_is_small_and_shows_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.mp4");
        write(&path).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < 150_000);
        let clip =
            vqtoken_video::Video::open(&path).unwrap().sample(vqtoken_video::Sampling::Uniform(2)).unwrap();
        assert_eq!(clip.decoded_frames, FRAMES);
        let red = |frame| centroid(frame, RED).0[0];
        assert!(red(&clip.frames[0]) < 50.0 && red(&clip.frames[1]) > 400.0);
    }
}
