//! `vqtoken bench drift`: how far a precision moves the numbers from `f32`.

use std::path::PathBuf;

use crate::{Precision, Sampling, Video, VideoLlm};
use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::subject::{Subject, video_or_demo};
use crate::cli::GlobalArguments;
use crate::cli::output;
use crate::cli::stages::Stages;

#[derive(Args, Debug)]
pub(crate) struct DriftArguments {
    /// A video [default: the demonstration clip]
    video: Option<PathBuf>,

    #[command(flatten)]
    subject: Subject,

    /// Frames to compare
    #[arg(long, value_name = "T", default_value_t = 2, value_parser = crate::cli::at_least_one)]
    frames: usize,
}

/// Tokens of the video and logits of a question in both precisions, one model after the other.
pub(crate) fn run(arguments: &DriftArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    arguments.subject.set_threads()?;
    let (video, _folder) = video_or_demo(arguments.video.as_deref())?;
    let clip =
        Video::open_with(&video, &global.open_options())?.sample(Sampling::Uniform(arguments.frames))?;
    let mut stages = Stages::default();
    let exact = arguments.subject.load_as(Precision::F32, &mut stages)?;
    let expected = exact.vision()?.embed(&clip)?.data().to_vec();
    let expected_logits = logits(&exact, &expected)?;
    let dim = exact.config().text.hidden_size;
    drop(exact);
    let model = arguments.subject.load(&mut stages)?;
    let found = model.vision()?.embed(&clip)?.data().to_vec();
    // The same visual tokens, so that what the language model adds is seen by itself.
    let found_logits = logits(&model, &expected)?;
    let (mean, worst) = cosines(&expected, &found, dim);
    let (logit_cosine, _) = cosines(&expected_logits, &found_logits, expected_logits.len());
    if !(mean.is_finite() && logit_cosine.is_finite()) {
        bail!("{}: tokens or logits are not finite in {}", model.id(), model.precision());
    }
    let top = |logits: &[f32]| (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    let same_word = top(&expected_logits) == top(&found_logits);
    if global.json {
        return Ok(output::line(json!({
            "bench": "drift",
            "model": model.id(),
            "precision": model.precision().to_string(),
            "frames": clip.frames.len(),
            "token_cosine_mean": mean,
            "token_cosine_least": worst,
            "logit_cosine": logit_cosine,
            "same_first_word": same_word,
        }))?);
    }
    Ok(output::line(format_args!(
        "{} in {}: visual tokens keep a cosine of {mean:.6} to f32 ({worst:.6} at least), logits one of {logit_cosine:.6}, \
         the first word is {}",
        model.id(),
        model.precision(),
        if same_word { "the same" } else { "another" },
    ))?)
}

/// Logits after a question about visual tokens.
fn logits(model: &VideoLlm, tokens: &[f32]) -> anyhow::Result<Vec<f32>> {
    const TOKENS: usize = 32;
    let language = model.language();
    let d = language.config().hidden_size;
    let visual = language.tokens_of(&tokens[..tokens.len().min(TOKENS * d)], d)?;
    let all = language.logits(&[], Some(&visual), &[])?;
    let width = language.config().vocabulary;
    Ok(all[all.len() - width..].to_vec())
}

/// Mean and least cosine of rows.
fn cosines(a: &[f32], b: &[f32], dim: usize) -> (f64, f64) {
    let cosine = |(a, b): (&[f32], &[f32])| {
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let all: Vec<f64> = a.chunks(dim).zip(b.chunks(dim)).map(cosine).collect();
    (all.iter().sum::<f64>() / all.len() as f64, all.iter().copied().fold(f64::INFINITY, f64::min))
}
