//! The picture of a search: each hit's frame with its cells lit.

use image::RgbImage;
use vqtoken_video::{Frame, resize_bicubic};

use super::canvas::{BACKGROUND, Canvas, Colour, FAINT, PANEL, Rect, TEXT, mix, pixel};
use super::text::Face;
use super::{DEFAULT_WIDTH, GAP, MARGIN};

const COLUMNS: usize = 4;
const LABEL_HEIGHT: usize = 22;
/// How far what is not lit goes towards the background.
const DIMMED: f32 = 0.62;
/// Around lit cells.
const LIT: Colour = [255, 214, 10];
/// Width of the line around lit cells.
const LINE_WIDTH: usize = 3;

/// What is drawn of a hit.
#[derive(Clone, Debug)]
pub struct DrawnHit {
    /// Rank and name.
    pub title: String,
    /// Seconds and score.
    pub note: String,
    /// The frame, if it is at hand.
    pub frame: Option<Frame>,
    /// Width and height, for the shape where there is no frame.
    pub size: (usize, usize),
    /// Height and width of the grid in cells.
    pub grid: [usize; 2],
    /// Lit cells, as row and column.
    pub cells: Vec<[usize; 2]>,
}

/// Draws hits in rows of four, 1800 pixels wide. Without hits the picture says so.
pub fn draw_hits(hits: &[DrawnHit]) -> RgbImage {
    let width = (DEFAULT_WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS;
    let shapes =
        hits.iter().map(|hit| hit.frame.as_ref().map_or(hit.size, |frame| (frame.width(), frame.height())));
    let tallest = shapes.map(|(across, down)| down as f32 / across.max(1) as f32).fold(0.25_f32, f32::max);
    let height = (width as f32 * tallest.min(1.6)) as usize;
    let row_height = 2 * LABEL_HEIGHT + height + GAP;
    let rows = hits.len().div_ceil(COLUMNS).max(1);
    let mut canvas = Canvas::new(DEFAULT_WIDTH, 2 * MARGIN + rows * row_height - GAP);
    if hits.is_empty() {
        canvas.text(MARGIN, MARGIN, "nothing was found", Face::Strong, TEXT);
    }
    for (place, hit) in hits.iter().enumerate() {
        let (x, y) = (MARGIN + place % COLUMNS * (width + GAP), MARGIN + place / COLUMNS * row_height);
        canvas.text(x, y, &Face::Strong.fit(&hit.title, width), Face::Strong, TEXT);
        canvas.text(x, y + LABEL_HEIGHT, &Face::Small.fit(&hit.note, width), Face::Small, FAINT);
        let (across, down) = hit.frame.as_ref().map_or(hit.size, |frame| (frame.width(), frame.height()));
        let scale = (width as f32 / across.max(1) as f32).min(height as f32 / down.max(1) as f32);
        let size = |side: usize| ((side as f32 * scale) as usize).max(1);
        draw_frame(
            &mut canvas,
            hit,
            Rect { x, y: y + 2 * LABEL_HEIGHT, width: size(across), height: size(down) },
        );
    }
    canvas.into_image()
}

fn draw_frame(canvas: &mut Canvas, hit: &DrawnHit, rect: Rect) {
    let frame = hit.frame.as_ref().map(|frame| resize_bicubic(frame, rect.width, rect.height));
    let [rows, columns] = hit.grid.map(|side| side.max(1));
    let mut lit = vec![false; rows * columns];
    for [row, column] in hit.cells.iter().filter(|[row, column]| *row < rows && *column < columns) {
        lit[row * columns + column] = true;
    }
    let is_lit = |x: usize, y: usize| lit[y * rows / rect.height * columns + x * columns / rect.width];
    canvas.paint(rect, |x, y| {
        let own = frame.as_ref().map_or(PANEL, |frame| pixel(frame, x, y));
        if !is_lit(x, y) {
            return mix(own, BACKGROUND, DIMMED);
        }
        let edge = LINE_WIDTH;
        let around = [
            (x.saturating_sub(edge), y),
            (x, y.saturating_sub(edge)),
            ((x + edge).min(rect.width - 1), y),
            (x, (y + edge).min(rect.height - 1)),
        ];
        if around.iter().all(|&(x, y)| is_lit(x, y)) { own } else { LIT }
    });
}

#[cfg(test)]
mod tests {
    use super::super::tests::grey;
    use super::*;

    #[test]
    fn lit_cells_keep_their_colour_and_others_are_dimmed() {
        let hit = DrawnHit {
            title: "1. a.mp4".to_owned(),
            note: String::new(),
            frame: Some(grey(90, 90)),
            size: (90, 90),
            grid: [3, 3],
            cells: vec![[1, 1], [9, 9]],
        };
        let own = pixel(&grey(90, 90), 45, 45);
        let image = draw_hits(std::slice::from_ref(&hit));
        let width = (DEFAULT_WIDTH - 2 * MARGIN - 3 * GAP) / 4;
        let at = |share: f32| {
            let offset = (width as f32 * share) as u32;
            image.get_pixel(MARGIN as u32 + offset, (MARGIN + 2 * LABEL_HEIGHT) as u32 + offset).0
        };
        assert_eq!(at(0.5), own);
        assert_eq!(at(0.1), mix(own, BACKGROUND, DIMMED));
        let several = draw_hits(&vec![hit; 5]);
        assert!(several.height() > image.height());
        assert!(draw_hits(&[]).height() > 0);
    }
}
