//! What can be typed, and what the commands share.

pub(crate) mod archive;
pub(crate) mod ask;
pub(crate) mod bench;
pub(crate) mod data;
pub(crate) mod demo;
#[cfg(test)]
mod documented;
pub(crate) mod encode;
pub(crate) mod eval;
pub(crate) mod inspect;
pub(crate) mod interrupt;
pub(crate) mod output;
pub(crate) mod pipeline;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod stages;
pub(crate) mod token_file;
pub(crate) mod train;
pub(crate) mod watch;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{Budget, EncoderOptions, OpenOptions, Precision, Sampling, Windows};
use clap::{Args, Parser, Subcommand};
use vqtoken_files::{Limit, Limits, quoted};

/// Ask a video a question: a video language model that reads a whole video as a few dozen discrete tokens.
#[derive(Debug, Parser)]
#[command(name = "vqtoken", version, arg_required_else_help = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) global: GlobalArguments,
}

/// Runs the command that was typed, the program's name first, and returns its exit code: 2 for bad usage, 1 for failure.
pub fn command_line(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let options = match Options::try_parse_from(arguments) {
        Ok(options) => options,
        // Printing fails where nobody reads, who then misses nothing.
        Err(error) => {
            drop(error.print());
            return u8::try_from(error.exit_code()).unwrap_or(1);
        }
    };
    match run(&options) {
        Ok(()) => 0,
        // Whoever reads our output has read enough; that is no failure.
        Err(error) if output::is_broken_pipe(&error) => 0,
        Err(error) => {
            output::report(&error, options.global.json);
            if error.is::<UsageError>() { 2 } else { 1 }
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    match &options.command {
        Command::Ask(arguments) => ask::run(arguments, &options.global),
        Command::Serve(arguments) => serve::run(arguments, &options.global),
        Command::Watch(arguments) => watch::run(arguments, &options.global),
        Command::Encode(arguments) => encode::run(arguments, &options.global),
        Command::Archive(arguments) => archive::run(arguments, &options.global),
        Command::Search(arguments) => archive::run_on_folder(arguments, &options.global),
        Command::Show(arguments) => show::run(arguments, &options.global),
        Command::Inspect(arguments) => inspect::run(arguments, &options.global),
        Command::Demo(arguments) => demo::run(arguments, &options.global),
        Command::Train(arguments) => train::run_command(arguments, &options.global),
        Command::Data(arguments) => data::run(arguments, &options.global),
        Command::Eval(arguments) => eval::run(arguments, &options.global),
        Command::Bench(arguments) => bench::run(arguments, &options.global),
    }
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct GlobalArguments {
    /// Print results (and errors) as one line of JSON each
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Set a limit on what an input may ask for: frame-pixels, frames, seconds, labels or bytes, such as
    /// frames=20000000; can be given more than once
    #[arg(long = "allow", value_name = "NAME=N", global = true, value_parser = limit)]
    limits: Vec<(Limit, u64)>,
}

impl GlobalArguments {
    pub(crate) fn limits(&self) -> Limits {
        with_limits(&self.limits)
    }

    /// How videos are opened.
    pub(crate) fn open_options(&self) -> OpenOptions {
        OpenOptions::default().with_limits(self.limits())
    }
}

fn with_limits(given: &[(Limit, u64)]) -> Limits {
    given.iter().fold(Limits::default(), |limits, &(limit, bound)| limits.with(limit, bound))
}

fn limit(text: &str) -> Result<(Limit, u64), String> {
    let (name, bound) = text.split_once('=').ok_or("expected NAME=N, such as frames=20000000")?;
    let limit = Limit::ALL.into_iter().find(|limit| limit.name() == name).ok_or_else(|| {
        let names: Vec<_> = Limit::ALL.into_iter().map(Limit::name).collect();
        format!("unknown limit {name:?}: expected one of {}", names.join(", "))
    })?;
    let bound = bound.parse().map_err(|_| format!("invalid bound {bound:?}: expected a whole number"))?;
    Ok((limit, bound))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answer questions about a video, or about video tokens made earlier
    Ask(ask::AskArguments),
    /// Answer over HTTP as OpenAI's clients speak it, with a page where a video is seen becoming tokens
    Serve(Box<serve::ServeArguments>),
    /// Watch a camera, a stream or a file at its own pace, and answer questions about its last minutes
    Watch(watch::WatchArguments),
    /// Turn videos into video tokens on disk (.vqt)
    Encode(encode::EncodeArguments),
    /// Keep many videos as tokens, and find them by words, by a video, by place and moment
    Archive(Box<archive::ArchiveArguments>),
    /// Find videos of an archive, or of a folder, by words
    Search(Box<archive::FolderSearchArguments>),
    /// Draw frames over their index maps, one colour per code, and the codes' paths
    Show(show::ShowArguments),
    /// Say what is inside a .vqt file, a model directory or a video
    Inspect(inspect::InspectArguments),
    /// Write the project's own demonstration clip
    Demo(demo::DemoArguments),
    /// Train a model as a configuration says
    Train(train::TrainArguments),
    /// Make a data set of videos with questions
    Data(data::DataArguments),
    /// Score a model on a benchmark, or make the tables of the paper
    Eval(Box<eval::EvalArguments>),
    /// Measure how fast a stage is on this machine
    Bench(bench::BenchArguments),
}

/// A command that was understood but makes no sense: exit code 2.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Which model.
#[derive(Args, Clone, Debug)]
pub(crate) struct ModelArguments {
    /// Model directory, or id on the Hugging Face hub such as llava-hf/llava-onevision-qwen2-0.5b-ov-hf, which is fetched once
    /// [default: the built-in model]
    #[arg(long, value_name = "DIR|HUB_ID")]
    pub(crate) model: Option<PathBuf>,

    /// How weights are kept and multiplied: f32, bf16, int8, int4 (the language model's layers; int8 elsewhere), or auto (bf16
    /// where the CPU multiplies it natively or the checkpoint is bf16 already, else f32)
    #[arg(long, value_name = "PRECISION", default_value_t)]
    pub(crate) precision: Precision,

    #[arg(from_global)]
    limits: Vec<(Limit, u64)>,
}

impl ModelArguments {
    /// How large the files of the model may be.
    pub(crate) fn limits(&self) -> Limits {
        with_limits(&self.limits)
    }
}

/// What a LoRA adapter is read onto.
#[derive(Args, Debug)]
pub(crate) struct BaseArguments {
    /// Base model, where --model is a LoRA adapter [default: the one that the adapter names]
    #[arg(long, value_name = "DIR|HUB_ID", requires = "model")]
    pub(crate) base: Option<PathBuf>,
}

/// How a video becomes video tokens.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct EncodingArguments {
    /// Frames to sample, evenly over the video [default: 32]
    #[arg(long, value_name = "T", value_parser = at_least_one, conflicts_with = "fps")]
    frames: Option<usize>,

    /// Sample by time instead: frames a second
    #[arg(long, value_name = "RATE", value_parser = positive)]
    fps: Option<f64>,

    /// Codes: a number, adaptive, adaptive:RULE or adaptive:RULE:MIN-MAX; rules are elbow, silhouette, distortion=0.9
    /// (fewest codes that keep this share of the variance) and bits=0.02 (price of a code) [default: 32]
    #[arg(long, value_name = "BUDGET")]
    tokens: Option<Budget>,

    /// Cut the video into windows of this length, such as 60s or 5m, each with a codebook of its own under --tokens
    #[arg(long, value_name = "TIME", value_parser = length)]
    window: Option<f64>,

    /// Codes of the whole video, from a second quantization of the windows' codes; a budget as for --tokens
    #[arg(long, value_name = "BUDGET", requires = "window")]
    total: Option<Budget>,

    /// Frames that repeat the one before are encoded once; this also skips those that nearly do: in no cell of the grid the mean
    /// difference of the 8-bit values is above this [default: 0, exact repeats only]
    #[arg(long, value_name = "LEVELS", value_parser = positive)]
    near_repeats: Option<f64>,

    /// Seed of the quantizer [default: 0]
    #[arg(long, value_name = "N")]
    quantizer_seed: Option<u64>,
}

impl EncodingArguments {
    pub(crate) fn sampling(&self) -> Sampling {
        match self.fps {
            Some(rate) => Sampling::Fps(rate),
            None => Sampling::Uniform(self.frames.unwrap_or(32)),
        }
    }

    pub(crate) fn budget(&self) -> Budget {
        self.tokens.unwrap_or(Budget::PAPER_FIXED)
    }

    pub(crate) fn windows(&self) -> Option<Windows> {
        self.window.map(|seconds| Windows { seconds, total: self.total })
    }

    pub(crate) fn encoder_options(&self) -> EncoderOptions {
        EncoderOptions::new(self.budget())
            .with_windows(self.windows())
            .with_near_repeats(self.near_repeats.unwrap_or(0.0))
            .with_seed(self.quantizer_seed.unwrap_or(0))
    }

    /// Whether an option is given that only codes have.
    pub(crate) fn asks_for_codes(&self) -> bool {
        self.of_codes().iter().any(|(_, given)| *given)
    }

    /// Refuses options that would have no effect on tokens made earlier.
    pub(crate) fn refuse_for_tokens(&self) -> Result<(), UsageError> {
        let why = "says how a video is encoded, and a .vqt file is encoded already: give the video instead";
        refuse_without_effect(&[&self.of_frames()[..], &self.of_codes()].concat(), why)
    }

    /// Refuses options that would have no effect where nothing but text is asked about.
    pub(crate) fn refuse_for_text(&self) -> Result<(), UsageError> {
        let why = "says how a video is encoded, and --text-only asks about none: leave it out";
        refuse_without_effect(&[&self.of_frames()[..], &self.of_codes()].concat(), why)
    }

    /// Refuses options that would have no effect on another reducer than the quantizer.
    pub(crate) fn refuse_for_reducer(&self) -> Result<(), UsageError> {
        let why = "belongs to the codes of --reducer vqtoken: another reducer has its budget in its name, such as tome:32";
        refuse_without_effect(&self.of_codes(), why)
    }

    fn of_frames(&self) -> [(&'static str, bool); 3] {
        [
            ("--frames", self.frames.is_some()),
            ("--fps", self.fps.is_some()),
            ("--near-repeats", self.near_repeats.is_some()),
        ]
    }

    fn of_codes(&self) -> [(&'static str, bool); 4] {
        [
            ("--tokens", self.tokens.is_some()),
            ("--window", self.window.is_some()),
            ("--total", self.total.is_some()),
            ("--quantizer-seed", self.quantizer_seed.is_some()),
        ]
    }
}

/// Refuses the first of some options that was given, for a reason that follows its name.
pub(crate) fn refuse_without_effect(options: &[(&str, bool)], why: &str) -> Result<(), UsageError> {
    match options.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(UsageError(format!("{option} {why}"))),
    }
}

/// Refuses a file whose folder does not exist, before any work is done for it.
pub(crate) fn check_folder_of(file: &Path) -> anyhow::Result<()> {
    match file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        None => Ok(()),
        Some(folder) => {
            anyhow::bail!(
                "{} cannot be written: there is no folder {}: create it",
                quoted(&file),
                quoted(&folder)
            )
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least one is needed".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("give a whole number of at least 1".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("give a number above 0".to_owned()),
    }
}

/// Seconds from 90, 90s, 1.5m or 1h.
fn length(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.chars().last() {
        Some('s') => (&text[..text.len() - 1], 1.0),
        Some('m') => (&text[..text.len() - 1], 60.0),
        Some('h') => (&text[..text.len() - 1], 3600.0),
        _ => (text, 1.0),
    };
    positive(number)
        .map(|number| number * unit)
        .map_err(|_| "give a time above 0, such as 60s, 5m or 1h".to_owned())
}

fn not_empty(text: &str) -> Result<String, String> {
    match text.trim().is_empty() {
        true => Err("the question is empty: say what you want to know".to_owned()),
        false => Ok(text.to_owned()),
    }
}
