//! Where codes go: the paths of those that move, beside when each code is there.

use vqtoken_video::resize_bicubic;

use super::canvas::{
    BACKGROUND, Canvas, FAINT, LINE, PANEL, Point, Rect, TEXT, length, luma, minus, mix, pixel,
};
use super::movers::{Mover, movers};
use super::text::Face;
use super::{CHIP_HEIGHT, SECTION_GAP, Scene, presence};

const TITLE_HEIGHT: usize = 26;
const LEAST_HEIGHT: usize = 320;

pub(super) fn draw(scene: &Scene) -> Canvas {
    let height = (scene.width * 3 / 10).max(LEAST_HEIGHT);
    let width = ((height as f32 * scene.aspect) as usize).min(scene.width * 13 / 25);
    let rect = Rect {
        x: 0,
        y: TITLE_HEIGHT,
        width,
        height: ((width as f32 / scene.aspect).round() as usize).clamp(1, height),
    };
    let mut canvas = Canvas::new(scene.width, TITLE_HEIGHT + height);
    let movers = movers(&scene.hash);
    let about = match movers.len() {
        0 => "no code moves".to_owned(),
        1 => "the one way that codes move".to_owned(),
        count => format!("the {count} main ways that codes move"),
    };
    canvas.text(0, 0, "paths", Face::Strong, TEXT);
    let x = Face::Strong.width("paths ");
    let left = width.max(x + Face::Small.width(&about));
    canvas.text(x, 0, &about, Face::Small, FAINT);

    backdrop(&mut canvas, scene, rect);
    for mover in movers.iter().rev() {
        trace(&mut canvas, scene, mover, rect);
    }
    labels(&mut canvas, scene, &movers, rect);
    let x = left + SECTION_GAP;
    presence::draw(
        &mut canvas,
        scene,
        Rect { x, y: 0, width: scene.width - x, height: TITLE_HEIGHT + height },
    );
    canvas
}

/// The middle frame, faint, or an empty panel with the lines of the token grid.
fn backdrop(canvas: &mut Canvas, scene: &Scene, rect: Rect) {
    let Rect { x, y, width, height } = rect;
    canvas.fill(rect, PANEL);
    match scene.frames.and_then(|frames| frames.get(frames.len() / 2)) {
        Some(frame) => {
            let frame = resize_bicubic(frame, width, height);
            canvas.paint(rect, |x, y| mix(BACKGROUND, [luma(pixel(&frame, x, y)) as u8; 3], 0.32));
        }
        None => {
            let shape = scene.hash.shape();
            let lines = |cells: usize, length: usize| (1..cells).map(move |cell| cell * length / cells);
            for column in lines(shape.width.min(width / 6), width) {
                canvas.fill(Rect { x: x + column, y, width: 1, height }, mix(PANEL, LINE, 0.4));
            }
            for row in lines(shape.height.min(height / 6), height) {
                canvas.fill(Rect { x, y: y + row, width, height: 1 }, mix(PANEL, LINE, 0.4));
            }
        }
    }
    canvas.outline(rect, LINE);
}

/// The centres of a mover in pixels, each with its bin of time.
fn points(mover: &Mover, rect: Rect) -> Vec<(usize, Point)> {
    let scaled = |centre: Point| {
        [rect.x as f32 + centre[0] * rect.width as f32, rect.y as f32 + centre[1] * rect.height as f32]
    };
    let centres = mover.centres.iter().enumerate();
    centres.filter_map(|(bin, centre)| centre.map(|centre| (bin, scaled(centre)))).collect()
}

/// One path: a dot where it begins, an arrow head where it ends, pale where the code is away in between.
fn trace(canvas: &mut Canvas, scene: &Scene, mover: &Mover, rect: Rect) {
    let colour = scene.colour(mover.code);
    let points = points(mover, rect);
    let (Some(&(_, first)), Some(&(_, last))) = (points.first(), points.last()) else { return };
    for (width, colour) in [(8.0, BACKGROUND), (4.0, colour)] {
        for pair in points.windows(2) {
            let [(bin, from), (next, to)] = [pair[0], pair[1]];
            canvas.line(from, to, width, colour, if next == bin + 1 { 1.0 } else { 0.3 });
        }
    }
    canvas.disc(first, 9.0, BACKGROUND);
    canvas.disc(first, 7.0, colour);
    // The arrow points the way the path took over its last pixels, not over its last trembling.
    let before =
        points.iter().rev().map(|(_, point)| *point).find(|point| length(minus(last, *point)) > 10.0);
    let direction = minus(last, before.unwrap_or(first));
    let norm = length(direction).max(1e-6);
    let ahead = |pixels: f32| [0, 1].map(|axis| last[axis] + direction[axis] / norm * pixels);
    canvas.arrow_head(ahead(14.0), direction, 27.0, BACKGROUND);
    canvas.arrow_head(ahead(10.0), direction, 20.0, colour);
}

/// The code's number beside each dot, moved down until it covers no other.
fn labels(canvas: &mut Canvas, scene: &Scene, movers: &[Mover], rect: Rect) {
    const OFF: usize = 12;
    let width = scene.chip_width();
    let mut taken: Vec<(usize, usize)> = Vec::new();
    for mover in movers {
        let Some(&(_, [x, y])) = points(mover, rect).first() else { continue };
        let (x, mut y) = (x as usize, (y as usize).saturating_sub(CHIP_HEIGHT / 2).max(rect.y + 2));
        let right = x + OFF + width < rect.x + rect.width;
        let x = if right { x + OFF } else { x.saturating_sub(OFF + width) };
        let covers = |y: usize| {
            taken.iter().any(|&(left, top)| x.abs_diff(left) < width + 2 && y.abs_diff(top) < CHIP_HEIGHT + 2)
        };
        while covers(y) {
            y += 1;
        }
        taken.push((x, y));
        scene.chip(canvas, x, y, mover.code);
    }
}
