//! Frames, each over its index map.

use vqtoken_video::{Frame, resize_bicubic};

use super::canvas::{BACKGROUND, Canvas, Colour, FAINT, Rect, TEXT, luma, mix, pixel};
use super::text::Face;
use super::{GAP, Scene};
use crate::figures::clock;

const LABEL_HEIGHT: usize = 22;
/// Between a frame and its index map.
const SEAM: usize = 3;
/// How dark the line between two codes is.
const BORDER: f32 = 0.5;
/// How far the frame shows through its index map.
const SHADING: f32 = 0.25;

/// How tiles are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tiling {
    columns: usize,
    width: usize,
    height: usize,
}

pub(super) fn draw(scene: &Scene, most: usize) -> Canvas {
    let steps = spread(scene.hash.shape().frames, most);
    let pictures = if scene.frames.is_some() { 2 } else { 1 };
    let tiling = tile(steps.len(), pictures, scene.width, scene.aspect);
    let (width, height) = (tiling.width, tiling.height);
    let rows = steps.len().div_ceil(tiling.columns);
    // The first column begins at the left margin, and the last ends at the right one.
    let pitch = (scene.width - width) / (tiling.columns - 1).max(1);
    let row_height = LABEL_HEIGHT + pictures * (height + SEAM) + GAP;
    let mut canvas = Canvas::new(scene.width, rows * row_height - GAP);
    for (place, &step) in steps.iter().enumerate() {
        let (x, y) = (place % tiling.columns * pitch, place / tiling.columns * row_height);
        label(&mut canvas, scene, step, Rect { x, y, width, height: LABEL_HEIGHT });
        let mut rect = Rect { x, y: y + LABEL_HEIGHT, width, height };
        let frame = scene.frames.map(|frames| resize_bicubic(&frames[step], width, height));
        if let Some(frame) = &frame {
            canvas.frame(rect, frame);
            rect.y += height + SEAM;
        }
        index_map(&mut canvas, scene, step, frame.as_ref(), rect);
    }
    canvas
}

fn label(canvas: &mut Canvas, scene: &Scene, step: usize, rect: Rect) {
    let time = Face::Strong.fit(&clock(scene.tokens.timestamps[step]), rect.width);
    canvas.text(rect.x, rect.y, &time, Face::Strong, TEXT);
    let number = format!("frame {step}");
    if Face::Strong.width(&time) + Face::Small.width(&number) + GAP <= rect.width {
        canvas.text_ending(rect.x + rect.width, rect.y, &number, Face::Small, FAINT);
    }
}

/// Cells in the colours of their codes, with lines between different ones. Where the frame is at hand its light and shade
/// show through, so that one sees what the regions follow.
fn index_map(canvas: &mut Canvas, scene: &Scene, step: usize, frame: Option<&Frame>, rect: Rect) {
    let shape = scene.hash.shape();
    let labels = scene.tokens.index_map.frame(step);
    let code = |x: usize, y: usize| {
        labels[y * shape.height / rect.height * shape.width + x * shape.width / rect.width]
    };
    let lined = rect.width >= 5 * shape.width && rect.height >= 5 * shape.height;
    canvas.paint(rect, |x, y| {
        let own = code(x, y);
        let colour =
            frame.map_or(scene.colour(own), |frame| shade(scene.colour(own), luma(pixel(frame, x, y))));
        let border = lined && (code(x.saturating_sub(1), y) != own || code(x, y.saturating_sub(1)) != own);
        if border { mix(colour, BACKGROUND, BORDER) } else { colour }
    });
}

/// `colour` in the light of a pixel as bright as `luma` of 255.
fn shade(colour: Colour, luma: f32) -> Colour {
    let light = (luma / 255.0 - 0.5) * 2.0 * SHADING;
    if light < 0.0 { mix(colour, [0; 3], -light) } else { mix(colour, [255; 3], light) }
}

/// At most `most` of `frames` frames, from the first to the last in steps as equal as can be.
fn spread(frames: usize, most: usize) -> Vec<usize> {
    let count = frames.min(most);
    match count {
        0 | 1 => vec![0],
        _ => (0..count).map(|place| place * (frames - 1) / (count - 1)).collect(),
    }
}

/// The largest tiles of `pictures` pictures each, such that `count` of them are not higher altogether than 0.4 widths for
/// each picture of a tile.
fn tile(count: usize, pictures: usize, width: usize, aspect: f32) -> Tiling {
    let limit = pictures * width * 2 / 5;
    let mut best = Tiling { columns: 1, width: 0, height: 0 };
    for columns in 1..=count {
        let widest = ((width + GAP) / columns).saturating_sub(GAP).max(1);
        let row = limit / count.div_ceil(columns);
        let highest = (row.saturating_sub(LABEL_HEIGHT + GAP) / pictures).saturating_sub(SEAM);
        let height = ((widest as f32 / aspect) as usize).min(highest).max(1);
        let tiling =
            Tiling { columns, width: ((height as f32 * aspect).round() as usize).clamp(1, widest), height };
        if tiling.width > best.width {
            best = tiling;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::tests::{grey, tokens};
    use super::*;

    /// Cells of 20 x 10 pixels: their middles have the colours of their codes, a little lighter over a light frame.
    #[test]
    fn cells_have_the_colours_of_their_codes() {
        let tokens = tokens(2, 3, 4, 5);
        let scene = Scene::new(&tokens, None, 900);
        let rect = Rect { x: 7, y: 5, width: 80, height: 30 };
        let mut canvas = Canvas::new(100, 50);
        index_map(&mut canvas, &scene, 1, None, rect);
        let plain = canvas.into_image();
        let mut canvas = Canvas::new(100, 50);
        index_map(&mut canvas, &scene, 1, Some(&grey(80, 30)), rect);
        let shaded = canvas.into_image();
        for (place, &code) in tokens.index_map.frame(1).iter().enumerate() {
            let (x, y) = (7 + place % 4 * 20 + 10, 5 + place / 4 * 10 + 5);
            assert_eq!(plain.get_pixel(x as u32, y as u32).0, scene.colour(code));
            let shaded = shaded.get_pixel(x as u32, y as u32).0;
            assert!((0..3).all(|channel| shaded[channel].abs_diff(scene.colour(code)[channel]) < 4));
        }
        assert_eq!(
            plain.get_pixel(27, 10).0,
            mix(scene.colour(tokens.index_map.frame(1)[1]), BACKGROUND, BORDER)
        );
        assert_eq!(plain.get_pixel(87, 34).0, BACKGROUND);
    }

    #[test]
    fn frames_are_spread_from_first_to_last() {
        assert_eq!(spread(32, 8), [0, 4, 8, 13, 17, 22, 26, 31]);
        assert_eq!(spread(3, 8), [0, 1, 2]);
        assert_eq!(spread(9, 1), [0]);
    }

    #[test]
    fn tiles_are_as_large_as_the_limit_allows() {
        assert_eq!(tile(8, 2, 1720, 16.0 / 9.0).columns, 4);
        assert_eq!(tile(8, 2, 1720, 9.0 / 16.0).columns, 8);
        for count in 1..=64 {
            for pictures in [1, 2] {
                for aspect in [0.25, 1.0, 1.78, 4.0] {
                    let Tiling { columns, width, height } = tile(count, pictures, 560, aspect);
                    assert!(columns * (width + GAP) <= 560 + GAP, "{count} {pictures} {aspect}");
                    assert!(width > 0 && height > 0);
                }
            }
        }
    }
}
