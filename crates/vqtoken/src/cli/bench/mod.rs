//! `vqtoken bench`: how fast a stage is on this machine.
//!
//! | file | idea |
//! | --- | --- |
//! | `quantize.rs` | the quantizer: what can be typed, a process for each case, the table |
//! | `case.rs` | the cases and their names |
//! | `tokens.rs`, `made_up.rs` | the tokens: from a file, or made up block by block |
//! | `measure.rs` | one case, measured in this process |
//! | `quality.rs` | what labels cost, from the labels and the tokens alone |
//! | `serve/` | a server under load |
//! | `peer.rs` | the command that measures other people's programs on the same case |
//! | `model/` | the transformers: peak, vision, language, training, a question, drift, perplexity |

mod case;
mod made_up;
mod measure;
mod model;
mod peer;
mod quality;
mod quantize;
mod serve;
mod tokens;

use clap::{Args, Subcommand};

use crate::cli::GlobalArguments;

#[derive(Args, Debug)]
pub(crate) struct BenchArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The quantizer: seconds, inertia, peak memory and bytes on token files or made-up tokens
    ///
    /// One line a case. Seconds are the quantizer's alone, without reading or making the tokens. Inertia (the sum of
    /// squared distances from each unit token to the mean of its cluster) and distortion (the sum of 1 - cosine to it)
    /// are computed from the labels, for streams too. Every case runs in a process of its own, and the memory is what
    /// that process held at most during the first run, with tokens_bytes of tokens in it. The file is a .vqt file with
    /// a bf16 codebook, its map the index map in it.
    Quantize(quantize::QuantizeArguments),
    /// What this machine can do at most: operations a second by precision, bytes a second of memory
    Peak(model::peak::PeakArguments),
    /// The vision tower and the projector: seconds a frame
    Vision(model::vision::VisionArguments),
    /// The language model: reading a prompt, and the words behind it
    Language(model::language::LanguageArguments),
    /// A training step of a small vision tower
    Train(model::train::TrainArguments),
    /// A question about a video, from the file to the first word
    Ask(model::ask::AskArguments),
    /// How far a precision moves visual tokens and logits from f32
    Drift(model::drift::DriftArguments),
    /// How well a precision lets a model expect a text
    Perplexity(model::perplexity::PerplexityArguments),
    /// A server under load: what it adds, words a second, clients that break off, a live camera
    Serve(serve::ServeArguments),
}

pub(crate) fn run(arguments: &BenchArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    match &arguments.what {
        What::Quantize(arguments) => quantize::run(arguments, global),
        What::Peak(arguments) => model::peak::run(arguments, global),
        What::Vision(arguments) => model::vision::run(arguments, global),
        What::Language(arguments) => model::language::run(arguments, global),
        What::Train(arguments) => model::train::run(arguments, global),
        What::Ask(arguments) => model::ask::run(arguments, global),
        What::Drift(arguments) => model::drift::run(arguments, global),
        What::Perplexity(arguments) => model::perplexity::run(arguments, global),
        What::Serve(arguments) => serve::run(arguments, global),
    }
}
