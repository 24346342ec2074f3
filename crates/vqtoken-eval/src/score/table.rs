//! A report for people: aligned text.

use std::fmt;

use super::report::Report;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  {}", self.task, self.settings)?;
        let header = ["", "", "questions", "accuracy", "95%"].map(String::from);
        let whole = score_row("all", "", self.questions, self.accuracy, self.accuracy_interval);
        let rows = self.facets.iter().flat_map(|facet| {
            let row = |score: &super::report::Score| {
                score_row(
                    &facet.facet,
                    &score.value,
                    score.questions,
                    score.accuracy,
                    score.accuracy_interval,
                )
            };
            facet.scores.iter().map(row).collect::<Vec<_>>()
        });
        let rows: Vec<_> = [header.to_vec(), whole].into_iter().chain(rows).collect();
        f.write_str(&aligned(&rows, 2))?;
        let classes = &self.classes;
        writeln!(
            f,
            "answers: {} right, {} wrong, {} unparsed ({} several, {} declined, {} empty, {} unreadable), {} failed",
            classes.correct,
            classes.wrong,
            classes.unparsed(),
            classes.several,
            classes.declined,
            classes.empty,
            classes.unreadable,
            classes.failed
        )?;
        if let Some(chance) = self.chance {
            writeln!(f, "chance: {chance:.2}")?;
        }
        if self.tokens_mean > 0.0 {
            let dense = interval(self.tok_dense_interval, 3);
            writeln!(
                f,
                "visual tokens: {:.2} on average, TokDense {:.3} {dense}",
                self.tokens_mean, self.tok_dense
            )?;
        }
        stages(f, "seconds", self.seconds_mean.named(), self.seconds_mean_total, 1.0)?;
        stages(f, "TFLOP", self.flops_mean.named(), self.flops_mean_total, 1e12)?;
        if self.without_answer > 0 {
            writeln!(f, "without public answer: {} questions, not scored", self.without_answer)?;
        }
        if self.not_asked > 0 {
            writeln!(f, "not asked: {} questions", self.not_asked)?;
        }
        if !self.missing_videos.is_empty() {
            let names: Vec<_> =
                self.missing_videos.iter().take(10).map(|video| video.video.as_str()).collect();
            let more = if self.missing_videos.len() > 10 { ", …" } else { "" };
            let questions: usize = self.missing_videos.iter().map(|video| video.questions).sum();
            let count = self.missing_videos.len();
            writeln!(f, "missing videos: {count} ({questions} questions): {}{more}", names.join(", "))?;
        }
        for failure in self.failures.iter().take(5) {
            writeln!(f, "failed: {}: {}", failure.id, failure.reason)?;
        }
        Ok(())
    }
}

fn stages(
    f: &mut fmt::Formatter<'_>,
    unit: &str,
    named: [(&str, f64); 7],
    total: f64,
    per_unit: f64,
) -> fmt::Result {
    let parts = named.iter().filter(|(_, value)| *value != 0.0);
    let parts: Vec<_> = parts.map(|(name, value)| format!("{name} {:.3}", value / per_unit)).collect();
    if parts.is_empty() {
        Ok(())
    } else {
        writeln!(f, "{unit}: {:.3} ({})", total / per_unit, parts.join(", "))
    }
}

fn score_row(
    facet: &str,
    value: &str,
    questions: usize,
    accuracy: f64,
    ends: Option<[f64; 2]>,
) -> Vec<String> {
    vec![facet.into(), value.into(), questions.to_string(), format!("{accuracy:.2}"), interval(ends, 2)]
}

pub(super) fn interval(ends: Option<[f64; 2]>, digits: usize) -> String {
    ends.map_or_else(|| "-".into(), |[low, high]| format!("[{low:.digits$}, {high:.digits$}]"))
}

/// Columns of equal width: the first `left` to the left, the others to the right, two blanks between them.
pub(super) fn aligned(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cell = |(column, cell): (usize, &String)| {
            let width = widths[column];
            if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        };
        let line = row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
