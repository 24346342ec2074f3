//! What was made from what: the video, tokens before and after, and how.

use super::canvas::{BACKGROUND, Canvas, FAINT, TEXT, mix};
use super::text::Face;
use super::{GAP, Scene};
use crate::figures::{clock, grouped, percent};

const SEPARATOR: &str = "  ·  ";
const LINE_GAP: usize = 8;

pub(super) fn draw(scene: &Scene) -> Canvas {
    let tokens = scene.tokens;
    let (before, after) = (tokens.index_map.shape().len(), scene.hash.codes());
    let counts = format!("{} -> {} tokens", grouped(before), grouped(after));
    let share = format!(" ({})", percent(after as f64 / before as f64));
    let lines = wrap(&facts(scene), scene.width);
    let mut canvas =
        Canvas::new(scene.width, Face::Title.height() + LINE_GAP + lines.len() * (Face::Small.height() + 4));

    let split = scene.width.saturating_sub(Face::Title.width(&share));
    canvas.text(split, 0, &share, Face::Title, FAINT);
    canvas.text_ending(split, 0, &counts, Face::Title, mix(BACKGROUND, [255, 214, 102], 0.95));
    let room = split.saturating_sub(Face::Title.width(&counts) + GAP);
    let name = tokens.source.as_ref().map_or("video tokens", |source| source.name.as_str());
    canvas.text(0, 0, &Face::Title.fit(name, room), Face::Title, TEXT);
    for (row, line) in lines.iter().enumerate() {
        let y = Face::Title.height() + LINE_GAP + row * (Face::Small.height() + 4);
        canvas.text(0, y, &Face::Small.fit(line, scene.width), Face::Small, FAINT);
    }
    canvas
}

fn facts(scene: &Scene) -> Vec<String> {
    let tokens = scene.tokens;
    let shape = tokens.index_map.shape();
    let mut facts = vec![
        format!("grid {} × {} × {} (frames × rows × columns)", shape.frames, shape.height, shape.width),
        format!("{} codes of {} channels", tokens.codebook.codes(), tokens.codebook.dim()),
        format!("budget {}", tokens.budget),
    ];
    if let Some(source) = &tokens.source {
        facts.push(format!("{} of {} × {} pixels", clock(source.duration), source.width, source.height));
    }
    if !tokens.model.is_empty() {
        facts.push(format!("model {}", tokens.model));
    }
    facts
}

/// As many facts on each line as it holds.
fn wrap(facts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for fact in facts {
        match lines.last_mut() {
            Some(line)
                if Face::Small.width(line) + Face::Small.width(SEPARATOR) + Face::Small.width(fact)
                    <= width =>
            {
                line.push_str(SEPARATOR);
                line.push_str(fact);
            }
            _ => lines.push(fact.clone()),
        }
    }
    lines
}
