//! When codes are there: one row for each code, time from left to right.

use super::canvas::{Canvas, FAINT, PANEL, Rect, TEXT, mix};
use super::text::Face;
use super::{CHIP_HEIGHT, Scene};
use crate::figures::{clock, percent};

/// Bins of time, if there are as many frames.
const BINS: usize = 64;
const ROW_HEIGHT: usize = 17;

/// Draws into `rect`: a title, as many of the largest codes as fit, and the time below.
pub(super) fn draw(canvas: &mut Canvas, scene: &Scene, rect: Rect) {
    let line = Face::Small.height();
    let (top, bottom) = (rect.y + line + 10, rect.y + rect.height - line - 6);
    let rows = ((bottom - top) / ROW_HEIGHT).min(scene.by_share.len());
    let row_height = ((bottom - top) / rows.max(1)).clamp(ROW_HEIGHT, 30);
    canvas.text(rect.x, rect.y, "presence", Face::Strong, TEXT);
    let x = rect.x + Face::Strong.width("presence ");
    let hidden = scene.by_share.len() - rows;
    let about = match hidden {
        0 => "over time, each code against its own peak".to_owned(),
        _ => format!("over time of the {rows} largest codes, each against its own peak"),
    };
    canvas.text(x, rect.y, &Face::Small.fit(&about, rect.x + rect.width - x), Face::Small, FAINT);

    let left = rect.x + scene.chip_width() + 6;
    let right = rect.x + rect.width - Face::Small.width(" 12.3%");
    for (row, &code) in scene.by_share[..rows].iter().enumerate() {
        let strip = Rect { x: left, y: top + row * row_height, width: right - left, height: row_height - 1 };
        let peak = draw_row(canvas, scene, code, strip);
        let y = strip.y + (strip.height - CHIP_HEIGHT) / 2;
        scene.chip(canvas, rect.x, y, code);
        canvas.text_ending(rect.x + rect.width, y, &percent(f64::from(peak)), Face::Small, FAINT);
    }
    let times = &scene.tokens.timestamps;
    let y = top + rows * row_height + 4;
    if let (Some(&first), Some(&last)) = (times.first(), times.last()) {
        canvas.text(left, y, &clock(first), Face::Small, FAINT);
        if times.len() > 1 {
            canvas.text_ending(right, y, &clock(last), Face::Small, FAINT);
        }
        canvas.text_ending(rect.x + rect.width, y, "peak", Face::Small, FAINT);
    }
}

/// One code's row; returns the largest share of a bin's cells that it ever holds.
fn draw_row(canvas: &mut Canvas, scene: &Scene, code: u32, strip: Rect) -> f32 {
    let path = scene.hash.path(code, scene.hash.shape().frames.min(BINS));
    let peak = path.iter().map(|point| point.presence).fold(0.0, f32::max);
    let colour = scene.colour(code);
    canvas.paint(strip, |x, _| {
        let presence = path[x * path.len() / strip.width].presence;
        // A code that is hardly there must differ from one that is away.
        let share = if presence > 0.0 { 0.12 + 0.88 * presence / peak } else { 0.0 };
        mix(PANEL, colour, share)
    });
    peak
}
