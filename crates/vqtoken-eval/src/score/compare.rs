//! Comparing runs over the same questions.

use std::collections::BTreeMap;

use serde::Serialize;

use super::interval::clustered_mean;
use super::report::Report;
use super::table::{aligned, interval};
use crate::sample::Sample;

/// How much better one run is than another, on the questions that both have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Accuracy of the first less that of the second, in points of percent.
    pub points: f64,
    /// The 95% interval of the paired difference, clustered by video.
    pub points_interval: Option<[f64; 2]>,
    /// The questions.
    pub questions: usize,
    /// Only the first is right.
    pub won: usize,
    /// Only the second is right.
    pub lost: usize,
}

/// Compares two runs question by question, which is sharper than comparing their intervals, since the same questions are hard for
/// both. None without common questions.
pub fn paired_difference(first: &[Sample], second: &[Sample]) -> Option<Difference> {
    let others: BTreeMap<&str, f64> =
        second.iter().filter_map(|sample| Some((sample.doc_hash.as_str(), sample.exact_match?))).collect();
    let pairs: Vec<(&str, f64)> = first
        .iter()
        .filter_map(|sample| {
            Some((sample.video.as_str(), sample.exact_match? - others.get(sample.doc_hash.as_str())?))
        })
        .collect();
    let mean = clustered_mean(pairs.iter().copied())?;
    Some(Difference {
        points: 100.0 * mean.value,
        points_interval: mean.interval.map(|ends| ends.map(|end| 100.0 * end)),
        questions: pairs.len(),
        won: pairs.iter().filter(|(_, difference)| *difference > 0.0).count(),
        lost: pairs.iter().filter(|(_, difference)| *difference < 0.0).count(),
    })
}

/// One row for each run: tokens, TFLOP, seconds, accuracy and TokDense, as the paper's Table 1 has them.
pub fn comparison_table(reports: &[Report]) -> String {
    let header = ["", "tokens", "TFLOP", "seconds", "accuracy", "95%", "TokDense", "unparsed", "failed"];
    let row = |report: &Report| {
        vec![
            report.settings.clone(),
            format!("{:.2}", report.tokens_mean),
            format!("{:.3}", report.flops_mean_total / 1e12),
            format!("{:.3}", report.seconds_mean_total),
            format!("{:.2}", report.accuracy),
            interval(report.accuracy_interval, 2),
            format!("{:.3}", report.tok_dense),
            report.classes.unparsed().to_string(),
            report.classes.failed.to_string(),
        ]
    };
    let rows: Vec<_> =
        [header.map(String::from).to_vec()].into_iter().chain(reports.iter().map(row)).collect();
    aligned(&rows, 1)
}
