//! `vqtoken eval paper`: the tables of the paper on our data, and what it leaves out.

mod machine;
mod outcome;
mod page;
mod plan;
mod plot;
mod tables;

use std::path::{Path, PathBuf};

use clap::Args;
use vqtoken_eval::{Failed, Report, Sample, Task, paired_difference};
use vqtoken_files::quoted;

use super::super::{BaseArguments, ModelArguments, output};
use super::data::{Benchmark, DataArguments};
use super::models::{LoadedModel, share_towers};
use super::reading::{Codes, Source};
use super::trial::Trial;
use super::{Asked, Planned, ask};
use crate::cli::GlobalArguments;
use machine::Provenance;
use outcome::Outcome;
use plan::{FrameCounts, Role, Row, Table};

pub(super) use tables::points;

#[derive(Args, Debug)]
pub(super) struct PaperArguments {
    /// The benchmark
    #[arg(long, value_name = "TASK", default_value_t = Task::Shapes)]
    task: Task,

    #[command(flatten)]
    data: DataArguments,

    #[command(flatten)]
    model: ModelArguments,

    #[command(flatten)]
    base: BaseArguments,

    /// The same language model, trained on pooled tokens; training-free reducers work on it too
    #[arg(long, value_name = "DIR")]
    unreduced: Option<PathBuf>,

    /// The same language model, trained on bare codes
    #[arg(long, value_name = "DIR")]
    codebook: Option<PathBuf>,

    /// The same language model, trained on the questions alone
    #[arg(long, value_name = "DIR")]
    blind: Option<PathBuf>,

    /// Frames that are reduced
    #[arg(long, value_name = "T", default_value_t = 32, value_parser = super::super::at_least_one)]
    frames: usize,

    /// Frames that the unreduced model reads
    #[arg(long, value_name = "T", default_value_t = 8, value_parser = super::super::at_least_one)]
    unreduced_frames: usize,

    /// Where README.md, results.json, accuracy_over_tokens.svg and the samples go; a later run with the same folder resumes
    #[arg(long, value_name = "DIR", default_value = "docs/results/paper")]
    out: PathBuf,

    /// Ask again what failed in an earlier run
    #[arg(long)]
    retry_failed: bool,
}

/// The models that were given, and the index of each role's.
struct Models {
    loaded: Vec<LoadedModel>,
    roles: Vec<(Role, usize)>,
}

/// Why a row cannot run.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum LeftOut {
    #[error("no {} model was given ({})", .role.name(), .role.flag())]
    NoModel { role: Role },
    #[error("the {} model has no VQ-attention", .role.name())]
    NoAttention { role: Role },
}

impl Models {
    fn load(arguments: &PaperArguments) -> anyhow::Result<Self> {
        let mut models = Self { loaded: Vec::new(), roles: Vec::new() };
        for role in Role::ALL {
            let model = match role {
                Role::Vqtoken => &arguments.model.model,
                Role::Unreduced => &arguments.unreduced,
                Role::Codebook => &arguments.codebook,
                Role::Blind => &arguments.blind,
            };
            if model.is_some() || role == Role::Vqtoken {
                let base = arguments.base.base.clone().filter(|_| role == Role::Vqtoken);
                let model = ModelArguments { model: model.clone(), ..arguments.model.clone() };
                models.roles.push((role, models.loaded.len()));
                models.loaded.push(LoadedModel::load(&model, &BaseArguments { base })?);
            }
        }
        share_towers(&mut models.loaded);
        Ok(models)
    }

    fn trial(&self, row: &Row) -> Result<Trial, LeftOut> {
        let role = row.role;
        let model = self.roles.iter().find(|(known, _)| *known == role).map(|(_, index)| *index);
        let model = model.ok_or(LeftOut::NoModel { role })?;
        let needs_attention =
            matches!(row.reading.source, Source::Codes(Codes::RandomAttention | Codes::RandomMap, _));
        if needs_attention && self.loaded[model].untrained.is_none() {
            return Err(LeftOut::NoAttention { role });
        }
        Ok(Trial { model, reading: row.reading.clone() })
    }
}

pub(super) fn run(arguments: &PaperArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let provenance = Provenance::new();
    let benchmark = Benchmark::open(arguments.task, &arguments.data, global.limits())?;
    benchmark.report_left_out();
    benchmark.report_missing_videos()?;
    let models = Models::load(arguments)?;
    let frames = FrameCounts { reduced: arguments.frames, unreduced: arguments.unreduced_frames };
    let tables = frames.tables();
    let (rows, left_out) = rows(&tables, &models);
    let folder = arguments.out.join("samples");
    let samples_file = |row: &Row, trial: &Trial| {
        // Another model of the same name gets files of its own.
        let settings = crc32fast::hash(trial.settings(&models.loaded).as_bytes());
        folder.join(format!("{}-{}-{settings:08x}.jsonl", row.role.name(), row.reading.slug()))
    };
    let planned: Vec<Planned> = rows
        .iter()
        .map(|(row, trial)| Planned { samples: samples_file(row, trial), trial: trial.clone() })
        .collect();
    prepare(&folder)?;
    let failed = if arguments.retry_failed { Failed::AskAgain } else { Failed::Keep };
    let asked = ask(&benchmark, &models.loaded, &planned, benchmark.videos(), failed, global)?;
    let Asked { samples, warnings } = asked;
    let outcomes = outcomes(&benchmark, &models, &rows, &samples);

    let ids: Vec<(Role, &str)> =
        models.roles.iter().map(|(role, index)| (*role, models.loaded[*index].id.as_str())).collect();
    let results = page::Results {
        benchmark: &benchmark,
        provenance,
        models: ids,
        frames,
        tables: &tables,
        outcomes: &outcomes,
        left_out,
    };
    let files = [
        ("README.md", results.markdown()),
        ("results.json", results.json()?),
        ("accuracy_over_tokens.svg", results.plot()),
    ];
    for (name, text) in files {
        let path = arguments.out.join(name);
        vqtoken_files::write(&path, &text)?;
    }
    let page = arguments.out.join("README.md");
    output::line(match global.json {
        true => serde_json::json!({
            "output": page,
            "rows": outcomes.len(),
            "left_out": results.left_out,
            "warnings": warnings,
        })
        .to_string(),
        false => format!("{}: {} rows, {} left out", quoted(&page), outcomes.len(), results.left_out.len()),
    })?;
    Ok(())
}

/// Each row that can run once, with its trial, and the labels of those that cannot, with the reason.
fn rows(tables: &[Table], models: &Models) -> (Vec<(Row, Trial)>, Vec<String>) {
    let mut rows: Vec<(Row, Trial)> = Vec::new();
    let mut left_out: Vec<String> = Vec::new();
    for row in tables.iter().flat_map(|table| &table.rows) {
        match models.trial(row) {
            Ok(trial) => {
                let is_same = |(other, known): &(Row, Trial)| {
                    other.role == row.role && known.reading.to_string() == trial.reading.to_string()
                };
                if !rows.iter().any(is_same) {
                    rows.push((row.clone(), trial));
                }
            }
            Err(reason) => {
                let line = format!("{} ({}): {reason}", row.label, row.reading);
                if !left_out.contains(&line) {
                    left_out.push(line);
                }
            }
        }
    }
    (rows, left_out)
}

/// Creates the folder of the samples, which git ignores because they are large.
fn prepare(folder: &Path) -> anyhow::Result<()> {
    let ignore = folder.join(".gitignore");
    vqtoken_files::create_folder(folder)?;
    Ok(vqtoken_files::write(&ignore, "*\n")?)
}

fn outcomes(
    benchmark: &Benchmark,
    models: &Models,
    rows: &[(Row, Trial)],
    samples: &[Vec<Sample>],
) -> Vec<Outcome> {
    let unreduced = rows
        .iter()
        .position(|(row, _)| row.role == Role::Unreduced && matches!(row.reading.source, Source::Pooled));
    let outcome = |(index, ((row, trial), asked)): (usize, (&(Row, Trial), &Vec<Sample>))| {
        let settings = trial.settings(&models.loaded);
        let missing = benchmark.missing.clone();
        let other = unreduced.filter(|unreduced| *unreduced != index);
        Outcome {
            role: row.role,
            trial: trial.clone(),
            report: Report::new(benchmark.task, &settings, &benchmark.items, asked, missing),
            difference: other.and_then(|other| paired_difference(asked, &samples[other])),
        }
    };
    rows.iter().zip(samples).enumerate().map(outcome).collect()
}
