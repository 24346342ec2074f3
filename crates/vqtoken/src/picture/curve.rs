//! The curve by which an adaptive budget chose its number of codes, and why it is that number.

use image::RgbImage;
use vqtoken_core::{Budget, CurvePoint, QuantizerStats, Rule};

use super::PictureError;
use super::axis::{Axis, digits};
use super::canvas::{BACKGROUND, Canvas, Colour, FAINT, LINE, PANEL, Point, Rect, TEXT, mix};
use super::text::Face;
use super::{GAP, MARGIN, SECTION_GAP};
use crate::figures::{grouped, percent};

const WIDTH: usize = 1200;
/// Of the box that the points are in.
const BOX_HEIGHT: usize = 300;
const TITLE_HEIGHT: usize = 24;
/// Below a box: the numbers of codes.
const FOOT: usize = 24;
/// Left of a box: the values.
const LEFT: usize = 90;
/// Between the edge of a box and the outermost points.
const INSET: f64 = 18.0;

const POINTS: Colour = [104, 170, 240];
const CHOSEN: Colour = [255, 214, 102];
const RULE: Colour = [238, 122, 108];

/// One quantity over the number of codes.
struct Panel {
    title: &'static str,
    about: String,
    /// One for each point of the curve.
    values: Vec<f64>,
    /// What the rule compares the points with: a straight line between two (codes, value), and what it is.
    line: Option<([[f64; 2]; 2], String)>,
    /// Where on that line the distance to the chosen point is drawn from, if it is.
    gap: Option<f64>,
}

/// Draws the curve of a quantization with an adaptive budget of `tokens` tokens: what the rule looked at, the distortion,
/// and the K that was chosen. `name` says what was quantized. The same input gives the same pixels.
///
/// # Errors
/// If there is no curve: a fixed budget has none.
pub fn draw_curve(
    stats: &QuantizerStats,
    budget: &Budget,
    name: &str,
    tokens: usize,
) -> Result<RgbImage, PictureError> {
    let Budget::Adaptive { rule, .. } = *budget else { return Err(PictureError::NoCurve) };
    if stats.curve.is_empty() {
        return Err(PictureError::NoCurve);
    }
    let chosen = stats
        .curve
        .iter()
        .position(|point| point.codes == stats.codes)
        .unwrap_or_else(|| rule.choose(&stats.curve, stats.variance));
    let panels = panels(&stats.curve, stats.variance, rule, chosen);

    let head = Face::Title.height() + 8 + Face::Small.height() + 4;
    let panel_height = TITLE_HEIGHT + BOX_HEIGHT + FOOT;
    let height = head + panels.len() * (panel_height + SECTION_GAP) + Face::Small.height();
    let mut canvas = Canvas::new(WIDTH, 2 * MARGIN + height - GAP);
    header(&mut canvas, stats, budget, name, tokens);
    let mut y = MARGIN + head + SECTION_GAP;
    for panel in &panels {
        let rect = Rect {
            x: MARGIN + LEFT,
            y: y + TITLE_HEIGHT,
            width: WIDTH - 2 * MARGIN - LEFT,
            height: BOX_HEIGHT,
        };
        draw_panel(&mut canvas, panel, &stats.curve, chosen, rect);
        y += panel_height + SECTION_GAP;
    }
    canvas.text_ending(WIDTH - MARGIN, y - SECTION_GAP + 6, "codes K", Face::Small, FAINT);
    Ok(canvas.into_image())
}

fn header(canvas: &mut Canvas, stats: &QuantizerStats, budget: &Budget, name: &str, tokens: usize) {
    let right = WIDTH - MARGIN;
    let chosen = format!("K = {}", stats.codes);
    canvas.text_ending(right, MARGIN, &chosen, Face::Title, CHOSEN);
    let room = right - MARGIN - Face::Title.width(&chosen) - GAP;
    canvas.text(MARGIN, MARGIN, &Face::Title.fit(name, room), Face::Title, TEXT);
    let facts = format!("budget {budget}  ·  {} tokens  ·  why this number of codes", grouped(tokens));
    let y = MARGIN + Face::Title.height() + 8;
    canvas.text(MARGIN, y, &Face::Small.fit(&facts, right - MARGIN), Face::Small, FAINT);
}

/// What the rule looks at, then the distortion if that is something else.
fn panels(curve: &[CurvePoint], variance: f64, rule: Rule, chosen: usize) -> Vec<Panel> {
    let codes = |place: usize| curve[place].codes as f64;
    let last = curve.len() - 1;
    let level = |value: f64| [[codes(0), value], [codes(last), value]];
    let distortion: Vec<f64> = curve.iter().map(|point| point.distortion).collect();
    let mut distortion = Panel {
        title: "distortion",
        about: "sum over tokens of 1 - cosine".to_owned(),
        line: None,
        gap: None,
        values: distortion,
    };
    let values = curve.iter().map(|point| rule.value(point, variance)).collect::<Vec<_>>();
    let at_chosen = values[chosen];
    let of_rule = match rule {
        Rule::Silhouette => Panel {
            title: "silhouette",
            about: "mean over tokens; the best one is chosen".to_owned(),
            line: Some((level(at_chosen), "best".to_owned())),
            gap: None,
            values,
        },
        Rule::Distortion(share) => Panel {
            title: "inertia",
            about: "as a share of the variance; the first at or below the line is chosen".to_owned(),
            line: Some((level(1.0 - share), format!("{} of the variance kept", percent(share)))),
            gap: None,
            values,
        },
        Rule::Bits(price) => {
            let lost = |place: usize| [codes(place), at_chosen - price * (codes(place) - codes(chosen))];
            Panel {
                title: "bits saved less price",
                about: "for each value of a token; the best one is chosen".to_owned(),
                line: (chosen < last).then(|| {
                    ([lost(chosen), lost(last)], format!("{price} bits a code, for codes that save nothing"))
                }),
                gap: None,
                values,
            }
        }
        _ => {
            let ends = [[codes(0), distortion.values[0]], [codes(last), distortion.values[last]]];
            let share = (codes(chosen) - codes(0)) / (codes(last) - codes(0)).max(1.0);
            distortion.gap = Some(ends[0][1] + (ends[1][1] - ends[0][1]) * share);
            distortion.about.push_str("; the point farthest from the chord is chosen");
            distortion.line = Some((ends, "chord".to_owned()));
            return vec![distortion];
        }
    };
    vec![of_rule, distortion]
}

fn draw_panel(canvas: &mut Canvas, panel: &Panel, curve: &[CurvePoint], chosen: usize, rect: Rect) {
    let shown = panel.values.iter().copied();
    // A threshold is shown even where no point comes near; a price may leave the box.
    let level = panel.line.as_ref().filter(|([from, to], _)| from[1] == to[1]).map(|([from, _], _)| from[1]);
    let rows = Axis::over(shown.chain(level), INSET, rect.height as f64 - INSET);
    let columns = Axis::over(curve.iter().map(|point| point.codes as f64), INSET, rect.width as f64 - INSET);
    let place = |codes: f64, value: f64| -> Point {
        let (x, y) = (columns.pixel(codes), rect.height as f64 - rows.pixel(value));
        [(rect.x as f64 + x) as f32, (rect.y as f64 + y) as f32]
    };
    let point = |index: usize| place(curve[index].codes as f64, panel.values[index]);

    canvas.fill(rect, PANEL);
    value_axis(canvas, &rows, rect);
    code_axis(canvas, &columns, curve[chosen].codes, rect);
    let at = point(chosen);
    let bottom = [at[0], (rect.y + rect.height) as f32 - 1.0];
    canvas.line(at, bottom, 1.5, CHOSEN, 0.5);
    if let Some((line, _)) = &panel.line {
        let [from, to] = cut(*line, &rows, rect.height as f64);
        canvas.line(place(from[0], from[1]), place(to[0], to[1]), 2.0, RULE, 0.9);
    }
    if let Some(gap) = panel.gap {
        canvas.line(place(curve[chosen].codes as f64, gap), at, 2.5, CHOSEN, 0.9);
    }
    for index in 1..curve.len() {
        canvas.line(point(index - 1), point(index), 2.0, POINTS, 0.55);
    }
    // Dots of many points must not run into each other.
    let apart =
        if curve.len() > 1 { rect.width as f32 / (curve.len() - 1) as f32 } else { rect.width as f32 };
    for index in 0..curve.len() {
        canvas.disc(point(index), (apart / 3.0).clamp(1.0, 4.5), POINTS);
    }
    canvas.disc(at, 9.0, BACKGROUND);
    canvas.disc(at, 7.0, CHOSEN);
    canvas.outline(rect, LINE);
    title(canvas, panel, curve[chosen].codes, panel.values[chosen], rect);
}

/// The part of a line that is within the height of the box; lines begin within it.
fn cut([from, to]: [[f64; 2]; 2], rows: &Axis, height: f64) -> [[f64; 2]; 2] {
    let (start, end) = (rows.pixel(from[1]), rows.pixel(to[1]));
    let share = ((end.clamp(2.0, height - 2.0) - start) / (end - start)).abs();
    match share < 1.0 {
        true => [from, [0, 1].map(|axis| from[axis] + (to[axis] - from[axis]) * share)],
        false => [from, to],
    }
}

/// What is drawn on the left, what the marks mean on the right, as much as there is room for.
fn title(canvas: &mut Canvas, panel: &Panel, codes: usize, value: f64, rect: Rect) {
    let y = rect.y - TITLE_HEIGHT;
    let mut right = rect.x + rect.width;
    let chosen = format!("K = {codes}: {value:.*}", digits(value / 1000.0));
    let mut mark = |canvas: &mut Canvas, text: &str, colour: Colour, dot: bool| {
        canvas.text_ending(right, y, text, Face::Small, TEXT);
        right -= Face::Small.width(text) + 8;
        let middle = (y + Face::Small.height() / 2) as f32;
        if dot {
            canvas.disc([right as f32 - 7.0, middle], 6.0, colour);
        } else {
            canvas.line([right as f32 - 20.0, middle], [right as f32, middle], 2.5, colour, 1.0);
        }
        right -= 20 + GAP;
    };
    mark(canvas, &chosen, CHOSEN, true);
    if let Some((_, name)) = &panel.line {
        mark(canvas, name, RULE, false);
    }
    canvas.text(MARGIN, y, panel.title, Face::Strong, TEXT);
    let x = MARGIN + Face::Strong.width(panel.title) + Face::Small.advance();
    canvas.text(x, y, &Face::Small.fit(&panel.about, right.saturating_sub(x)), Face::Small, FAINT);
}

fn value_axis(canvas: &mut Canvas, rows: &Axis, rect: Rect) {
    let (ticks, step) = rows.ticks(6, 0.0);
    for value in ticks {
        let y = rect.y + rect.height - (rows.pixel(value).round() as usize).min(rect.height - 1) - 1;
        canvas.fill(Rect { x: rect.x, y, width: rect.width, height: 1 }, mix(PANEL, LINE, 0.6));
        let text = format!("{value:.*}", digits(step));
        canvas.text_ending(rect.x - 8, y - Face::Small.height() / 2, &text, Face::Small, FAINT);
    }
}

/// Numbers of codes below the box; the chosen one as a chip that hides what it would touch.
fn code_axis(canvas: &mut Canvas, columns: &Axis, chosen: usize, rect: Rect) {
    let y = rect.y + rect.height + 6;
    let centred = |codes: f64, text: &str| {
        let x = rect.x as f64 + columns.pixel(codes) - Face::Small.width(text) as f64 / 2.0;
        x.max(0.0).round() as usize
    };
    let label = format!("K = {chosen}");
    let width = Face::Strong.width(&label) + 12;
    let left = (centred(chosen as f64, &label).saturating_sub(6)).min(WIDTH - MARGIN - width);
    for value in columns.ticks(12, 1.0).0 {
        let text = format!("{value:.0}");
        let x = centred(value, &text);
        canvas.fill(
            Rect { x: rect.x + columns.pixel(value).round() as usize, y: y - 6, width: 1, height: 5 },
            LINE,
        );
        if x > left + width + 4 || x + Face::Small.width(&text) + 4 < left {
            canvas.text(x, y, &text, Face::Small, FAINT);
        }
    }
    canvas.fill(Rect { x: left, y: y - 2, width, height: Face::Strong.height() + 4 }, CHOSEN);
    canvas.text(left + 6, y, &label, Face::Strong, BACKGROUND);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(curve: Vec<CurvePoint>, codes: usize) -> QuantizerStats {
        QuantizerStats {
            codes,
            distortion: 1.0,
            inertia: 1.0,
            converged: true,
            iterations: vec![],
            curve,
            variance: 100.0,
        }
    }

    fn point(codes: usize, inertia: f64) -> CurvePoint {
        let silhouette = Some(0.1 * inertia.sin());
        CurvePoint { codes, distortion: inertia / 2.0, inertia, silhouette, iterations: 0 }
    }

    fn budget(rule: Rule) -> Budget {
        Budget::Adaptive { min: 1, max: 40, rule }
    }

    const RULES: [Rule; 4] = [Rule::Elbow, Rule::Silhouette, Rule::Distortion(0.9), Rule::Bits(0.02)];

    #[test]
    fn every_rule_and_odd_curves_are_drawn() {
        let falling: Vec<CurvePoint> = (1..=40).map(|codes| point(codes, 100.0 / codes as f64)).collect();
        let many = (1..=3000).map(|codes| point(codes, 1e12 / codes as f64)).collect();
        for curve in
            [falling, many, vec![point(3, 2.0)], vec![point(3, 0.0), point(4, 0.0)], vec![point(1, 1e-30)]]
        {
            for rule in RULES {
                let codes = curve[rule.choose(&curve, 100.0)].codes;
                let stats = stats(curve.clone(), codes);
                let image = draw_curve(&stats, &budget(rule), &"long".repeat(100), 5000).unwrap();
                assert_eq!(image, draw_curve(&stats, &budget(rule), &"long".repeat(100), 5000).unwrap());
                let marked = image.pixels().filter(|pixel| pixel.0 == CHOSEN).count();
                assert!(marked > 500, "{rule}: {marked}");
                // Nothing but the background at the edges: no text is cut there.
                let (width, height) = image.dimensions();
                let edge = |x, y| x < 8 || y < 20 || x + 20 > width || y + 8 > height;
                let clean =
                    image.enumerate_pixels().all(|(x, y, pixel)| !edge(x, y) || pixel.0 == BACKGROUND);
                assert!(clean, "{rule} {}", curve.len());
            }
        }
    }

    #[test]
    fn the_best_value_is_what_the_rule_chooses() {
        let curve: Vec<CurvePoint> = (1..=40).map(|codes| point(codes, 100.0 / codes as f64)).collect();
        let values =
            |rule| -> Vec<f64> { curve.iter().map(|point| Rule::value(&rule, point, 100.0)).collect() };
        for rule in [Rule::Silhouette, Rule::Bits(0.02)] {
            let values = values(rule);
            let best = values[rule.choose(&curve, 100.0)];
            assert!(values.iter().all(|&value| value <= best), "{rule}");
        }
        let rule = Rule::Distortion(0.93);
        let (chosen, values) = (rule.choose(&curve, 100.0), values(rule));
        assert!(values[chosen] < 0.07 && values[chosen - 1] > 0.07);
    }

    #[test]
    fn a_fixed_budget_has_no_curve() {
        let stats = stats(vec![], 32);
        for budget in [Budget::Fixed(32), Budget::PAPER_ADAPTIVE] {
            let error = draw_curve(&stats, &budget, "clip.mp4", 100).unwrap_err();
            assert!(error.to_string().contains("adaptive"), "{error}");
        }
    }
}
