//! `vqtoken eval TASK`: the scores of one model on one benchmark.

use std::path::{Path, PathBuf};

use crate::{Budget, TrainedInput};
use clap::Args;
use serde_json::{Value, json};
use vqtoken_eval::{Failed, Report, Sample, Task, Videos, comparison_table, paired_difference};

use super::super::{
    BaseArguments, ModelArguments, UsageError, check_folder_of, output, pipeline, refuse_without_effect,
};
use super::data::{Benchmark, DataArguments};
use super::judge::{self, JudgeArguments};
use super::models::LoadedModel;
use super::reading::{Condition, Reading, Source};
use super::trial::Trial;
use super::{Asked, Planned, ask};
use crate::cli::GlobalArguments;

#[derive(Args, Debug)]
pub(super) struct TaskArguments {
    /// nextqa, nextqa-open, activitynetqa, longvideobench, videomme, egoschema, shapes, shapes-letters, shapes-open or llava
    // Optional in type only: beside a subcommand it is not asked for.
    #[arg(value_name = "TASK", required = true)]
    task: Option<Task>,

    #[command(flatten)]
    data: DataArguments,

    #[command(flatten)]
    model: ModelArguments,

    #[command(flatten)]
    base: BaseArguments,

    /// Frames to sample, evenly over the video [default: 32]
    #[arg(long, value_name = "T", value_parser = super::super::at_least_one)]
    frames: Option<usize>,

    /// Codes of `vqtoken` and `codebook`: a number, adaptive, adaptive:RULE or adaptive:RULE:MIN-MAX [default: 32]
    #[arg(long, value_name = "BUDGET")]
    tokens: Option<Budget>,

    /// What stands for the video; several are evaluated in one pass. vqtoken, codebook (bare codes), pooled
    /// (unreduced, as LLaVA-OneVision reads it) [default: vqtoken, or pooled for a model that was trained on it], any other reducer with its budget, such as tome:32 or evs:q=0.9, and
    /// pooled+REDUCER. Reduced tokens keep their own positions, or have 0, 1, 2, .. with @renumbered, as in tome:32@renumbered
    #[arg(long, value_name = "NAME[:AMOUNT]")]
    reducer: Vec<String>,

    /// Ask without the video
    #[arg(long, conflicts_with_all = ["reducer", "single_frame", "shuffle"])]
    blind: bool,

    /// Show only the frame in the middle
    #[arg(long, conflicts_with = "shuffle")]
    single_frame: bool,

    /// Show the frames in a random order, the same for each question of a video
    #[arg(long)]
    shuffle: bool,

    /// Keep each answer as a line of lmms-eval's samples; a later run goes on from there. With several reducers each has a file of
    /// its own, with its name before the extension
    #[arg(long, value_name = "FILE.jsonl")]
    samples: Option<PathBuf>,

    /// Ask again what failed in an earlier run
    #[arg(long, requires = "samples")]
    retry_failed: bool,

    #[command(flatten)]
    judge: JudgeArguments,
}

impl TaskArguments {
    /// Refuses options about videos where none is shown.
    fn refuse_without_effect(&self) -> Result<(), UsageError> {
        let given = match self.blind {
            true => vec![
                ("--frames", self.frames.is_some()),
                ("--tokens", self.tokens.is_some()),
                ("--videos", self.data.videos.is_some()),
            ],
            false => Vec::new(),
        };
        refuse_without_effect(&given, "is about videos, and --blind shows none: leave one of them out")
    }

    /// Whether the model decides what stands for the video.
    fn leaves_source_to_model(&self) -> bool {
        self.reducer.is_empty() && self.tokens.is_none() && !self.blind
    }

    /// The readings that were asked for, or the model's own.
    fn readings(&self, own: TrainedInput) -> Result<Vec<Reading>, UsageError> {
        self.refuse_without_effect()?;
        let condition = match (self.blind, self.single_frame, self.shuffle) {
            (true, _, _) => Condition::Blind,
            (_, true, _) => Condition::SingleFrame,
            (_, _, true) => Condition::Shuffled,
            _ => Condition::Whole,
        };
        let pooled = self.leaves_source_to_model() && own == TrainedInput::Pooled;
        let default = [if pooled { "pooled" } else { "vqtoken" }.to_owned()];
        let names = if self.reducer.is_empty() { &default[..] } else { &self.reducer };
        let mut readings: Vec<Reading> = Vec::new();
        for name in names {
            let source = Source::parse(name, self.tokens.unwrap_or(Budget::PAPER_FIXED))
                .map_err(|error| UsageError(error.to_string()))?;
            let reading = Reading { condition, ..Reading::new(source, self.frames.unwrap_or(32)) };
            if readings.iter().any(|other| other.to_string() == reading.to_string()) {
                return Err(UsageError(format!("--reducer {name} is there twice: leave one out")));
            }
            readings.push(reading);
        }
        if self.tokens.is_some() && !self.blind && !readings.iter().any(|reading| reading.source.has_codes())
        {
            let why = "is the number of codes of vqtoken and codebook: another reducer has its budget in its name, such as tome:32";
            refuse_without_effect(&[("--tokens", true)], why)?;
        }
        if readings.len() > 1 && self.judge.is_used() {
            return Err(UsageError("a judge's files are about one reducer: name only one".to_owned()));
        }
        Ok(readings)
    }
}

pub(super) fn run(arguments: &TaskArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    // What is wrong with the options is said before a large model is loaded.
    arguments.readings(TrainedInput::Pooled)?;
    let files = [&arguments.samples, &arguments.judge.judge_requests];
    files.into_iter().flatten().try_for_each(|file| check_folder_of(file))?;
    let task = arguments.task.ok_or_else(|| UsageError("there is no task: name a benchmark".to_owned()))?;
    let benchmark = Benchmark::open(task, &arguments.data, global.limits())?;
    benchmark.report_left_out();
    if !arguments.blind {
        benchmark.report_missing_videos()?;
    }
    let models = [LoadedModel::load(&arguments.model, &arguments.base)?];
    let own = models[0].video_llm.trained_input();
    let readings = arguments.readings(own)?;
    if own == TrainedInput::Pooled && arguments.leaves_source_to_model() {
        output::note(pipeline::POOLED_BY_DEFAULT);
    } else if own == TrainedInput::Pooled && readings.iter().any(Reading::shows_codes) {
        output::note(pipeline::UNTRAINED_CODES);
    }

    // Without a file that the user names, answers are kept until the end and no longer.
    let scratch = tempfile::tempdir()?;
    let several = readings.len() > 1;
    let samples_file = |reading: &Reading| match &arguments.samples {
        Some(path) if several => with_slug(path, &reading.slug()),
        Some(path) => path.clone(),
        None => scratch.path().join(reading.slug()).with_extension("jsonl"),
    };
    let planned: Vec<Planned> = readings
        .into_iter()
        .map(|reading| Planned { samples: samples_file(&reading), trial: Trial { model: 0, reading } })
        .collect();
    let videos = if arguments.blind { Videos::Blind } else { benchmark.videos() };
    let failed = if arguments.retry_failed { Failed::AskAgain } else { Failed::Keep };
    let Asked { samples, warnings } = ask(&benchmark, &models, &planned, videos, failed, global)?;
    let judged = match samples.first() {
        Some(samples) if arguments.judge.is_used() => {
            arguments.judge.run(&benchmark, samples, &global.limits())?
        }
        _ => None,
    };

    let missing = if arguments.blind { Vec::new() } else { benchmark.missing.clone() };
    let report = |(plan, samples): (&Planned, &Vec<Sample>)| {
        let settings = plan.trial.settings(&models);
        Report::new(benchmark.task, &settings, &benchmark.items, samples, missing.clone())
    };
    let reports: Vec<Report> = planned.iter().zip(&samples).map(report).collect();
    if global.json {
        for ((report, plan), samples_of) in reports.iter().zip(&planned).zip(&samples) {
            let mut line = serde_json::to_value(report)?;
            line["model"] = json!(models[0].id);
            line["reading"] = json!(plan.trial.reading.to_string());
            line["split"] = json!(benchmark.split);
            line["samples"] = json!(arguments.samples.as_ref().map(|_| &plan.samples));
            line["difference_to_first"] = match several {
                true => json!(paired_difference(samples_of, &samples[0])),
                false => Value::Null,
            };
            line["left_out"] = json!(benchmark.left_out);
            line["warnings"] = json!([benchmark.warnings.as_slice(), &warnings].concat());
            line["judge"] = json!(judged);
            line["published"] = json!(judge::published(&benchmark, samples_of));
            output::line(line)?;
        }
        return Ok(());
    }
    for (report, samples) in reports.iter().zip(&samples) {
        output::piece(report)?;
        if let Some(published) = judge::published(&benchmark, samples) {
            output::line(format_args!("ActivityNet-QA's own script prints: {published}"))?;
        }
        if let Some(judged) = &judged {
            output::piece(judge::text(judged))?;
        }
        output::line("")?;
    }
    if several {
        output::piece(comparison_table(&reports))?;
        for (report, others) in reports.iter().zip(&samples).skip(1) {
            if let Some(difference) = paired_difference(others, &samples[0]) {
                output::line(format_args!(
                    "{} less the first: {}",
                    report.settings,
                    super::paper::points(&difference)
                ))?;
            }
        }
    }
    if arguments.samples.is_none() {
        output::note("note: the answers are not kept; name a file with --samples to keep them and to resume");
    }
    Ok(())
}

/// `answers.jsonl` and `tome-32` give `answers.tome-32.jsonl`.
fn with_slug(path: &Path, slug: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
    path.with_file_name(format!("{stem}.{slug}{}", extension.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_several_readings_have_their_names() {
        assert_eq!(with_slug(Path::new("a/b.jsonl"), "tome-32"), Path::new("a/b.tome-32.jsonl"));
        assert_eq!(with_slug(Path::new("b"), "pooled"), Path::new("b.pooled"));
    }
}
