//! `vqtoken bench perplexity`: what a precision costs on a text.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use vqtoken_files::quoted;

use super::subject::{Subject, describe};
use crate::cli::stages::Stages;
use crate::cli::{GlobalArguments, output};
use crate::figures;

/// A text may have so many bytes.
const MOST_BYTES: u64 = 64 << 20;

#[derive(Args, Debug)]
pub(crate) struct PerplexityArguments {
    /// A text file in UTF-8
    text: PathBuf,

    #[command(flatten)]
    subject: Subject,

    /// Tokens that are read together; each block of them stands for itself
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(2..))]
    context: u32,

    /// Tokens of the text at most [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    tokens: Option<u32>,
}

pub(crate) fn run(arguments: &PerplexityArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    arguments.subject.set_threads()?;
    let file = &arguments.text;
    let text = read(file)?;
    let language = arguments.subject.load_language(&mut Stages::default())?;
    let mut ids = language.tokenizer().encode(&text)?;
    ids.truncate(arguments.tokens.map_or(ids.len(), |tokens| tokens as usize));
    // A last block of one token has none to expect.
    let blocks: Vec<&[u32]> =
        ids.chunks(arguments.context as usize).filter(|block| block.len() > 1).collect();
    let progress = output::bar("blocks", blocks.len());
    let start = Instant::now();
    let (mut sum, mut count) = (0.0, 0);
    for block in &blocks {
        let losses = language.losses(block)?;
        sum += losses.iter().sum::<f64>();
        count += losses.len();
        progress.inc(1);
    }
    progress.finish_and_clear();
    if count == 0 {
        bail!("{} has {} tokens; at least two are needed", quoted(file), ids.len());
    }
    let (seconds, perplexity) = (start.elapsed().as_secs_f64(), (sum / count as f64).exp());
    if !perplexity.is_finite() {
        bail!("{}: logits are not finite in {}", language.id(), language.precision());
    }
    if global.json {
        let mut record = serde_json::Map::new();
        record.insert("bench".to_owned(), json!("perplexity"));
        describe(language.id(), language.precision(), language.packed_bytes(), &mut record);
        record.insert("tokens".to_owned(), json!(count));
        record.insert("perplexity".to_owned(), json!(perplexity));
        record.insert("seconds".to_owned(), json!(seconds));
        return Ok(output::line(serde_json::Value::from(record))?);
    }
    Ok(output::line(format_args!(
        "{} in {}: perplexity {perplexity:.4} over {count} tokens in {seconds:.1} s, {} of weights",
        language.id(),
        language.precision(),
        figures::bytes(language.packed_bytes() as f64),
    ))?)
}

/// A text of a size that a file of prose may have.
fn read(file: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|opened| opened.take(MOST_BYTES + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("{} cannot be read", quoted(file)))?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!("{} is larger than {MOST_BYTES} bytes; give a part of it", quoted(file));
    }
    String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8 text", quoted(file)))
}
