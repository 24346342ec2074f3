//! The scores of a row.

use vqtoken_eval::{Difference, Report};

use super::super::trial::Trial;
use super::plan::{Role, Row};

/// A trial's scores.
pub(super) struct Outcome {
    pub(super) role: Role,
    pub(super) trial: Trial,
    pub(super) report: Report,
    /// To the unreduced model; none for itself, or without it.
    pub(super) difference: Option<Difference>,
}

impl Outcome {
    /// Whether it is what a row asks for.
    pub(super) fn is_of(&self, row: &Row) -> bool {
        self.role == row.role && self.trial.reading.to_string() == row.reading.to_string()
    }

    /// Seconds and operations of the reducer, VQ-attention included.
    pub(super) fn module(&self) -> (f64, f64) {
        let (seconds, flops) = (&self.report.seconds_mean, &self.report.flops_mean);
        (seconds.quantize + seconds.attention, flops.quantize + flops.attention)
    }

    /// Seconds and operations of the language model.
    pub(super) fn language(&self) -> (f64, f64) {
        let (seconds, flops) = (&self.report.seconds_mean, &self.report.flops_mean);
        (seconds.prefill + seconds.generation, flops.prefill + flops.generation)
    }

    /// Why there are no scores, if all questions failed.
    pub(super) fn failure(&self) -> Option<&str> {
        let all = self.report.questions > 0 && self.report.classes.failed == self.report.questions;
        self.report.failures.first().filter(|_| all).map(|failure| failure.reason.as_str())
    }

    /// As JSON.
    pub(super) fn record(&self) -> serde_json::Value {
        serde_json::json!({
            "model": self.role.name(),
            "reading": self.trial.reading.to_string(),
            "difference_to_unreduced": self.difference,
            "report": self.report,
        })
    }
}

/// The outcome of a row, if it ran.
pub(super) fn of<'a>(outcomes: &'a [Outcome], row: &Row) -> Option<&'a Outcome> {
    outcomes.iter().find(|outcome| outcome.is_of(row))
}
