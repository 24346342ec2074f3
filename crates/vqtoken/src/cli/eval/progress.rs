//! How far an evaluation is: a bar on a terminal, a line every minute elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use crate::figures;
use indicatif::{ProgressBar, ProgressStyle};
use vqtoken_eval::Progress;

use super::super::output;

/// Between two lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// The progress of all runs together.
pub(super) struct Bar {
    bar: ProgressBar,
    names: Vec<String>,
    start: Instant,
    last_line: Instant,
}

impl Bar {
    /// A bar for runs of these names.
    pub(super) fn new(names: Vec<String>) -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {eta} left");
        let bar = match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        Self { bar, names, start: Instant::now(), last_line: Instant::now() }
    }

    /// Shows how far all runs are after a question of run `run`.
    pub(super) fn show(&mut self, run: usize, states: &[Progress]) {
        let sum = |of: fn(&Progress) -> usize| states.iter().map(of).sum::<usize>();
        let (done, resumed, total) =
            (sum(|state| state.done), sum(|state| state.resumed), sum(|state| state.total));
        if self.bar.length() == Some(0) {
            self.bar.set_length(total as u64);
            self.bar.set_position(resumed as u64);
            self.bar.reset_eta();
            if resumed > 0 {
                output::note(format_args!("{resumed} of {total} questions are answered already"));
            }
        }
        let name = self.names.get(run).map(String::as_str).unwrap_or_default();
        let message = states.get(run).map(|state| describe(name, state)).unwrap_or_default();
        self.bar.set_position(done as u64);
        if !stderr().is_terminal() && self.last_line.elapsed() > BETWEEN_LINES {
            self.last_line = Instant::now();
            let each = self.start.elapsed().as_secs_f64() / (done - resumed).max(1) as f64;
            let left = figures::clock(each * total.saturating_sub(done) as f64);
            output::note(format_args!("{done} of {total}, {message}, {left} left"));
        }
        self.bar.set_message(message);
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A run and the accuracy so far.
fn describe(name: &str, state: &Progress) -> String {
    let accuracy = 100.0 * state.correct as f64 / state.scored.max(1) as f64;
    let failed = if state.failed > 0 { format!(", {} failed", state.failed) } else { String::new() };
    format!("{name} {accuracy:.1}%{failed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_described_by_its_accuracy_and_failures() {
        let state = Progress { done: 5, correct: 2, scored: 4, ..Progress::default() };
        assert_eq!(describe("pooled", &state), "pooled 50.0%");
        assert_eq!(describe("pooled", &Progress { failed: 1, ..state }), "pooled 50.0%, 1 failed");
        assert_eq!(describe("pooled", &Progress::default()), "pooled 0.0%");
    }
}
