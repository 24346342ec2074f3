//! `vqtoken archive remove`, `verify`, `compact` and `export`.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::figures;
use clap::Args;
use vqtoken_archive::{Space, VideoRecord};
use vqtoken_files::quoted;
use vqtoken_search::export_parquet;

use super::open;
use crate::cli::{GlobalArguments, UsageError, output};

#[derive(Args, Debug)]
pub(crate) struct FolderArgument {
    /// The archive's folder
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct RemoveArguments {
    /// The archive's folder
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,

    /// Ids or names of videos
    #[arg(value_name = "VIDEO", required_unless_present = "superseded")]
    videos: Vec<String>,

    /// All videos of which the same file was stored again later, with other settings
    #[arg(long, conflicts_with = "videos")]
    superseded: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArguments {
    /// The archive's folder
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,

    /// The Parquet file to write
    #[arg(short, long, value_name = "OUT.parquet")]
    output: PathBuf,

    /// The retriever whose vectors are written, as `list` names it [default: the only one]
    #[arg(long, value_name = "ID")]
    space: Option<String>,
}

pub(crate) fn remove(arguments: &RemoveArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let archive = open::existing(&arguments.archive, global)?;
    let all = archive.all()?;
    let mut ids = if arguments.superseded { superseded(&all) } else { Vec::new() };
    // All are looked up first: a name that is wrong removes nothing.
    for name in &arguments.videos {
        let found: Vec<_> = all.iter().filter(|record| record.id == *name || record.name == *name).collect();
        match found.as_slice() {
            [one] => ids.push((one.id.clone(), one.name.clone())),
            [] => anyhow::bail!(
                "{}: no video of the archive has this id or name; nothing was removed",
                quoted(name)
            ),
            several => anyhow::bail!(
                "{}: {} videos have this name; nothing was removed: name one by its id, such as {}",
                quoted(name),
                several.len(),
                several[0].id
            ),
        }
    }
    for (id, name) in ids {
        archive.remove(&id)?;
        output::line(match global.json {
            true => serde_json::json!({ "removed": id, "video": name }).to_string(),
            false => format!("removed {id} {name}"),
        })?;
    }
    Ok(())
}

/// Ids and names of all videos but the last one of each file; `all` is in the order of storing.
fn superseded(all: &[VideoRecord]) -> Vec<(String, String)> {
    let last: HashMap<_, _> = all.iter().map(|record| (record.key.content, &record.id)).collect();
    let old = all.iter().filter(|record| last.get(&record.key.content) != Some(&&record.id));
    old.map(|record| (record.id.clone(), record.name.clone())).collect()
}

pub(crate) fn verify(arguments: &FolderArgument, global: &GlobalArguments) -> anyhow::Result<()> {
    let archive = open::to_read(&arguments.archive, global)?;
    let damaged = archive.verify()?;
    for part in &damaged {
        output::line(match global.json {
            true => serde_json::json!({ "path": part.path, "message": part.message, "videos": part.videos })
                .to_string(),
            false => format!("{} ({} videos)", part.message, part.videos.len()),
        })?;
    }
    match damaged.len() {
        0 => {
            if !global.json {
                output::line(format_args!(
                    "{} videos: all files are as they were written",
                    archive.count()?
                ))?;
            }
            Ok(())
        }
        parts => Err(anyhow::anyhow!("{parts} files of {} are damaged or gone", quoted(&arguments.archive))),
    }
}

pub(crate) fn compact(arguments: &FolderArgument, global: &GlobalArguments) -> anyhow::Result<()> {
    let done = open::existing(&arguments.archive, global)?.compact()?;
    output::line(match global.json {
        true => serde_json::json!({
            "segments_before": done.segments_before,
            "segments_after": done.segments_after,
            "bytes_before": done.bytes_before,
            "bytes_after": done.bytes_after,
        })
        .to_string(),
        false => format!(
            "{} files of {} became {} of {}",
            done.segments_before,
            figures::bytes(done.bytes_before as f64),
            done.segments_after,
            figures::bytes(done.bytes_after as f64)
        ),
    })?;
    Ok(())
}

pub(crate) fn export(arguments: &ExportArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    crate::cli::check_folder_of(&arguments.output)?;
    let archive = open::to_read(&arguments.archive, global)?;
    let spaces: Vec<Space> = archive.spaces()?.into_iter().map(|totals| totals.space).collect();
    let chosen: Vec<&Space> =
        spaces.iter().filter(|space| arguments.space.as_ref().is_none_or(|id| *id == space.id)).collect();
    let names: Vec<&str> = spaces.iter().map(|space| space.id.as_str()).collect();
    let space = match chosen.as_slice() {
        [one] => *one,
        [] if spaces.is_empty() => {
            anyhow::bail!("{}: the archive has no vectors yet", quoted(&arguments.archive))
        }
        _ => {
            return Err(
                UsageError(format!("say whose vectors with --space: one of {}", names.join(", "))).into()
            );
        }
    };
    let rows = export_parquet(&archive, space, &arguments.output)?;
    output::line(match global.json {
        true => {
            serde_json::json!({ "output": arguments.output, "rows": rows, "space": space.id }).to_string()
        }
        false => format!("{}: {} moments", arguments.output.display(), figures::grouped(rows)),
    })?;
    Ok(())
}
