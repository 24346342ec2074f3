//! `vqtoken train`: a configuration in, a model out.

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use vqtoken_files::quoted;
use vqtoken_train::{EarlierRun, Event, METRICS, RunFolders, StageConfig, TrainConfig, plot_metrics, run};

use super::{output, refuse_without_effect};
use crate::cli::GlobalArguments;

#[derive(Args, Debug)]
pub(crate) struct TrainArguments {
    /// What to train: a TOML file, see docs/training.md
    #[arg(value_name = "CONFIG.toml")]
    config: PathBuf,

    /// Folder of the run: one folder for each stage, with its log, checkpoint, plot and model [default: runs/ and the
    /// configuration's name]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Folder of what a frozen vision tower makes of the clips, which several runs may share [default: features beside --out]
    #[arg(long, value_name = "DIR")]
    features: Option<PathBuf>,

    /// Go on with a run that was broken off
    #[arg(long)]
    resume: bool,
}

pub(crate) fn run_command(arguments: &TrainArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let config = TrainConfig::read_within(&arguments.config, global.limits())?;
    if !config.stages.iter().any(StageConfig::caches_features) {
        let why = "is of no use: no stage here keeps features, which takes a frozen tower and projector";
        refuse_without_effect(&[("--features", arguments.features.is_some())], why)?;
    }
    let name = arguments.config.file_stem().unwrap_or_default();
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(name));
    let features = arguments.features.clone().unwrap_or_else(|| out.with_file_name("features"));
    fs::create_dir_all(&out).map_err(|error| anyhow::anyhow!("{} cannot be made: {error}", quoted(&out)))?;
    let folders = RunFolders::new(out.clone(), features);
    let earlier = if arguments.resume { EarlierRun::Resume } else { EarlierRun::Refuse };
    let mut screen = Screen { bar: None, json: global.json };
    let model = run(&config, &folders, earlier, &mut |event| {
        screen.show(&event);
        ControlFlow::Continue(())
    })?;
    for stage in &config.stages {
        let folder = out.join(&stage.name);
        plot_metrics(&folder.join(METRICS), &folder.join("metrics.svg"), &stage.name)?;
    }
    let Some(model) = model else { return Ok(()) };
    match global.json {
        true => output::line(json!({ "model": model }))?,
        false => output::line(format_args!("{}: the trained model", quoted(&model)))?,
    }
    Ok(())
}

/// What is shown while training goes on: a bar for people, a line of JSON for each validation for machines.
struct Screen {
    bar: Option<ProgressBar>,
    json: bool,
}

impl Screen {
    fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Preparing { what, done, total } => {
                if *done == 0 {
                    self.begin(what, *total);
                }
                if let Some(bar) = &self.bar {
                    bar.set_position(*done as u64);
                }
            }
            Event::Stage { name, step, steps } => {
                self.begin(name, *steps);
                if let Some(bar) = &self.bar {
                    bar.set_position(*step as u64);
                    bar.reset_eta();
                }
            }
            Event::LeftOut { pictures, texts } => output::note(format_args!(
                "left out: {} rows without a video: {pictures} about pictures, {texts} of text alone",
                pictures + texts
            )),
            Event::Step { step, measures, rate } => {
                if let Some(bar) = &self.bar {
                    bar.set_position(*step as u64);
                    let loss = measures.get("loss").unwrap_or_default();
                    bar.set_message(format!("loss {loss:.4}, rate x{rate:.3}"));
                }
            }
            Event::Validation { step, measures } => {
                if self.json {
                    let mut line = measures.to_json();
                    line.insert("step".to_owned(), json!(step));
                    // Whoever reads this may be gone; training is not.
                    let _ = output::line(serde_json::Value::Object(line));
                } else {
                    let numbers: Vec<String> =
                        measures.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
                    let text = format!("step {step}: {}", numbers.join(", "));
                    match &self.bar {
                        Some(bar) if !bar.is_hidden() => bar.println(text),
                        _ => output::note(text),
                    }
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, what: &str, length: usize) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let bar = ProgressBar::new(length as u64).with_prefix(what.to_owned());
        let style = "{prefix:>10} {bar:40} {pos}/{len} {per_sec} {eta} {msg}";
        self.bar = Some(match ProgressStyle::with_template(style) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        });
    }
}
