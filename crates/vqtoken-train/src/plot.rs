//! A stage's log as a plot: the loss of every step, smoothed, and the measures of validations.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::TrainError;
use crate::metrics::read_metrics;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 44.0;
const COLOURS: [&str; 8] =
    ["#1f6fb2", "#d1603d", "#3a8f5c", "#8456a6", "#b2852b", "#4c9aa8", "#a8456f", "#6b6b6b"];

/// A line of a chart.
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Plots a stage's log as SVG: losses above, the other measures of validations below, from 0 to 1.
///
/// # Errors
///
/// If the log cannot be read, or the plot not written.
pub fn plot_metrics(log: &Path, svg_file: &Path, title: &str) -> Result<(), TrainError> {
    let lines = read_metrics(log)?;
    let (validations, steps): (Vec<_>, Vec<_>) =
        lines.iter().partition(|line| line.contains_key("validation"));
    let mut losses = vec![smoothed(series(&steps, "loss", "training loss"))];
    losses.push(series(&validations, "loss", "validation loss"));
    let mut names: Vec<&String> = validations.iter().flat_map(|line| line.keys()).collect();
    names.sort();
    names.dedup();
    let shares: Vec<Series> = names
        .into_iter()
        .filter(|name| !["step", "validation"].contains(&name.as_str()) && !name.contains("loss"))
        .map(|name| series(&validations, name, name))
        .collect();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        WIDTH + LEFT + 190.0,
        2.0 * (HEIGHT + TOP) + 40.0
    );
    chart(&mut svg, 0.0, &format!("{title}: loss"), &losses, None);
    chart(&mut svg, HEIGHT + TOP + 10.0, &format!("{title}: validation"), &shares, Some(1.0));
    svg.push_str("</svg>\n");
    Ok(vqtoken_files::write(svg_file, svg)?)
}

fn series(lines: &[&Map<String, Value>], key: &str, name: &str) -> Series {
    let point = |line: &&Map<String, Value>| Some((line.get("step")?.as_f64()?, line.get(key)?.as_f64()?));
    Series { name: name.to_owned(), points: lines.iter().filter_map(point).collect() }
}

/// An exponential moving average over about a fiftieth of the log.
fn smoothed(series: Series) -> Series {
    let share = (50.0 / series.points.len().max(1) as f64).clamp(0.005, 1.0);
    let mut mean = series.points.first().map_or(0.0, |(_, value)| *value);
    let points = series.points.into_iter().map(|(step, value)| {
        mean += share * (value - mean);
        (step, mean)
    });
    Series { name: series.name, points: points.collect() }
}

fn chart(svg: &mut String, y: f64, title: &str, all: &[Series], top: Option<f64>) {
    let points = || all.iter().flat_map(|series| &series.points);
    let last = points().map(|(step, _)| *step).fold(1.0, f64::max);
    let highest = top.unwrap_or_else(|| points().map(|(_, value)| *value).fold(1e-9, f64::max));
    let at = |(step, value): (f64, f64)| {
        (LEFT + step / last * WIDTH, y + TOP + HEIGHT * (1.0 - (value / highest).clamp(0.0, 1.0)))
    };
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\" font-size=\"14\">{}</text>", y + 24.0, escaped(title));
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        let (x, line) = (LEFT + share * WIDTH, y + TOP + HEIGHT * (1.0 - share));
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {line}H{}\" stroke=\"#dddddd\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.3}</text>\
             <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{:.0}</text>",
            LEFT + WIDTH,
            LEFT - 6.0,
            line + 4.0,
            share * highest,
            y + TOP + HEIGHT + 16.0,
            share * last
        );
    }
    for (index, series) in all.iter().filter(|series| !series.points.is_empty()).enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let path: Vec<String> =
            series.points.iter().map(|&point| at(point)).map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let legend = y + TOP + 16.0 * index as f64;
        let _ = writeln!(
            svg,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>\
             <text x=\"{}\" y=\"{}\" fill=\"{colour}\">{}</text>",
            path.join("L"),
            LEFT + WIDTH + 12.0,
            legend + 10.0,
            escaped(&series.name)
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
