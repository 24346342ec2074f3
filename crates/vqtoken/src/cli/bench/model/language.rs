//! `vqtoken bench language`: reading a prompt, and the words behind it.

use std::time::Instant;

use crate::{GenerationOptions, LanguageSide, VisualTokens, figures};
use clap::Args;
use serde_json::{Value, json};
use vqtoken_kernels::Kernels;
use vqtoken_model::{Purpose, TextPart, TextToRead};
use vqtoken_video::Cancellation;

use super::record::Runs;
use super::subject::{Repetitions, Subject, describe};
use crate::cli::GlobalArguments;
use crate::cli::bench::peer;
use crate::cli::stages::Stages;
use crate::cli::{at_least_one, output};

#[derive(Args, Debug)]
pub(crate) struct LanguageArguments {
    #[command(flatten)]
    subject: Subject,

    #[command(flatten)]
    repetitions: Repetitions,

    /// Positions of the prompt (may be given several times): 80 are a question about 32 codes, 6321 one about the 6,273
    /// pooled tokens of LLaVA-OneVision
    #[arg(long, value_name = "N", default_values_t = [80], value_parser = at_least_one)]
    prompt: Vec<usize>,

    /// Tokens that are generated behind it
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    tokens: usize,

    /// Answers that are written at once, measured after one alone
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    rows: Option<usize>,
}

pub(crate) fn run(arguments: &LanguageArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    arguments.subject.set_threads()?;
    let language = arguments.subject.load_language(&mut Stages::default())?;
    let bandwidth = Kernels::global().measure_bandwidth();
    for &positions in &arguments.prompt {
        measure(&language, arguments, positions, bandwidth, global)?;
    }
    Ok(())
}

fn measure(
    language: &LanguageSide,
    arguments: &LanguageArguments,
    positions: usize,
    bandwidth: f64,
    global: &GlobalArguments,
) -> anyhow::Result<()> {
    let text = language.config();
    let d = text.hidden_size;
    let numbers: Vec<f32> = (0..positions * d).map(|i| (i * 7 % 101) as f32 / 1000.0 - 0.05).collect();
    let visual = language.tokens_of(&numbers, d)?;
    // Nothing ends the answer but its length.
    let options = GenerationOptions::default().with_max_tokens(arguments.tokens + 1).with_end_tokens(vec![]);
    let (mut prefills, mut steps) = (Runs::none(), Runs::none());
    for run in 0..=arguments.repetitions.repeat {
        let start = Instant::now();
        let mut tokens = language.generate(&[], Some(&visual), &[], &options)?;
        tokens.next().transpose()?;
        let prefill = start.elapsed();
        let start = Instant::now();
        let mut count = 0;
        for token in tokens {
            token?;
            count += 1;
        }
        // The first run warms up.
        if run > 0 {
            prefills.push(prefill);
            steps.push(start.elapsed() / count.max(1));
        }
    }
    // One `image_newline` follows visual tokens.
    let flops = text.flops(positions + 1, 0);
    let mut record = prefills.record("prefill", flops, language.precision().weight_kind());
    describe(language.id(), language.precision(), language.packed_bytes(), &mut record);
    record.insert("positions".to_owned(), json!(positions + 1));
    let language_bytes = language.packed_bytes();
    let mut decoding =
        steps.record("decode", text.flops(1, positions + 1), language.precision().weight_kind());
    describe(language.id(), language.precision(), language_bytes, &mut decoding);
    decoding.insert("past".to_owned(), json!(positions + 1));
    decoding.insert("tokens_per_second".to_owned(), json!(1.0 / steps.median()));
    decoding.insert("bytes_per_second".to_owned(), json!(language_bytes as f64 / steps.median()));
    let share = language_bytes as f64 / steps.median() / bandwidth;
    decoding.insert("share_of_bandwidth".to_owned(), json!(share));
    let together = arguments.rows.map(|rows| steps_of(language, arguments, &visual, rows)).transpose()?;
    if let (Some(rows), Some(together)) = (arguments.rows, &together) {
        decoding.insert("rows".to_owned(), json!(rows));
        decoding.insert("seconds_of_rows".to_owned(), json!(together.median()));
        decoding.insert("tokens_per_second_of_rows".to_owned(), json!(rows as f64 / together.median()));
    }
    let peer = arguments.subject.has_peer().then(|| {
        let precision = peer::precision(language.precision());
        let (prompt, tokens) = (positions + 1, arguments.tokens);
        peer::command(
            &format!("language --precision {precision} --prompt {prompt} --tokens {tokens}"),
            rayon::current_num_threads(),
        )
    });
    peer::insert(peer.as_deref(), &mut record);
    if global.json {
        output::line(Value::from(record))?;
        return Ok(output::line(Value::from(decoding))?);
    }
    output::line(format_args!(
        "{} in {}: prefill of {} in {:.3} s ({:.3} TFLOP/s), {:.1} ms a token ({} of the memory's {} a second)",
        language.id(),
        language.precision(),
        positions + 1,
        prefills.median(),
        flops / prefills.median() / 1e12,
        steps.median() * 1e3,
        figures::percent(share),
        figures::bytes(bandwidth),
    ))?;
    if let (Some(rows), Some(together)) = (arguments.rows, together) {
        output::line(format_args!(
            "  {rows} answers at once: {:.1} ms for a token of each, {:.1} times as many tokens a second as one",
            together.median() * 1e3,
            rows as f64 * steps.median() / together.median(),
        ))?;
    }
    peer::print(peer.as_deref())
}

/// The seconds in which each of several answers gets its next token.
fn steps_of(
    language: &LanguageSide,
    arguments: &LanguageArguments,
    visual: &VisualTokens,
    rows: usize,
) -> anyhow::Result<Runs> {
    let mut prompt = language.sequence();
    let mut unread = language.unread(&prompt, &[TextPart { ids: &[], visual: Some(visual) }])?;
    while unread.tokens() > 0 {
        let count = unread.tokens();
        let (unread, sequence, cancellation) = (&mut unread, &mut prompt, &Cancellation::new());
        let text = TextToRead { unread, sequence, purpose: Purpose::Cache, cancellation };
        language.read_some(&mut [text], count)?;
    }
    let mut steps = Runs::none();
    for run in 0..=arguments.repetitions.repeat {
        let mut answers = vec![prompt.clone(); rows];
        let mut answers: Vec<_> = answers.iter_mut().collect();
        let start = Instant::now();
        for _ in 0..arguments.tokens {
            language.step(&vec![0; rows], &mut answers)?;
        }
        // The first run warms up.
        if run > 0 {
            steps.push(start.elapsed() / arguments.tokens as u32);
        }
    }
    Ok(steps)
}
