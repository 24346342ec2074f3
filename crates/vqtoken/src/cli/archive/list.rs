//! `vqtoken archive list`.

use std::path::PathBuf;

use crate::figures;
use clap::Args;
use vqtoken_search::Condition;

use super::open;
use crate::cli::{GlobalArguments, output};

#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    /// The archive's folder
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,

    /// Only videos whose facts meet a condition, such as "recorded > 2024 and width >= 1280"; can be given more than once
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<Condition>,
}

pub(crate) fn run(arguments: &ListArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let archive = open::to_read(&arguments.archive, global)?;
    let mut videos = 0_usize;
    for record in archive.all()? {
        let facts = archive.facts(&record.id)?;
        if !arguments.conditions.iter().all(|condition| condition.is_met(&facts)) {
            continue;
        }
        videos += 1;
        let codes = record.main_set().map_or(0, |set| set.codes);
        let seconds = record.source.as_ref().map(|source| source.duration);
        match global.json {
            true => {
                let facts: serde_json::Map<String, serde_json::Value> =
                    facts.into_iter().map(|(name, value)| (name, value.into())).collect();
                output::line(serde_json::json!({
                    "id": record.id,
                    "video": record.name,
                    "seconds": seconds,
                    "codes": codes,
                    "bytes": record.bytes,
                    "model": record.key.model,
                    "sampling": record.key.sampling,
                    "facts": facts,
                    "warnings": record.warnings,
                }))?;
            }
            false => output::line(format_args!(
                "{}  {:>8}  {codes:>3} codes  {:>9}  {}",
                record.id,
                seconds.map(figures::clock).unwrap_or_default(),
                figures::bytes(record.bytes as f64),
                record.name
            ))?,
        }
    }
    if !global.json {
        output::note(format_args!("{videos} videos, {}", figures::bytes(archive.bytes()? as f64)));
        for totals in archive.spaces()? {
            output::note(format_args!(
                "{} moments of {} videos by {}, {}",
                figures::grouped(totals.moments as usize),
                totals.videos,
                totals.space.id,
                figures::bytes(totals.bytes as f64)
            ));
        }
    }
    Ok(())
}
