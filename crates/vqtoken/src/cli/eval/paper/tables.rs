//! The tables as Markdown.

use vqtoken_eval::{Difference, Report};

use super::super::reading::Condition;
use super::outcome::{Outcome, of};
use super::plan::{BUDGETS, Columns, Row, Table};

/// Rows and columns of text.
pub(super) struct Grid {
    rows: Vec<Vec<String>>,
}

impl Grid {
    pub(super) fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    pub(super) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// A Markdown table, its first column to the left and the others to the right.
    pub(super) fn markdown(&self) -> String {
        let line = |row: &Vec<String>| {
            let cells = row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " "));
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let columns = self.rows.first().map_or(0, Vec::len);
        let rule: Vec<&str> = (0..columns).map(|column| if column == 0 { "---" } else { "---:" }).collect();
        let mut lines = self.rows.iter().map(line);
        let header = lines.next().unwrap_or_default();
        format!("{header}| {} |\n{}", rule.join(" | "), lines.collect::<String>())
    }
}

impl Table {
    /// Heading, explanation and rows; rows that did not run are left out. None without any row.
    pub(super) fn markdown(&self, outcomes: &[Outcome]) -> Option<String> {
        let rows: Vec<(&Row, &Outcome)> =
            self.rows.iter().filter_map(|row| Some((row, of(outcomes, row)?))).collect();
        if rows.is_empty() {
            return None;
        }
        let grid = match self.columns {
            Columns::Accuracy => accuracies(&rows),
            Columns::Cost => costs(&rows),
            Columns::Budgets => budgets(&rows),
        };
        Some(format!("## {}\n\n{}\n\n{}", self.title, self.text, grid.markdown()))
    }
}

fn accuracies(rows: &[(&Row, &Outcome)]) -> Grid {
    let mut grid = Grid::new(&[
        "",
        "frames",
        "tokens",
        "accuracy",
        "less unreduced",
        "TokDense",
        "unparsed",
        "failed",
        "paper: tokens",
        "paper: accuracy",
    ]);
    for (row, outcome) in rows {
        let report = &outcome.report;
        let mut cells = vec![row.label.clone(), frames(row)];
        cells.extend(scores(outcome));
        cells.push(report.classes.unparsed().to_string());
        cells.push(report.classes.failed.to_string());
        cells.extend(published(row));
        grid.push(cells);
    }
    grid
}

fn costs(rows: &[(&Row, &Outcome)]) -> Grid {
    let mut grid = Grid::new(&[
        "",
        "frames",
        "tokens",
        "accuracy",
        "less unreduced",
        "TokDense",
        "reducer GFLOP",
        "reducer s",
        "language GFLOP",
        "language s",
        "all s",
        "paper: tokens",
        "paper: accuracy",
    ]);
    for (row, outcome) in rows {
        let mut cells = vec![row.label.clone(), frames(row)];
        cells.extend(scores(outcome));
        for (seconds, flops) in [outcome.module(), outcome.language()] {
            cells.push(format!("{:.3}", flops / 1e9));
            cells.push(format!("{seconds:.3}"));
        }
        cells.push(format!("{:.3}", outcome.report.seconds_mean_total));
        cells.extend(published(row));
        grid.push(cells);
    }
    grid
}

/// One line for each label; tokens are shown where they are not the budget.
fn budgets(rows: &[(&Row, &Outcome)]) -> Grid {
    let mut header = vec![String::new()];
    header.extend(BUDGETS.map(|budget| format!("{budget} tokens")));
    header.extend(BUDGETS.map(|budget| format!("less unreduced, {budget}")));
    header.push("paper".to_owned());
    let mut grid = Grid { rows: vec![header] };
    for line in rows.chunk_by(|(a, _), (b, _)| a.label == b.label) {
        let mut cells = vec![line[0].0.label.clone()];
        let at = |budget| line.iter().find(|(row, _)| row.reading.source.budget() == Some(budget));
        for budget in BUDGETS {
            let cell = at(budget).map(|(_, outcome)| {
                let tokens = outcome.report.tokens_mean;
                let is_met = (tokens - budget as f64).abs() < 0.005 || outcome.failure().is_some();
                format!(
                    "{}{}",
                    accuracy(outcome),
                    if is_met { String::new() } else { format!(" at {tokens:.2}") }
                )
            });
            cells.push(cell.unwrap_or_else(none));
        }
        for budget in BUDGETS {
            let difference = at(budget).and_then(|(_, outcome)| outcome.difference);
            cells.push(difference.as_ref().map_or_else(none, points));
        }
        let published = line.iter().filter_map(|(row, _)| row.paper);
        let published: Vec<String> = published.map(|(accuracy, _)| format!("{accuracy}")).collect();
        cells.push(if published.is_empty() { none() } else { published.join(" / ") });
        grid.push(cells);
    }
    grid
}

/// Tokens, accuracy, difference and TokDense.
fn scores(outcome: &Outcome) -> [String; 4] {
    let report = &outcome.report;
    let dense = format!("{:.3}{}", report.tok_dense, interval(report.tok_dense_interval, 3));
    let has_tokens = report.tokens_mean > 0.0;
    [
        if outcome.failure().is_some() { none() } else { format!("{:.2}", report.tokens_mean) },
        accuracy(outcome),
        outcome.difference.as_ref().map_or_else(none, points),
        if has_tokens { dense } else { none() },
    ]
}

fn accuracy(outcome: &Outcome) -> String {
    let report = &outcome.report;
    match outcome.failure() {
        Some(_) => "failed".to_owned(),
        None => format!("{:.2}{}", report.accuracy, interval(report.accuracy_interval, 1)),
    }
}

/// How many frames the model sees.
fn frames(row: &Row) -> String {
    match row.reading.condition {
        Condition::Whole | Condition::Shuffled => row.reading.frames.to_string(),
        Condition::SingleFrame => "1".to_owned(),
        Condition::Blind => none(),
    }
}

fn published(row: &Row) -> [String; 2] {
    match row.paper {
        Some((accuracy, tokens)) => [format!("{tokens}"), format!("{accuracy}")],
        None => [none(), none()],
    }
}

/// A paired difference in points of percent, with its interval.
pub(in super::super) fn points(difference: &Difference) -> String {
    let ends = difference.points_interval.map(|[low, high]| format!(" [{low:+.1}, {high:+.1}]"));
    format!("{:+.2}{}", difference.points, ends.unwrap_or_default())
}

fn interval(ends: Option<[f64; 2]>, digits: usize) -> String {
    ends.map(|[low, high]| format!(" [{low:.digits$}, {high:.digits$}]")).unwrap_or_default()
}

fn none() -> String {
    "–".to_owned()
}

/// Accuracy by type and whatever else the benchmark distinguishes, a column for each of these outcomes.
pub(super) fn by_type(columns: &[(&str, &Outcome)]) -> String {
    let mut header = vec!["", "questions"];
    header.extend(columns.iter().map(|(label, _)| *label));
    let mut grid = Grid::new(&header);
    let first: Option<&Report> = columns.first().map(|(_, outcome)| &outcome.report);
    for facet in first.into_iter().flat_map(|report| &report.facets) {
        for score in &facet.scores {
            let mut cells = vec![format!("{} {}", facet.facet, score.value), score.questions.to_string()];
            cells.extend(columns.iter().map(|(_, outcome)| {
                let score = outcome.report.score(&facet.facet, &score.value);
                score.map_or_else(none, |score| {
                    format!("{:.1}{}", score.accuracy, interval(score.accuracy_interval, 0))
                })
            }));
            grid.push(cells);
        }
    }
    grid.markdown()
}

/// Everything that ran, in one table.
pub(super) fn everything(outcomes: &[Outcome]) -> String {
    let mut grid = Grid::new(&[
        "model: reading",
        "tokens",
        "accuracy",
        "less unreduced",
        "TokDense",
        "unparsed",
        "failed",
        "GFLOP",
        "s",
    ]);
    for outcome in outcomes {
        let report = &outcome.report;
        let mut cells = vec![format!("{}: {}", outcome.role.name(), outcome.trial.reading)];
        cells.extend(scores(outcome));
        cells.push(report.classes.unparsed().to_string());
        cells.push(report.classes.failed.to_string());
        cells.push(format!("{:.3}", report.flops_mean_total / 1e9));
        cells.push(format!("{:.3}", report.seconds_mean_total));
        grid.push(cells);
    }
    grid.markdown()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_a_markdown_table() {
        let mut grid = Grid::new(&["", "a"]);
        grid.push(vec!["x|y".into(), "1".into()]);
        assert_eq!(grid.markdown(), "|  | a |\n| --- | ---: |\n| x\\|y | 1 |\n");
    }

    #[test]
    fn differences_have_signs() {
        let difference =
            Difference { points: 1.234, points_interval: Some([-0.5, 3.0]), questions: 9, won: 2, lost: 1 };
        assert_eq!(points(&difference), "+1.23 [-0.5, +3.0]");
        assert_eq!(points(&Difference { points_interval: None, ..difference }), "+1.23");
    }
}
