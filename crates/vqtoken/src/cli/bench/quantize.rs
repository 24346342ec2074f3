//! `vqtoken bench quantize`: what can be typed, a process for each case, and the table.

use std::path::PathBuf;
use std::process::Command;

use crate::{QuantizerConfig, figures};
use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Map, Value, json};
use vqtoken_files::quoted;

use super::case::{self, Case};
use super::made_up::{MadeUp, Size};
use super::measure::measure;
use super::peer;
use super::tokens::Tokens;
use crate::cli::GlobalArguments;
use crate::cli::token_file::TokenFile;
use crate::cli::{UsageError, at_least_one, output, refuse_without_effect};

/// What is quantized, how, and how often.
#[derive(Args, Debug)]
pub(crate) struct QuantizeArguments {
    /// Tokens to quantize: `tokens`, f32 [N, D], in a safetensors file (may be given several times)
    #[arg(long, value_name = "FILE", conflicts_with = "made_up")]
    tokens_file: Vec<PathBuf>,

    /// Made-up tokens instead: how many, their channels, and around how many centres; always the same for one size
    #[arg(long, value_name = "N,D[,CLUSTERS]", default_value_t = Size::default())]
    made_up: Size,

    /// What to measure: fixed, adaptive-RULE, or one of these behind stream- or published- (may be given several times)
    /// [default: all but published-adaptive-RULE, which takes minutes]
    #[arg(long, value_name = "CASE")]
    case: Vec<Case>,

    /// Codes of the fixed cases [default: 32]
    #[arg(long, value_name = "K", value_parser = at_least_one)]
    k: Option<usize>,

    /// Fewest codes of the adaptive cases [default: 12]
    #[arg(long, value_name = "K", value_parser = at_least_one)]
    min: Option<usize>,

    /// Most codes of the adaptive cases [default: 32]
    #[arg(long, value_name = "K", value_parser = at_least_one)]
    max: Option<usize>,

    /// Seed of the quantizer
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Runs of each case: `runs` has the seconds of each, `seconds` is their median
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    repeat: usize,

    /// Threads [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    threads: Option<usize>,

    /// Measure the one case here, as the process that was started for it
    #[arg(long, hide = true)]
    in_this_process: bool,
}

/// Where tokens come from, as it is written on a command line.
#[derive(Clone, Debug)]
enum Origin {
    File(PathBuf),
    MadeUp(Size),
}

impl Origin {
    fn open(&self) -> anyhow::Result<Tokens> {
        Ok(match self {
            Self::File(path) => Tokens::File(TokenFile::open(path)?),
            Self::MadeUp(size) => Tokens::MadeUp(MadeUp::new(*size)),
        })
    }

    fn field(&self) -> (&'static str, Value) {
        match self {
            Self::File(path) => ("tokens_file", json!(path.to_string_lossy())),
            Self::MadeUp(size) => ("made_up", json!(size.to_string())),
        }
    }
}

impl QuantizeArguments {
    fn config(&self, case: Case) -> QuantizerConfig {
        case.config(self.k.unwrap_or(32), (self.min.unwrap_or(12), self.max.unwrap_or(32)), self.seed)
    }

    /// Refuses a number of codes that none of the cases has.
    fn refuse_without_effect(&self, cases: &[Case]) -> Result<(), UsageError> {
        if !cases.iter().any(Case::is_fixed) {
            let why = "is the number of codes of fixed cases, and none is measured: add --case fixed, or leave it out";
            refuse_without_effect(&[("--k", self.k.is_some())], why)?;
        }
        if cases.iter().all(Case::is_fixed) {
            let why =
                "is about adaptive cases, and none is measured: add --case adaptive-elbow, or leave it out";
            refuse_without_effect(&[("--min", self.min.is_some()), ("--max", self.max.is_some())], why)?;
        }
        Ok(())
    }
}

pub(super) fn run(arguments: &QuantizeArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let cases = match arguments.case.as_slice() {
        [] => &case::DEFAULT,
        cases => cases,
    };
    arguments.refuse_without_effect(cases)?;
    for case in cases {
        let config = arguments.config(*case);
        config.budget.check().map_err(|error| UsageError(error.to_string()))?;
    }
    let origins: Vec<Origin> = match arguments.tokens_file.as_slice() {
        [] => vec![Origin::MadeUp(arguments.made_up)],
        files => files.iter().cloned().map(Origin::File).collect(),
    };
    if arguments.in_this_process {
        return output_record(arguments, &origins[0], cases[0]);
    }
    // A bad file must not be found after minutes with the good ones.
    origins
        .iter()
        .filter(|origin| matches!(origin, Origin::File(_)))
        .try_for_each(|origin| origin.open().map(drop))?;
    let width = cases.iter().map(|case| case.to_string().len()).max().unwrap_or(0);
    for origin in &origins {
        for (row, &case) in cases.iter().enumerate() {
            let record = in_own_process(arguments, origin, case)?;
            if global.json {
                output::line(Value::from(record))?;
                continue;
            }
            if row == 0 {
                output::line(heading(origin, &record, width))?;
            }
            output::line(table_row(&record, width))?;
        }
        if let (Origin::File(file), false) = (origin, global.json) {
            let options =
                format!("quantize --tokens-file {} --codes {}", quoted(file), arguments.k.unwrap_or(32));
            let threads = arguments.threads.unwrap_or_else(rayon::current_num_threads);
            peer::print(Some(&peer::command(&options, threads)))?;
        }
    }
    Ok(())
}

fn output_record(arguments: &QuantizeArguments, origin: &Origin, case: Case) -> anyhow::Result<()> {
    let config = arguments.config(case);
    let mut record = measure(&origin.open()?, case, &config, arguments.repeat)?;
    let (key, value) = origin.field();
    record.insert(key.to_owned(), value);
    output::line(Value::from(record))?;
    Ok(())
}

/// Measures a case in a new process of this program, so that its peak memory is its own.
fn in_own_process(
    arguments: &QuantizeArguments,
    origin: &Origin,
    case: Case,
) -> anyhow::Result<Map<String, Value>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--json", "bench", "quantize", "--in-this-process"]).args(["--case", &case.to_string()]);
    let codes = match case.is_fixed() {
        true => vec![("--k", arguments.k)],
        false => vec![("--min", arguments.min), ("--max", arguments.max)],
    };
    for (flag, number) in codes.into_iter().chain([("--repeat", Some(arguments.repeat))]) {
        if let Some(number) = number {
            command.args([flag, &number.to_string()]);
        }
    }
    command.args(["--seed", &arguments.seed.to_string()]);
    match origin {
        Origin::File(path) => command.arg("--tokens-file").arg(path),
        Origin::MadeUp(size) => command.args(["--made-up", &size.to_string()]),
    };
    if let Some(threads) = arguments.threads {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    let spinner = output::spinner("quantize");
    let output = command.output()?;
    spinner.finish_and_clear();
    if output.status.success() {
        return serde_json::from_slice(&output.stdout)
            .context("the process of a case wrote something else than JSON");
    }
    let message = serde_json::from_slice::<Value>(&output.stderr).ok();
    match message.as_ref().and_then(|message| message["error"].as_str()) {
        Some(message) => bail!("{message}"),
        None => bail!(
            "the process of the case {case} ended with {}: there may be too little memory, try fewer tokens or --case stream-fixed",
            output.status
        ),
    }
}

const COLUMNS: [&str; 9] =
    ["K", "seconds", "inertia", "distortion", "iterations", "GFLOP", "memory", ".vqt file", "its map"];

fn heading(origin: &Origin, record: &Map<String, Value>, width: usize) -> String {
    let number = |key: &str| record[key].as_u64().unwrap_or_default() as usize;
    let what = match origin {
        Origin::File(path) => quoted(path).to_string(),
        Origin::MadeUp(size) => format!("made up around {} centres", size.clusters),
    };
    let threads = number("threads");
    let columns: String = COLUMNS.iter().map(|column| format!(" {column:>10}")).collect();
    format!(
        "{} tokens of {} channels, {what}; {threads} thread{}\n{:width$}{columns}",
        figures::grouped(number("n")),
        number("dim"),
        if threads == 1 { "" } else { "s" },
        "case",
    )
}

fn table_row(record: &Map<String, Value>, width: usize) -> String {
    let text =
        |key: &str, text: &dyn Fn(f64) -> String| record[key].as_f64().map_or_else(|| "-".to_owned(), text);
    let whole = |value: f64| format!("{value:.0}");
    let columns = [
        text("k", &whole),
        text("seconds", &|value| format!("{value:.3}")),
        text("inertia", &|value| format!("{value:.1}")),
        text("distortion", &|value| format!("{value:.1}")),
        text("iterations", &whole),
        text("gflop", &|value| format!("{value:.1}")),
        text("peak_memory_bytes", &figures::bytes),
        text("bytes", &figures::bytes),
        text("index_map_bytes", &figures::bytes),
    ];
    let columns: String = columns.iter().map(|column| format!(" {column:>10}")).collect();
    format!("{:width$}{columns}", record["case"].as_str().unwrap_or_default())
}
