//! `vqtoken inspect`: what is inside a file.

use std::path::{Path, PathBuf};

use crate::{Video, VideoTokens, builtin, figures};
use clap::Args;
use serde_json::{Value, json};
use vqtoken_model::checkpoint::{Checkpoint, ModelFiles, Weights, directory_of, fit_to};
use vqtoken_model::config::OneVisionConfig;

use super::{BaseArguments, output, pipeline};
use crate::cli::GlobalArguments;

#[derive(Args, Debug)]
pub(crate) struct InspectArguments {
    /// A .vqt file, a model directory, or a video [default: the built-in model]
    #[arg(value_name = "FILE.vqt|MODEL_DIR|VIDEO")]
    input: Option<PathBuf>,

    /// Model directory, or id on the Hugging Face hub, which is fetched once
    #[arg(long, value_name = "DIR|HUB_ID", conflicts_with = "input")]
    model: Option<PathBuf>,

    #[command(flatten)]
    base: BaseArguments,
}

/// Rows of a table: a name for people, a key for machines, the value for each.
type Rows = Vec<(&'static str, String, Value)>;

pub(crate) fn run(arguments: &InspectArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let rows = match &arguments.input {
        None => match &arguments.model {
            Some(model) => rows_of_model(model, arguments.base.base.as_deref(), global)?,
            None => model_rows(&builtin::files(), &builtin::weights()?)?,
        },
        Some(path) if pipeline::is_video_tokens(path) => {
            token_rows(path, &VideoTokens::load_within(path, &global.limits())?)?
        }
        Some(path) if is_model(path) => rows_of_model(path, None, global)?,
        Some(path) => video_rows(path, global)?,
    };
    if global.json {
        let object: serde_json::Map<_, _> =
            rows.into_iter().map(|(key, _, value)| (key.to_owned(), value)).collect();
        output::line(Value::from(object))?;
        return Ok(());
    }
    let width = rows.iter().map(|(key, ..)| key.len()).max().unwrap_or(0);
    for (key, text, _) in rows {
        output::line(format_args!("{:width$}  {text}", key.replace('_', " ")))?;
    }
    Ok(())
}

fn row(key: &'static str, text: impl Into<String>, value: impl Into<Value>) -> (&'static str, String, Value) {
    (key, text.into(), value.into())
}

fn token_rows(path: &Path, tokens: &VideoTokens) -> anyhow::Result<Rows> {
    let bytes = std::fs::metadata(path)?.len();
    let shape = tokens.index_map.shape();
    let (codes, dim) = (tokens.codebook.codes(), tokens.codebook.dim());
    let mut rows = vec![
        row("kind", "video tokens", "video tokens"),
        row("model", &tokens.model, tokens.model.as_str()),
        row(
            "grid",
            format!("{} frames of {} x {}", shape.frames, shape.height, shape.width),
            json!([shape.frames, shape.height, shape.width]),
        ),
        row("codes", format!("{codes} of {dim} features"), codes),
        row("features", dim.to_string(), dim),
        row("budget", tokens.budget.to_string(), tokens.budget.to_string()),
        row("quality", tokens.quality.to_string(), tokens.quality.to_string()),
        row(
            "grid_tokens",
            format!(
                "{} ({} of them reach the language model)",
                figures::grouped(shape.len()),
                figures::percent(codes as f64 / shape.len() as f64)
            ),
            shape.len(),
        ),
        row("bytes", figures::bytes(bytes as f64), bytes),
    ];
    let map = tokens.index_map.encode().len();
    let raw = shape.len();
    rows.push(row(
        "index_map_bytes",
        format!("{} coded, {} at a byte a token", figures::bytes(map as f64), figures::bytes(raw as f64)),
        map,
    ));
    if let Some(windows) = &tokens.windows {
        rows.push(row("window", figures::clock(windows.seconds), windows.seconds));
        let total = windows.total.map(|total| total.to_string());
        let text = total.clone().unwrap_or_else(|| "none: every window has codes of its own".to_owned());
        rows.push(row("total", text, total));
    }
    if let (Some(first), Some(last)) = (tokens.timestamps.first(), tokens.timestamps.last()) {
        rows.push(row("times", format!("{first:.2} s to {last:.2} s"), json!([first, last])));
    }
    if let Some(source) = &tokens.source {
        rows.push(row("source", &source.name, source.name.as_str()));
        rows.push(row(
            "source_size",
            format!(
                "{} x {}, {} frames, {:.2} s",
                source.width, source.height, source.frames, source.duration
            ),
            json!([source.width, source.height, source.frames]),
        ));
        rows.push(row("source_bytes", figures::bytes(source.bytes as f64), source.bytes));
        if source.duration > 0.0 {
            let (own, theirs) = (bytes as f64 / source.duration, source.bytes as f64 / source.duration);
            let text = format!(
                "{} of video, {} of the source's {}",
                figures::bytes(own),
                figures::percent(own / theirs),
                figures::bytes(theirs)
            );
            rows.push(row("bytes_per_second", text, own));
            rows.push(row("source_bytes_per_second", figures::bytes(theirs), theirs));
        }
    }
    Ok(rows)
}

fn is_adapter(directory: &Path) -> bool {
    directory.join("adapter_config.json").exists()
}

fn is_model(path: &Path) -> bool {
    is_adapter(path) || path.join("config.json").exists()
}

/// Rows of a model directory or hub id. Only an adapter is held against its base: a model whose files do not fit together can be
/// inspected, too.
fn rows_of_model(model: &Path, base: Option<&Path>, global: &GlobalArguments) -> anyhow::Result<Rows> {
    let (directory, limits) = (directory_of(model)?, global.limits());
    if base.is_some() || is_adapter(&directory) {
        let checkpoint = Checkpoint::open_with(model, base, &limits)?;
        return model_rows(checkpoint.files(), checkpoint.weights());
    }
    let files = ModelFiles::open_within(&directory, &limits)?;
    model_rows(&files, &Weights::open_within(&directory, &limits)?)
}

fn model_rows(files: &ModelFiles, weights: &Weights) -> anyhow::Result<Rows> {
    let place = files.place.display().to_string();
    let mut config =
        OneVisionConfig::parse(&files.place.join("config.json").display().to_string(), &files.config)?;
    fit_to(&mut config, weights);
    let (vision, text, side) = (&config.vision, &config.text, config.vision.grid_side());
    let parameters: usize = weights
        .names()
        .filter_map(|name| weights.shape(name))
        .map(|shape| shape.iter().product::<usize>())
        .sum();
    let attention = match &config.vq_attention {
        Some(kind) => serde_json::to_value(kind)?,
        None => Value::Null,
    };
    let mut types: Vec<String> =
        weights.names().filter_map(|name| weights.describe(name)).map(|(dtype, _)| dtype).collect();
    types.sort();
    types.dedup();
    Ok(vec![
        row("kind", "model", "model"),
        row("place", &place, place.as_str()),
        row(
            "vision_tower",
            format!(
                "SigLIP, {} layers of {} features, {} heads, {} px in patches of {}",
                vision.layers, vision.hidden_size, vision.heads, vision.image_size, vision.patch_size
            ),
            json!({ "layers": vision.layers, "features": vision.hidden_size, "image_size": vision.image_size }),
        ),
        row("grid", format!("{side} x {side}: {} tokens a frame", side * side), json!([side, side])),
        row(
            "language_model",
            format!(
                "Qwen2, {} layers of {} features, {} heads ({} for keys), {} words",
                text.layers, text.hidden_size, text.heads, text.key_heads, text.vocabulary
            ),
            json!({ "layers": text.layers, "features": text.hidden_size, "vocabulary": text.vocabulary }),
        ),
        row(
            "vq_attention",
            attention.get("kind").and_then(Value::as_str).unwrap_or("none").to_owned(),
            attention.clone(),
        ),
        row("trained_input", config.trained_input().to_string(), config.trained_input().to_string()),
        row("parameters", figures::grouped(parameters), parameters),
        row("tensors", weights.len().to_string(), weights.len()),
        row("types", types.join(", "), types.clone()),
        row("bytes", figures::bytes(weights.stored_bytes() as f64), weights.stored_bytes()),
    ])
}

fn video_rows(path: &Path, global: &GlobalArguments) -> anyhow::Result<Rows> {
    let video = Video::open_with(path, &global.open_options())?;
    let info = video.info();
    let warnings: Vec<String> = info.warnings.iter().map(ToString::to_string).collect();
    pipeline::warn(path, &warnings, global);
    let known = |number: usize| if number == 0 { "not known".to_owned() } else { number.to_string() };
    let frames =
        info.frames.map_or_else(|| "not known before decoding".to_owned(), |frames| frames.to_string());
    let duration = info.duration.map_or_else(|| "not known".to_owned(), |seconds| format!("{seconds:.2} s"));
    let mut rows = vec![
        row("kind", "video", "video"),
        row("container", &info.container, info.container.as_str()),
        row("codec", &info.codec, info.codec.as_str()),
        row(
            "decoder",
            format!("{:?}", info.decoder).to_lowercase(),
            format!("{:?}", info.decoder).to_lowercase(),
        ),
        row(
            "size",
            format!("{} x {}", known(info.width), known(info.height)),
            json!([info.width, info.height]),
        ),
        row("rotation", format!("{} degrees", info.rotation), info.rotation),
        row("frames", frames, info.frames),
        row("duration", duration, info.duration),
        row("bytes", figures::bytes(info.file_bytes as f64), info.file_bytes),
    ];
    if global.json {
        rows.push(row("warnings", "", warnings));
    }
    Ok(rows)
}
