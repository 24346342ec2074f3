//! `vqtoken data shapes`: the built-in moving-shapes video question set.

use std::path::{Path, PathBuf};

use crate::figures;
use clap::Args;
use serde_json::{Value, json};
use vqtoken_files::quoted;
use vqtoken_shapes::{BaselineReport, DataSetSummary, Difficulty, Settings, Split, clips, write_data_set};

use crate::cli::GlobalArguments;
use crate::cli::{UsageError, at_least_one, output};

#[derive(Args, Debug)]
pub(crate) struct ShapesArguments {
    /// Folder of the data set; one that was begun with the same settings is gone on with
    #[arg(short, long, value_name = "DIR", required_unless_present = "report")]
    out: Option<PathBuf>,

    /// Only say what can be guessed without watching, and write nothing
    #[arg(long, conflicts_with = "out")]
    report: bool,

    /// Clips, all parts together
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    clips: usize,

    /// Seed of everything; a larger set of a seed contains the smaller one
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// easy (1 to 3 objects, plain background), normal or hard (3 to 5 that look alike, clutter, noise, shake)
    #[arg(long, value_name = "LEVEL", default_value = "normal", value_parser = difficulty)]
    difficulty: Difficulty,

    /// Questions a clip, at most
    #[arg(long, value_name = "N", default_value_t = Settings::default().questions, value_parser = at_least_one)]
    questions: usize,

    /// Length of a clip
    #[arg(long, value_name = "SECONDS", default_value_t = Settings::default().seconds)]
    seconds: f32,

    /// Frames a second
    #[arg(long, value_name = "RATE", default_value_t = Settings::default().fps)]
    fps: f32,

    /// Share of the clips for validation, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = Settings::default().validation)]
    validation: f32,

    /// Share of the clips for the test, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = Settings::default().test)]
    test: f32,
}

impl ShapesArguments {
    fn settings(&self) -> Settings {
        Settings {
            clips: self.clips,
            seed: self.seed,
            questions: self.questions,
            seconds: self.seconds,
            fps: self.fps,
            validation: self.validation,
            test: self.test,
            ..Settings::at(self.difficulty)
        }
    }
}

fn difficulty(word: &str) -> Result<Difficulty, String> {
    word.parse().map_err(|_| "give easy, normal or hard".to_owned())
}

pub(crate) fn run(arguments: &ShapesArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let settings = arguments.settings();
    settings.check().map_err(|error| UsageError(error.to_string()))?;
    match &arguments.out {
        Some(folder) => write(&settings, folder, global),
        None => report(&settings, global),
    }
}

fn write(settings: &Settings, folder: &Path, global: &GlobalArguments) -> anyhow::Result<()> {
    let bar = output::bar("clips", settings.clips);
    let written = write_data_set(settings, folder, |done, _| bar.set_position(done as u64));
    bar.finish_and_clear();
    let written = written?;
    output::line(match global.json {
        true => record(folder, &written)?.to_string(),
        false => summary(settings, folder, &written),
    })?;
    Ok(())
}

fn report(settings: &Settings, global: &GlobalArguments) -> anyhow::Result<()> {
    let spinner = output::spinner("questions");
    let report = clips(settings).map(|clips| BaselineReport::of(&clips));
    spinner.finish_and_clear();
    let report = report?;
    match global.json {
        true => output::line(json!({ "clips": settings.clips, "report": report }))?,
        false => output::piece(&report)?,
    }
    Ok(())
}

fn record(folder: &Path, written: &DataSetSummary) -> serde_json::Result<Value> {
    let questions: serde_json::Map<String, Value> = Split::ALL
        .into_iter()
        .map(|split| (split.name().to_owned(), written.questions[split as usize].into()))
        .collect();
    Ok(json!({
        "output": folder,
        "clips": written.clips,
        "kept": written.kept,
        "questions": questions,
        "report": serde_json::to_value(&written.report)?,
    }))
}

/// A line for each thing in the folder.
fn summary(settings: &Settings, folder: &Path, written: &DataSetSummary) -> String {
    let mut lines = vec![format!(
        "{}: {} clips of {} frames, {} of them were there already",
        quoted(&folder.join("videos")),
        figures::grouped(written.clips),
        settings.frames(),
        figures::grouped(written.kept),
    )];
    for split in Split::ALL {
        let name = split.name();
        lines.push(format!(
            "{}: {} questions; the same in {name}.json and {name}_open.json, captions in {name}_captions.json",
            quoted(&folder.join(name).with_extension("csv")),
            figures::grouped(written.questions[split as usize]),
        ));
    }
    let all = &written.report.all;
    lines.push(format!("{}: the truth about every frame", quoted(&folder.join("scenes.jsonl"))));
    lines.push(format!(
        "{}: {:.1}% of the answers can be guessed blind, {:.1}% from the middle frame; chance is 20%",
        quoted(&folder.join("report.md")),
        100.0 * all.blind,
        100.0 * all.single_frame,
    ));
    lines.join("\n")
}
