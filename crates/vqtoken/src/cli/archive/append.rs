//! `vqtoken archive append`: `.vqt` files from standard input, one after the other, as a camera far away sends them.

use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;

use crate::{EncoderOptions, Sampling, VideoTokens};
use anyhow::Context;
use clap::Args;
use vqtoken_files::Limit;
use vqtoken_search::Adder;

use super::open::{self, FinderArguments};
use crate::cli::stages::Stages;
use crate::cli::{BaseArguments, GlobalArguments, ModelArguments, output, pipeline};

/// The largest header of a `.vqt` file, in bytes.
const MOST_HEADER: u64 = 1 << 24;

#[derive(Args, Debug)]
pub(crate) struct AppendArguments {
    /// The archive's folder; it is made if it is not there
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,

    /// What the videos are called: their number follows
    #[arg(long, value_name = "NAME", default_value = "stream")]
    name: String,

    /// Something that is known of all of them, such as camera=door; can be given more than once
    #[arg(long = "fact", value_name = "NAME=VALUE", value_parser = super::add::fact)]
    facts: Vec<(String, String)>,

    #[command(flatten)]
    model: ModelArguments,

    #[command(flatten)]
    finder: FinderArguments,
}

pub(crate) fn run(arguments: &AppendArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let archive = open::to_write(&arguments.archive, global)?;
    let base = BaseArguments { base: None };
    let vision = pipeline::load_vision(&arguments.model, &base, &mut Stages::default())?;
    let finder = open::finder(&arguments.finder, &arguments.model)?;
    let mut adder = Adder::new(
        &archive,
        &vision,
        &finder,
        Sampling::Uniform(1),
        EncoderOptions::new(crate::Budget::PAPER_FIXED),
    )?
    .with_facts(arguments.facts.clone());
    let mut input = io::stdin().lock();
    let mut count = 0_usize;
    while let Some(bytes) = next_file(&mut input, global.limits().get(Limit::Bytes))
        .with_context(|| format!("standard input, after {count} files"))?
    {
        let tokens = VideoTokens::from_bytes_within(&bytes, &global.limits())
            .with_context(|| format!("file {} of standard input", count + 1))?;
        let name = format!("{} {}", arguments.name, archive.count()? + 1);
        let added = adder.add_given(&name, &bytes, tokens)?;
        count += 1;
        // Each line acknowledges a file that is on the disk.
        output::line(match global.json {
            true => serde_json::json!({
                "id": added.record.id, "video": added.record.name, "was_there": added.was_there,
            })
            .to_string(),
            false => format!("{} {}", added.record.id, added.record.name),
        })?;
    }
    match count {
        0 => anyhow::bail!(
            "standard input is empty: send .vqt files, such as cat windows/*.vqt | vqtoken archive append ARCHIVE"
        ),
        _ => Ok(()),
    }
}

/// The bytes of the next file; none at the end of the stream. A `.vqt` file tells its length at its start.
fn next_file(input: &mut impl Read, most: u64) -> anyhow::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    input.take(8).read_to_end(&mut bytes)?;
    let length: [u8; 8] = match bytes.as_slice().try_into() {
        Ok(length) => length,
        Err(_) if bytes.is_empty() => return Ok(None),
        Err(_) => return Err(cut()),
    };
    let header = u64::from_le_bytes(length);
    if header > MOST_HEADER.min(most) {
        anyhow::bail!(
            "a header of {header} bytes is no .vqt file's: send .vqt files one after the other and nothing else"
        );
    }
    read_more(input, &mut bytes, header)?;
    let data = data_length(&bytes[8..]).context(
        "no .vqt file: its header cannot be read: send .vqt files one after the other and nothing else",
    )?;
    if data > most {
        anyhow::bail!(
            "a file of {data} bytes is more than the limit of {most}: allow more with --allow bytes=N"
        );
    }
    read_more(input, &mut bytes, data)?;
    Ok(Some(bytes))
}

/// Where the last tensor that a header speaks of ends, in bytes after the header.
fn data_length(header: &[u8]) -> Option<u64> {
    let tensors: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
    let ends = tensors.iter().filter(|(name, _)| *name != "__metadata__");
    ends.map(|(_, tensor)| tensor.get("data_offsets")?.get(1)?.as_u64())
        .try_fold(0, |most, end| Some(most.max(end?)))
}

fn read_more(input: &mut impl Read, bytes: &mut Vec<u8>, count: u64) -> anyhow::Result<()> {
    let before = bytes.len() as u64;
    input.take(count).read_to_end(bytes)?;
    if bytes.len() as u64 - before < count { Err(cut()) } else { Ok(()) }
}

fn cut() -> anyhow::Error {
    io::Error::new(
        ErrorKind::UnexpectedEof,
        "the last file is cut: what came before it is in the archive; send it again",
    )
    .into()
}
