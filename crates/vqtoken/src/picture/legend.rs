//! Codes and the share of all cells that each one holds.

use super::Scene;
use super::canvas::{Canvas, FAINT, Rect, TEXT};
use super::text::Face;
use crate::figures::percent;

const BAR_HEIGHT: usize = 22;
const ROW_HEIGHT: usize = 26;
const MOST_ROWS: usize = 4;

pub(super) fn draw(scene: &Scene) -> Canvas {
    let chip = scene.chip_width();
    let pitch = chip + Face::Small.width(" 12.3% ") + 12;
    let columns = (scene.width / pitch).max(1);
    let codes = &scene.by_share;
    let rows = codes.len().div_ceil(columns).min(MOST_ROWS);
    let top = Face::Small.height() + 8 + BAR_HEIGHT + 12;
    let mut canvas = Canvas::new(scene.width, top + rows * ROW_HEIGHT);
    canvas.text(0, 0, "codes", Face::Strong, TEXT);
    canvas.text(Face::Strong.width("codes "), 0, "and their share of all cells", Face::Small, FAINT);
    bar(&mut canvas, scene, Face::Small.height() + 8);

    let room = rows * columns;
    let shown = if codes.len() > room { room.saturating_sub(1) } else { codes.len() };
    let place = |index: usize| (index % columns * pitch, top + index / columns * ROW_HEIGHT);
    for (index, &code) in codes[..shown].iter().enumerate() {
        let (x, y) = place(index);
        scene.chip(&mut canvas, x, y, code);
        canvas.text(x + chip + 6, y, &percent(scene.shares[code as usize]), Face::Small, TEXT);
    }
    if shown < codes.len() {
        let (x, y) = place(shown);
        canvas.text(x, y, &format!("+ {} more", codes.len() - shown), Face::Small, FAINT);
    }
    canvas
}

/// All codes side by side, each as wide as its share.
fn bar(canvas: &mut Canvas, scene: &Scene, y: usize) {
    let mut before = 0.0;
    for &code in &scene.by_share {
        let after = before + scene.shares[code as usize];
        let pixel = |share: f64| (share * scene.width as f64).round() as usize;
        let (x, end) = (pixel(before), pixel(after).min(scene.width));
        // A dark pixel between neighbours, if both can be seen at all.
        let width = (end.saturating_sub(x)).saturating_sub(usize::from(end > x + 2));
        canvas.fill(Rect { x, y, width, height: BAR_HEIGHT }, scene.colour(code));
        before = after;
    }
}
