//! Open answers by a judge: requests out, verdicts in.

use std::path::PathBuf;

use clap::Args;
use vqtoken_eval::{
    JudgeReport, Sample, Task, judge_report, published_activitynet, read_verdicts, write_judge_requests,
};
use vqtoken_files::{Limits, quoted};

use super::super::output;
use super::data::Benchmark;

#[derive(Args, Clone, Debug)]
pub(super) struct JudgeArguments {
    /// Write each answer with its question, the right answer and a prompt, for a judge of your choice
    #[arg(long, value_name = "FILE.jsonl")]
    pub(super) judge_requests: Option<PathBuf>,

    /// Score by what a judge said: lines or a list of `id`, `pred` (yes or no) and `score` (0 to 5)
    #[arg(long, value_name = "FILE")]
    pub(super) verdicts: Option<PathBuf>,
}

impl JudgeArguments {
    /// Whether anything is asked for.
    pub(super) fn is_used(&self) -> bool {
        self.judge_requests.is_some() || self.verdicts.is_some()
    }

    /// Writes requests and reads verdicts.
    pub(super) fn run(
        &self,
        benchmark: &Benchmark,
        samples: &[Sample],
        limits: &Limits,
    ) -> anyhow::Result<Option<JudgeReport>> {
        if let Some(path) = &self.judge_requests {
            let count = write_judge_requests(path, &benchmark.items, samples)?;
            output::note(format_args!("{}: {count} requests", quoted(&path)));
        }
        let verdicts = self.verdicts.as_ref().map(|file| read_verdicts(file, limits)).transpose()?;
        Ok(verdicts.map(|verdicts| judge_report(samples, &verdicts)))
    }
}

/// A judge's scores as text.
pub(super) fn text(report: &JudgeReport) -> String {
    format!(
        "judge: accuracy {:.2}, score {:.3} of 5, {} judged, {} without verdict\n",
        report.accuracy,
        report.score,
        report.judged,
        report.without_verdict.len()
    )
}

/// What ActivityNet-QA's own script prints for these answers; none for other benchmarks.
pub(super) fn published(benchmark: &Benchmark, samples: &[Sample]) -> Option<serde_json::Value> {
    let is_activity_net = benchmark.task == Task::ActivityNetQa;
    let published = is_activity_net.then(|| published_activitynet(&benchmark.items, samples)).flatten()?;
    serde_json::to_value(published).ok()
}
