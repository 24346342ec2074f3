//! Which model is measured.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::{LanguageSide, Precision, VideoLlm, VisionSide, builtin, demo_clip};
use clap::Args;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use vqtoken_model::ModelError;
use vqtoken_model::checkpoint::Checkpoint;
use vqtoken_model::config::{OneVisionConfig, TextConfig, VisionConfig};

use crate::cli::stages::Stages;
use crate::cli::{BaseArguments, ModelArguments, at_least_one, output, pipeline};

/// A model and how it is run.
#[derive(Args, Debug)]
pub(in crate::cli::bench) struct Subject {
    #[command(flatten)]
    model: ModelArguments,

    #[command(flatten)]
    base: BaseArguments,

    /// Random weights of a public model's shape instead: onevision-0.5b or onevision-7b
    #[arg(long, value_name = "NAME", conflicts_with = "model")]
    random: Option<Shape>,

    /// Threads [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    threads: Option<usize>,
}

/// How often something is measured.
#[derive(Args, Debug)]
pub(super) struct Repetitions {
    /// Runs: `runs` has the seconds of each, `seconds` is their median
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = at_least_one)]
    pub(super) repeat: usize,
}

/// A public model of which only the shape is taken.
#[derive(Clone, Copy, Debug)]
enum Shape {
    OneVision0_5b,
    OneVision7b,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::OneVision0_5b => "onevision-0.5b",
            Self::OneVision7b => "onevision-7b",
        }
    }

    fn config(self) -> OneVisionConfig {
        let text = match self {
            Self::OneVision0_5b => TextConfig::qwen2_0_5b(),
            Self::OneVision7b => TextConfig::qwen2_7b(),
        };
        OneVisionConfig {
            vision: VisionConfig::siglip_so400m(),
            text,
            vq_attention: None,
            visual_input: None,
        }
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::OneVision0_5b, Self::OneVision7b]
            .into_iter()
            .find(|shape| shape.name() == name)
            .ok_or_else(|| "the shapes known are onevision-0.5b and onevision-7b".to_owned())
    }
}

impl Subject {
    /// Sets the threads of all that follows.
    pub(in crate::cli::bench) fn set_threads(&self) -> anyhow::Result<()> {
        set_threads(self.threads)
    }

    fn checkpoint(&self) -> Result<Checkpoint, ModelError> {
        pipeline::checkpoint(&self.model, &self.base)
    }

    /// Whether `benchmarks/peer.py` has the same shape.
    pub(super) fn has_peer(&self) -> bool {
        matches!(self.random, Some(Shape::OneVision0_5b))
    }

    /// The model, in its precision.
    pub(in crate::cli::bench) fn load(&self, stages: &mut Stages) -> anyhow::Result<VideoLlm> {
        self.load_as(self.model.precision, stages)
    }

    /// The model, in another precision than was asked for.
    pub(super) fn load_as(&self, precision: Precision, stages: &mut Stages) -> anyhow::Result<VideoLlm> {
        let spinner = output::spinner("model");
        let model = stages.time("load", || match self.random {
            Some(shape) => VideoLlm::random(shape.name(), shape.config(), &builtin::files(), precision, 0),
            None => VideoLlm::from_checkpoint(self.checkpoint()?, precision),
        })?;
        spinner.finish_and_clear();
        Ok(model)
    }

    /// Its vision side alone, in its precision.
    pub(super) fn load_vision(&self, stages: &mut Stages) -> anyhow::Result<VisionSide> {
        let spinner = output::spinner("model");
        let precision = self.model.precision;
        let vision = stages.time("load", || match self.random {
            Some(shape) => VisionSide::random(shape.name(), &shape.config(), &builtin::files(), precision, 0),
            None => VisionSide::from_checkpoint(&self.checkpoint()?, precision),
        })?;
        spinner.finish_and_clear();
        Ok(vision)
    }

    /// Its language side alone, in its precision.
    pub(super) fn load_language(&self, stages: &mut Stages) -> anyhow::Result<LanguageSide> {
        let spinner = output::spinner("model");
        let precision = self.model.precision;
        let language = stages.time("load", || match self.random {
            Some(shape) => {
                LanguageSide::random(shape.name(), &shape.config(), &builtin::files(), precision, 0)
            }
            None => LanguageSide::from_checkpoint(&self.checkpoint()?, precision),
        })?;
        spinner.finish_and_clear();
        Ok(language)
    }
}

/// The video that was named, or the demonstration clip, which is there as long as the folder beside it is held.
pub(super) fn video_or_demo(video: Option<&Path>) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    match video {
        Some(video) => Ok((video.to_owned(), None)),
        None => {
            let folder = tempfile::tempdir()?;
            let video = folder.path().join("shapes.mp4");
            demo_clip::write(&video)?;
            Ok((video, Some(folder)))
        }
    }
}

/// Sets the threads of everything that this process computes from now on.
pub(super) fn set_threads(threads: Option<usize>) -> anyhow::Result<()> {
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    }
    Ok(())
}

/// What a record says of the model, or of the side of it that is measured.
pub(super) fn describe(
    id: &str,
    precision: Precision,
    weights_bytes: usize,
    record: &mut Map<String, Value>,
) {
    record.insert("model".to_owned(), json!(id));
    record.insert("precision".to_owned(), json!(precision.to_string()));
    record.insert("weights_bytes".to_owned(), json!(weights_bytes));
}
