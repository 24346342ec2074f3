//! `vqtoken archive add`: videos in, tokens and vectors on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Quality, TrainedInput};
use clap::Args;
use vqtoken_archive::Archive;
use vqtoken_files::quoted;
use vqtoken_search::{Adder, Source};

use super::open::{self, FinderArguments};
use crate::cli::stages::Stages;
use crate::cli::{
    BaseArguments, EncodingArguments, GlobalArguments, ModelArguments, interrupt, output, pipeline,
};

/// What the names of videos end in, where a folder is added.
const VIDEOS: [&str; 16] = [
    "mp4", "m4v", "mov", "mkv", "webm", "avi", "gif", "mpg", "mpeg", "ts", "m2ts", "wmv", "flv", "3gp",
    "ogv", "vqt",
];

#[derive(Args, Debug)]
pub(crate) struct AddArguments {
    /// The archive's folder; it is made if it is not there
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,

    /// Videos, .vqt files, or folders, whose videos are added with those of all folders below
    #[arg(value_name = "VIDEO|FOLDER", required = true)]
    inputs: Vec<PathBuf>,

    /// Something that is known of all these videos, such as camera=door; can be given more than once
    #[arg(long = "fact", value_name = "NAME=VALUE", value_parser = fact)]
    facts: Vec<(String, String)>,

    /// How precisely codes are kept: exact (32 bits a value), bf16 (16) or int8 (8 and a scale a code)
    #[arg(long, value_name = "QUALITY", default_value_t = Quality::Bf16)]
    quality: Quality,

    #[command(flatten)]
    model: ModelArguments,

    #[command(flatten)]
    base: BaseArguments,

    #[command(flatten)]
    finder: FinderArguments,

    #[command(flatten)]
    encoding: EncodingArguments,
}

pub(super) fn fact(text: &str) -> Result<(String, String), String> {
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
    match text.split_once('=') {
        Some((name, value)) if is_name(name) && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as camera=door".to_owned()),
    }
}

/// How many videos became what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) added: usize,
    pub(crate) there: usize,
    pub(crate) failed: usize,
    /// Of those added, videos whose file was stored before with other settings.
    again: usize,
}

pub(crate) fn run(arguments: &AddArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let inputs = inputs(&arguments.inputs, &arguments.archive)?;
    let archive = open::to_write(&arguments.archive, global)?;
    let counts = add_all(&archive, arguments, &inputs, global)?;
    let Counts { added, there, failed, .. } = counts;
    output::note(format_args!(
        "{added} added, {there} there already, {failed} failed; {} videos in {}",
        archive.count()?,
        quoted(&arguments.archive)
    ));
    match failed {
        0 => Ok(()),
        _ => Err(anyhow::anyhow!("{failed} of {} videos were not added", inputs.len())),
    }
}

/// Adds the videos of a folder to the archive that `vqtoken search` keeps in it, with the built-in model's way of encoding.
pub(crate) fn add_folder(
    archive: &Archive,
    folder: &Path,
    model: ModelArguments,
    finder: FinderArguments,
    global: &GlobalArguments,
) -> anyhow::Result<Counts> {
    let base = BaseArguments { base: None };
    let arguments = AddArguments {
        archive: archive.folder().to_owned(),
        inputs: vec![folder.to_owned()],
        facts: Vec::new(),
        quality: Quality::Bf16,
        model,
        base,
        finder,
        encoding: EncodingArguments::default(),
    };
    let inputs = inputs(&arguments.inputs, archive.folder())?;
    add_all(archive, &arguments, &inputs, &GlobalArguments { json: false, ..global.clone() })
}

fn add_all(
    archive: &Archive,
    arguments: &AddArguments,
    inputs: &[PathBuf],
    global: &GlobalArguments,
) -> anyhow::Result<Counts> {
    let mut load = Stages::default();
    let vision = pipeline::load_vision(&arguments.model, &arguments.base, &mut load)?;
    if vision.trained_input() == TrainedInput::Pooled {
        output::note(pipeline::UNTRAINED_CODES);
    }
    let finder = open::finder(&arguments.finder, &arguments.model)?;
    let shared_layers = open::shared_layers(&arguments.finder, &arguments.model, &arguments.base)?;
    let encoding = &arguments.encoding;
    let adder = Adder::new(archive, &vision, &finder, encoding.sampling(), encoding.encoder_options())?
        .with_quality(arguments.quality)
        .with_open_options(global.open_options())
        .with_shared_layers(shared_layers)
        .with_facts(arguments.facts.clone());
    let bar = output::bar("add", inputs.len());
    let cancellation = interrupt::cancellation();
    let mut counts = Counts::default();
    let (mut printed, is_read) = (Ok(()), AtomicBool::new(true));
    let sources = inputs.iter().map(|input| match pipeline::is_video_tokens(input) {
        true => Source::Tokens(input),
        false => Source::Video(input),
    });
    // One bad video must not cost the others.
    let go_on = |_: &Source<'_>| !cancellation.is_cancelled() && is_read.load(Ordering::Relaxed);
    adder.add_all(sources.take_while(go_on), |source, added| {
        let input = source.path();
        match added {
            Ok(added) => {
                pipeline::warn(input, &added.warnings, global);
                match added.was_there {
                    true => counts.there += 1,
                    false => counts.added += 1,
                }
                counts.again += usize::from(!added.other_settings.is_empty());
                if global.json && printed.is_ok() {
                    printed = output::line(serde_json::json!({
                        "video": input,
                        "id": added.record.id,
                        "was_there": added.was_there,
                        "other_settings": added.other_settings,
                        "bytes": added.record.bytes,
                        "warnings": added.warnings,
                    }));
                    is_read.store(printed.is_ok(), Ordering::Relaxed);
                }
            }
            Err(error) => {
                counts.failed += 1;
                bar.suspend(|| {
                    output::report(
                        &anyhow::Error::from(error).context(quoted(input).to_string()),
                        global.json,
                    )
                });
            }
        }
        bar.inc(1);
    });
    printed?;
    if counts.added + counts.there + counts.failed < inputs.len() {
        anyhow::bail!("interrupted: {} videos were added; run the same command to go on", counts.added);
    }
    bar.finish_and_clear();
    if counts.again > 0 {
        output::note(format_args!(
            "warning: {} of these videos are in the archive with other settings, too, and are found twice: `vqtoken archive remove --superseded {}` removes the old ones",
            counts.again,
            quoted(archive.folder())
        ));
    }
    Ok(counts)
}

/// The videos to add: files as they were given, and of folders all videos by name, in order. The archive itself is left out.
fn inputs(given: &[PathBuf], archive: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in given {
        match path.is_dir() {
            true => {
                let before = all.len();
                videos_below(path, archive, &mut all)?;
                if all.len() == before {
                    anyhow::bail!(
                        "{}: there is no video in this folder or below: name a folder of files that end in .mp4, .mkv, .webm and the like",
                        quoted(path)
                    );
                }
            }
            false => all.push(path.clone()),
        }
    }
    Ok(all)
}

fn videos_below(folder: &Path, archive: &Path, all: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let failed = |error| anyhow::anyhow!("{}: cannot be read: {error}", quoted(&folder));
    let entries = fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    let is_same =
        |path: &Path| path == archive || fs::canonicalize(path).ok() == fs::canonicalize(archive).ok();
    for path in paths {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        // Links to folders can lead around in circles.
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir());
        if is_hidden {
            continue;
        }
        if is_folder {
            if !is_same(&path) {
                videos_below(&path, archive, all)?;
            }
            continue;
        }
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        if ending.is_some_and(|ending| VIDEOS.contains(&ending.as_str())) {
            all.push(path);
        }
    }
    Ok(())
}
