//! `vqtoken eval`: a benchmark's questions, in one or several readings of its videos.

mod ablation;
mod answerer;
mod current_video;
mod data;
mod flops;
mod frames;
mod judge;
mod models;
mod paper;
mod progress;
mod random;
mod reading;
mod reduced_grid;
mod task;
mod trial;
mod visual;

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use vqtoken_eval::{Failed, Run, Sample, Videos, run_together};

use answerer::Evaluator;
use data::Benchmark;
use models::LoadedModel;
use progress::Bar;
use trial::Trial;

use crate::cli::GlobalArguments;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct EvalArguments {
    #[command(subcommand)]
    command: Option<EvalCommand>,

    #[command(flatten)]
    task: task::TaskArguments,
}

#[derive(Debug, Subcommand)]
enum EvalCommand {
    /// Make the tables of the paper, and what it leaves out, on one benchmark
    Paper(paper::PaperArguments),
}

pub(crate) fn run(arguments: &EvalArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    match &arguments.command {
        Some(EvalCommand::Paper(arguments)) => paper::run(arguments, global),
        None => task::run(&arguments.task, global),
    }
}

/// A trial and the file where its samples are kept.
struct Planned {
    trial: Trial,
    samples: PathBuf,
}

/// The answers of each trial, and what the user has to be told of the videos.
struct Asked {
    samples: Vec<Vec<Sample>>,
    warnings: Vec<String>,
}

/// Asks all questions in all trials, in one pass over the videos.
fn ask(
    benchmark: &Benchmark,
    models: &[LoadedModel],
    planned: &[Planned],
    videos: Videos<'_>,
    failed: Failed,
    global: &GlobalArguments,
) -> anyhow::Result<Asked> {
    // Ranked options and written letters are not the same answers.
    let ranked = if benchmark.task.ranks() { " ranked" } else { "" };
    let settings: Vec<String> = planned.iter().map(|plan| plan.trial.settings(models) + ranked).collect();
    let runs: Vec<Run<'_>> = planned
        .iter()
        .zip(&settings)
        .map(|(plan, settings)| Run {
            task: benchmark.task,
            items: &benchmark.items,
            videos,
            samples: &plan.samples,
            settings,
            seed: 0,
            failed,
        })
        .collect();
    let trials: Vec<Trial> = planned.iter().map(|plan| plan.trial.clone()).collect();
    let mut bar = Bar::new(trials.iter().map(|trial| trial.reading.to_string()).collect());
    let options = global.open_options();
    let mut evaluator = Evaluator::new(models, &trials, &options);
    let samples = run_together(&runs, &mut evaluator, &mut |run, states| {
        bar.show(run, states);
        ControlFlow::Continue(())
    });
    bar.finish();
    Ok(Asked { samples: samples?, warnings: evaluator.warnings })
}
