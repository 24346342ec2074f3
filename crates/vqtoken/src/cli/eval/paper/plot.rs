//! Accuracy over visual tokens as an SVG.

use std::fmt::Write;

use vqtoken_eval::Report;

const SIZE: [f64; 2] = [960.0, 560.0];
/// Left, right, top and bottom of the area with points.
const AREA: [f64; 4] = [64.0, 690.0, 48.0, 500.0];
/// Distinguishable with colour blindness (Okabe and Ito), then greys and mixtures.
const COLOURS: [&str; 16] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#8c6d31", "#637939",
    "#ad494a", "#5f5f5f", "#9e9e9e", "#000000", "#17becf", "#7b4173", "#b5cf6b",
];

/// Points of one colour, joined from left to right.
pub(super) struct Series {
    pub(super) label: String,
    pub(super) points: Vec<Point>,
}

/// An accuracy in percent and its interval, at some mean number of tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    tokens: f64,
    accuracy: f64,
    interval: Option<[f64; 2]>,
}

impl Point {
    /// None for what read no tokens.
    pub(super) fn of(report: &Report) -> Option<Self> {
        let (tokens, accuracy) = (report.tokens_mean, report.accuracy);
        (tokens > 0.0).then_some(Self { tokens, accuracy, interval: report.accuracy_interval })
    }
}

/// A dashed line across, such as what guessing gives.
pub(super) struct Level {
    pub(super) label: String,
    pub(super) accuracy: f64,
}

/// From tokens, on a logarithmic axis, and accuracies to the page.
struct Scale {
    tokens: [f64; 2],
    accuracy: [f64; 2],
}

impl Scale {
    fn new(series: &[Series], levels: &[Level]) -> Self {
        let points = || series.iter().flat_map(|series| &series.points);
        let ends = points().flat_map(|point| point.interval.unwrap_or([point.accuracy; 2]));
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in ends.chain(levels.iter().map(|level| level.accuracy)) {
            (low, high) = (low.min(value), high.max(value));
        }
        let (mut few, mut many) = (f64::INFINITY, f64::NEG_INFINITY);
        for point in points() {
            (few, many) = (few.min(point.tokens.log2().floor()), many.max(point.tokens.log2().ceil()));
        }
        if few > many {
            (few, many) = (0.0, 1.0);
        }
        if low > high {
            (low, high) = (0.0, 100.0);
        }
        let (low, high) = ((low / 10.0).floor() * 10.0, (high / 10.0).ceil() * 10.0);
        let accuracy = [low.max(0.0), high.min(100.0).max(low.max(0.0) + 10.0)];
        Self { tokens: [few, many.max(few + 1.0)], accuracy }
    }

    fn x(&self, tokens: f64) -> f64 {
        let share = (tokens.log2() - self.tokens[0]) / (self.tokens[1] - self.tokens[0]);
        AREA[0] + share * (AREA[1] - AREA[0])
    }

    fn y(&self, accuracy: f64) -> f64 {
        let share = (accuracy - self.accuracy[0]) / (self.accuracy[1] - self.accuracy[0]);
        AREA[3] - share * (AREA[3] - AREA[2])
    }
}

/// Draws series with their 95% intervals, and levels.
pub(super) fn svg(title: &str, series: &[Series], levels: &[Level]) -> String {
    let scale = Scale::new(series, levels);
    let mut page = String::new();
    let [width, height] = SIZE;
    let mut add = |element: String| page.push_str(&(element + "\n"));
    add(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13" fill="#222">"##
    ));
    add(format!(r##"<rect width="{width}" height="{height}" fill="#fff"/>"##));
    add(format!(r#"<text x="{}" y="28" font-size="17">{}</text>"#, AREA[0], escaped(title)));
    add(axes(&scale));
    for (index, level) in levels.iter().enumerate() {
        let y = scale.y(level.accuracy);
        // At either end in turn, so that the labels of two close levels do not overlap.
        let (x, anchor) = if index % 2 == 0 { (AREA[1] - 4.0, "end") } else { (AREA[0] + 4.0, "start") };
        add(format!(
            r##"<line x1="{}" y1="{y:.1}" x2="{}" y2="{y:.1}" stroke="#888" stroke-dasharray="6 4"/>"##,
            AREA[0], AREA[1]
        ));
        add(format!(
            r##"<text x="{x}" y="{:.1}" fill="#666" text-anchor="{anchor}">{}</text>"##,
            y - 5.0,
            escaped(&level.label)
        ));
    }
    for (index, one) in series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        add(drawn(one, colour, &scale));
        let y = AREA[2] + 20.0 * index as f64;
        add(format!(r#"<circle cx="{}" cy="{}" r="5" fill="{colour}"/>"#, AREA[1] + 26.0, y - 4.0));
        add(format!(r#"<text x="{}" y="{y}">{}</text>"#, AREA[1] + 38.0, escaped(&one.label)));
    }
    add("</svg>".to_owned());
    page
}

fn axes(scale: &Scale) -> String {
    let [left, right, top, bottom] = AREA;
    let mut text = String::new();
    let mut accuracy = scale.accuracy[0];
    while accuracy <= scale.accuracy[1] + 1e-9 {
        let y = scale.y(accuracy);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            r##"<line x1="{left}" y1="{y:.1}" x2="{right}" y2="{y:.1}" stroke="#e4e4e4"/><text x="{}" y="{:.1}" text-anchor="end">{accuracy}</text>"##,
            left - 8.0,
            y + 4.0
        );
        accuracy += 10.0;
    }
    let mut power = scale.tokens[0];
    while power <= scale.tokens[1] {
        let x = scale.x(power.exp2());
        let _ = writeln!(
            text,
            r##"<line x1="{x:.1}" y1="{top}" x2="{x:.1}" y2="{bottom}" stroke="#f0f0f0"/><text x="{x:.1}" y="{}" text-anchor="middle">{}</text>"##,
            bottom + 20.0,
            power.exp2()
        );
        power += 1.0;
    }
    let _ = writeln!(
        text,
        r#"<text x="{:.1}" y="{}" text-anchor="middle">visual tokens that the language model reads</text>"#,
        (left + right) / 2.0,
        bottom + 44.0
    );
    let _ = write!(
        text,
        r#"<text x="20" y="{0:.1}" text-anchor="middle" transform="rotate(-90 20 {0:.1})">accuracy, percent, with 95% intervals</text>"#,
        (top + bottom) / 2.0
    );
    text
}

fn drawn(series: &Series, colour: &str, scale: &Scale) -> String {
    let mut points = series.points.clone();
    points.sort_by(|a, b| a.tokens.total_cmp(&b.tokens));
    let vertices =
        points.iter().map(|point| format!("{:.1},{:.1}", scale.x(point.tokens), scale.y(point.accuracy)));
    let mut text = format!(
        r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#,
        vertices.collect::<Vec<_>>().join(" ")
    );
    for point in &points {
        let (x, y) = (scale.x(point.tokens), scale.y(point.accuracy));
        if let Some([low, high]) = point.interval {
            let (low, high) = (scale.y(low), scale.y(high));
            let _ = write!(
                text,
                r#"<line x1="{x:.1}" y1="{low:.1}" x2="{x:.1}" y2="{high:.1}" stroke="{colour}" stroke-opacity="0.5"/>"#
            );
        }
        let _ = write!(
            text,
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="{colour}"><title>{}: {:.2}% at {:.2} tokens</title></circle>"#,
            escaped(&series.label),
            point.accuracy,
            point.tokens
        );
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_drawn_at_their_tokens_and_accuracy() {
        let point =
            |tokens, accuracy| Point { tokens, accuracy, interval: Some([accuracy - 2.0, accuracy + 2.0]) };
        let series = [Series { label: "a & <b>".into(), points: vec![point(32.0, 50.0), point(8.0, 40.0)] }];
        let levels = [Level { label: "chance".into(), accuracy: 20.0 }];
        let scale = Scale::new(&series, &levels);
        assert_eq!((scale.tokens, scale.accuracy), ([3.0, 5.0], [20.0, 60.0]));
        assert_eq!((scale.x(8.0), scale.x(32.0)), (AREA[0], AREA[1]));
        assert_eq!((scale.y(20.0), scale.y(60.0)), (AREA[3], AREA[2]));
        let page = svg("t", &series, &levels);
        // From left to right, whatever the order.
        assert!(page.contains(r#"points="64.0,274.0 690.0,161.0""#), "{page}");
        assert!(page.contains("a &amp; &lt;b&gt;") && page.contains("chance"));
    }

    #[test]
    fn an_empty_plot_is_valid() {
        let page = svg("empty", &[], &[]);
        assert!(page.starts_with("<svg") && !page.contains("NaN") && !page.contains("inf"), "{page}");
    }
}
