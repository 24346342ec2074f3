//! `vqtoken archive append`: `.vqt` files from standard input, one after the other, as a camera far away sends them.

use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use crate::{EncoderOptions, Sampling, VideoTokens};
use anyhow::Context;
use clap::Args;
use vqtoken_files::Limit;
use vqtoken_search::{Adder, TokenStream};

use super::open::{self, FinderArguments};
use crate::cli::stages::Stages;
use crate::cli::{BaseArguments, GlobalArguments, ModelArguments, output, pipeline};

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
    let adder = Adder::new(
        &archive,
        &vision,
        &finder,
        Sampling::Uniform(1),
        EncoderOptions::new(crate::Budget::PAPER_FIXED),
    )?
    .with_facts(arguments.facts.clone());
    let mut input = BufReader::with_capacity(1 << 16, io::stdin().lock());
    let mut stream = TokenStream::new(global.limits().get(Limit::Bytes));
    let mut count = 0_usize;
    while let Some(bytes) =
        next_file(&mut input, &mut stream).with_context(|| format!("standard input, after {count} files"))?
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
    stream.finish().with_context(|| format!("standard input, after {count} files"))?;
    match count {
        0 => anyhow::bail!(
            "standard input is empty: send .vqt files, such as cat windows/*.vqt | vqtoken archive append ARCHIVE"
        ),
        _ => Ok(()),
    }
}

/// The bytes of the next file; none at the end of the input.
fn next_file(input: &mut impl BufRead, stream: &mut TokenStream) -> anyhow::Result<Option<Vec<u8>>> {
    loop {
        let piece = input.fill_buf()?;
        if piece.is_empty() {
            return Ok(None);
        }
        let mut rest = piece;
        let file = stream.next_file(&mut rest)?;
        let taken = piece.len() - rest.len();
        input.consume(taken);
        if file.is_some() {
            return Ok(file);
        }
    }
}
