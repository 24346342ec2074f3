//! `vqtoken show`: a picture of video tokens.

use std::path::{Path, PathBuf};

use crate::picture::{self, PictureOptions};
use crate::{Budget, Clip, Frame, Precision, Sampling, Video, VideoTokens};
use clap::Args;

use super::stages::Stages;
use super::{BaseArguments, EncodingArguments, ModelArguments, UsageError, output, pipeline};
use crate::cli::GlobalArguments;

#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    /// A .vqt file, a video or a folder of images
    #[arg(value_name = "FILE.vqt|VIDEO")]
    input: PathBuf,

    /// The picture to write
    #[arg(short, long, value_name = "OUT.png")]
    output: PathBuf,

    /// The video that a .vqt file was made from, to draw its frames too
    #[arg(long, value_name = "VIDEO")]
    video: Option<PathBuf>,

    /// Frames to draw, at most
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = super::at_least_one)]
    drawn: usize,

    /// Draw the curve by which --tokens adaptive[:RULE[:MIN-MAX]] chose the number of codes of a video instead
    #[arg(long, conflicts_with_all = ["video", "drawn"])]
    curve: bool,

    #[command(flatten)]
    model: ModelArguments,

    #[command(flatten)]
    base: BaseArguments,

    #[command(flatten)]
    encoding: EncodingArguments,
}

pub(crate) fn run(arguments: &ShowArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    if !arguments.output.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
        return Err(UsageError(format!(
            "{}: the picture is a PNG; end its name in .png",
            arguments.output.display()
        ))
        .into());
    }
    super::check_folder_of(&arguments.output)?;
    if arguments.curve {
        return show_curve(arguments, global);
    }
    let Shown { tokens, frames, warnings } = match pipeline::is_video_tokens(&arguments.input) {
        true => read(arguments, global)?,
        false => encode(arguments, global)?,
    };
    let options = PictureOptions { frames: arguments.drawn, ..PictureOptions::default() };
    let image = picture::draw(&tokens, frames.as_deref(), &options)?;
    picture::save_png(&image, &arguments.output)?;
    output::line(match global.json {
        true => serde_json::json!({
            "output": arguments.output,
            "width": image.width(),
            "height": image.height(),
            "codes": tokens.codebook.codes(),
            "warnings": warnings,
        })
        .to_string(),
        false => format!(
            "{}: {} x {}, {} frames, {} codes",
            arguments.output.display(),
            image.width(),
            image.height(),
            tokens.index_map.shape().frames,
            tokens.codebook.codes()
        ),
    })?;
    Ok(())
}

/// Draws, or also prints, how the number of codes was chosen.
fn show_curve(arguments: &ShowArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    if pipeline::is_video_tokens(&arguments.input) {
        return Err(UsageError(
            "--curve needs the video: a .vqt file does not keep how its number of codes was chosen"
                .to_owned(),
        )
        .into());
    }
    if arguments.encoding.windows().is_some() {
        return Err(UsageError(
            "--curve shows one choice, and every window makes its own: leave out --window".to_owned(),
        )
        .into());
    }
    let budget = arguments.encoding.budget();
    let Budget::Adaptive { rule, .. } = budget else {
        return Err(UsageError(format!(
            "--curve shows how the number of codes was chosen, and --tokens {budget} chooses none: add --tokens adaptive"
        ))
        .into());
    };
    let mut stages = Stages::default();
    let clip = pipeline::sample(&arguments.input, &arguments.encoding, &mut stages, global)?;
    let vision = pipeline::load_vision(&arguments.model, &arguments.base, &mut stages)?;
    let grid = pipeline::embed(&vision, &clip, &arguments.encoding, &mut stages)?;
    let stats = pipeline::quantization(&vision, &grid, &arguments.encoding, &mut stages)?.stats;
    let name = arguments.input.file_name().unwrap_or(arguments.input.as_os_str()).to_string_lossy();
    let image = picture::draw_curve(&stats, &budget, &name, grid.shape().len())?;
    picture::save_png(&image, &arguments.output)?;
    let points = stats.curve.iter().map(|point| {
        serde_json::json!({
            "codes": point.codes,
            "distortion": point.distortion,
            "inertia": point.inertia,
            "silhouette": point.silhouette,
            "rule_value": rule.value(point, stats.variance),
        })
    });
    output::line(match global.json {
        true => serde_json::json!({
            "output": arguments.output,
            "width": image.width(),
            "height": image.height(),
            "budget": budget.to_string(),
            "codes": stats.codes,
            "variance": stats.variance,
            "curve": points.collect::<Vec<_>>(),
            "warnings": clip.messages(),
        })
        .to_string(),
        false => format!(
            "{}: {} x {}, {} codes chosen from {} numbers of codes by {rule}",
            arguments.output.display(),
            image.width(),
            image.height(),
            stats.codes,
            stats.curve.len()
        ),
    })?;
    Ok(())
}

/// What is drawn.
struct Shown {
    tokens: VideoTokens,
    frames: Option<Vec<Frame>>,
    /// What the user has to be told of the video.
    warnings: Vec<String>,
}

fn encode(arguments: &ShowArguments, global: &GlobalArguments) -> anyhow::Result<Shown> {
    if arguments.video.is_some() {
        return Err(
            UsageError("--video goes with a .vqt file; a video brings its own frames".to_owned()).into()
        );
    }
    let mut stages = Stages::default();
    let clip = pipeline::sample(&arguments.input, &arguments.encoding, &mut stages, global)?;
    let vision = pipeline::load_vision(&arguments.model, &arguments.base, &mut stages)?;
    let tokens = pipeline::encode_clip(&vision, &clip, &arguments.encoding, &mut stages)?.tokens;
    let warnings = clip.messages();
    Ok(Shown { tokens, frames: Some(clip.frames), warnings })
}

fn read(arguments: &ShowArguments, global: &GlobalArguments) -> anyhow::Result<Shown> {
    arguments.encoding.refuse_for_tokens()?;
    let model = [
        ("--model", arguments.model.model.is_some()),
        ("--base", arguments.base.base.is_some()),
        ("--precision", arguments.model.precision != Precision::default()),
    ];
    super::refuse_without_effect(&model, "makes codes, and a .vqt file has them already: leave it out")?;
    let tokens = VideoTokens::load_within(&arguments.input, &global.limits())?;
    let clip = arguments.video.as_deref().map(|video| clip_of(video, &tokens, global)).transpose()?;
    let warnings = clip.as_ref().map(Clip::messages).unwrap_or_default();
    Ok(Shown { tokens, frames: clip.map(|clip| clip.frames), warnings })
}

/// The frames that the tokens were made from, found again by their times.
fn clip_of(video: &Path, tokens: &VideoTokens, global: &GlobalArguments) -> anyhow::Result<Clip> {
    let times = &tokens.timestamps;
    let clip = Video::open_with(video, &global.open_options())?.sample(Sampling::Uniform(times.len()))?;
    pipeline::warn(video, &clip.messages(), global);
    let same = clip.timestamps.iter().zip(times).all(|(a, b)| (a - b).abs() < 1e-3);
    if !same {
        anyhow::bail!(
            "{} does not have its evenly spaced frames at the times of the video tokens: name the video they were made \
             from, or show that video itself",
            video.display()
        );
    }
    Ok(clip)
}
