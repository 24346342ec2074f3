//! `vqtoken eval paper`: the tables of the paper on our data, and what it leaves out.

mod machine;
mod outcome;
mod page;
mod plan;
mod plot;
mod tables;

use std::path::{Path, PathBuf};

use clap::Args;
use vqtoken_eval::{Report, Sample, Task, paired_difference};

use super::super::{ModelArguments, output};
use super::answerer::Trial;
use super::data::{Benchmark, DataArguments};
use super::models::{Subject, share_towers};
use super::reading::{Codes, What};
use super::{Planned, ask};
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

    /// The same language model, trained on pooled tokens; training-free reducers work on it too
    #[arg(long, value_name = "DIR")]
    unreduced: Option<PathBuf>,

    /// The same language model, trained on bare codes
    #[arg(long, value_name = "DIR")]
    codebook: Option<PathBuf>,

    /// Frames that are reduced
    #[arg(long, value_name = "T", default_value_t = 32, value_parser = super::super::at_least_one)]
    frames: usize,

    /// Frames that the unreduced model reads
    #[arg(long, value_name = "T", default_value_t = 8, value_parser = super::super::at_least_one)]
    unreduced_frames: usize,

    /// Where README.md, results.json, accuracy_over_tokens.svg and the samples go; a later run with the same folder goes on
    #[arg(long, value_name = "DIR", default_value = "docs/results/paper")]
    out: PathBuf,

    /// Ask again what failed in an earlier run
    #[arg(long)]
    retry_failed: bool,
}

/// The models that were given, and the place of each role's.
struct Cast {
    subjects: Vec<Subject>,
    places: Vec<(Role, usize)>,
}

impl Cast {
    fn load(arguments: &PaperArguments) -> anyhow::Result<Self> {
        let precision = arguments.model.precision;
        let mut cast = Self { subjects: Vec::new(), places: Vec::new() };
        for role in Role::ALL {
            let path = match role {
                Role::Vqtoken => arguments.model.model.as_deref(),
                Role::Unreduced => arguments.unreduced.as_deref(),
                Role::Codebook => arguments.codebook.as_deref(),
            };
            if path.is_some() || role == Role::Vqtoken {
                cast.places.push((role, cast.subjects.len()));
                cast.subjects.push(Subject::load(path, precision)?);
            }
        }
        share_towers(&mut cast.subjects);
        Ok(cast)
    }

    fn place(&self, role: Role) -> Option<usize> {
        self.places.iter().find(|(known, _)| *known == role).map(|(_, place)| *place)
    }

    /// The trial of a row, or why it cannot run.
    fn trial(&self, row: &Row) -> Result<Trial, String> {
        let Some(subject) = self.place(row.role) else {
            return Err(format!("no {} model was given ({})", row.role.name(), row.role.flag()));
        };
        let needs_attention =
            matches!(row.reading.what, What::Codes(Codes::RandomAttention | Codes::RandomMap, _));
        if needs_attention && self.subjects[subject].untrained.is_none() {
            return Err(format!("the {} model has no VQ-attention", row.role.name()));
        }
        Ok(Trial { subject, reading: row.reading.clone() })
    }
}

pub(super) fn run(arguments: &PaperArguments, json: bool) -> anyhow::Result<()> {
    // What runs is what was there at the start, whatever is committed meanwhile.
    let provenance = Provenance::new();
    let benchmark = Benchmark::open(arguments.task, &arguments.data, true)?;
    let cast = Cast::load(arguments)?;
    let tables = FrameCounts { reduced: arguments.frames, unreduced: arguments.unreduced_frames }.tables();
    let (rows, left_out) = rows(&tables, &cast);
    let folder = arguments.out.join("samples");
    let samples_file = |row: &Row, trial: &Trial| {
        // Another model of the same name gets files of its own.
        let settings = crc32fast::hash(trial.settings(&cast.subjects).as_bytes());
        folder.join(format!("{}-{}-{settings:08x}.jsonl", row.role.name(), row.reading.slug()))
    };
    let planned: Vec<Planned> = rows
        .iter()
        .map(|(row, trial)| Planned { samples: samples_file(row, trial), trial: trial.clone() })
        .collect();
    prepare(&folder)?;
    let samples = ask(&benchmark, &cast.subjects, &planned, benchmark.videos(), arguments.retry_failed)?;
    let outcomes = outcomes(&benchmark, &cast, &rows, &samples);

    let models: Vec<(Role, &str)> =
        cast.places.iter().map(|(role, place)| (*role, cast.subjects[*place].id.as_str())).collect();
    let results = page::Results {
        benchmark: &benchmark,
        provenance,
        models,
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
    output::line(match json {
        true => serde_json::json!({"output": page, "rows": outcomes.len(), "left_out": results.left_out})
            .to_string(),
        false => format!("{}: {} rows, {} left out", page.display(), outcomes.len(), results.left_out.len()),
    })?;
    Ok(())
}

/// Each row that can run once, with its trial, and the labels of those that cannot, with the reason.
fn rows(tables: &[Table], cast: &Cast) -> (Vec<(Row, Trial)>, Vec<String>) {
    let mut rows: Vec<(Row, Trial)> = Vec::new();
    let mut left_out: Vec<String> = Vec::new();
    for row in tables.iter().flat_map(|table| &table.rows) {
        match cast.trial(row) {
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

/// Makes the folder of the samples, which are too many to be committed.
fn prepare(folder: &Path) -> anyhow::Result<()> {
    let ignore = folder.join(".gitignore");
    vqtoken_files::create_folder(folder)?;
    Ok(vqtoken_files::write(&ignore, "*\n")?)
}

fn outcomes(
    benchmark: &Benchmark,
    cast: &Cast,
    rows: &[(Row, Trial)],
    samples: &[Vec<Sample>],
) -> Vec<Outcome> {
    let unreduced = rows
        .iter()
        .position(|(row, _)| row.role == Role::Unreduced && matches!(row.reading.what, What::Pooled));
    let outcome = |(place, ((row, trial), asked)): (usize, (&(Row, Trial), &Vec<Sample>))| {
        let settings = trial.settings(&cast.subjects);
        let missing = benchmark.missing.clone();
        let other = unreduced.filter(|unreduced| *unreduced != place);
        Outcome {
            role: row.role,
            trial: trial.clone(),
            report: Report::new(benchmark.task, &settings, &benchmark.items, asked, missing),
            difference: other.and_then(|other| paired_difference(asked, &samples[other])),
        }
    };
    rows.iter().zip(samples).enumerate().map(outcome).collect()
}
