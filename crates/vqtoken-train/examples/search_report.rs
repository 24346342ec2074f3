//! How well unseen clips are found by words: `cargo run --release --example search_report -- MODEL RETRIEVAL CLIPS [SEED [CACHE [RERANKING]]]`.
//! The seed is by default one that no configuration trains on. CACHE keeps the video tokens of the clips for the next run. RERANKING is a
//! folder of a reranker of MODEL.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the figures are what it is for")]

use std::path::PathBuf;

use vqtoken_model::{Precision, TokenReranker, TokenRetriever, VisionSide};
use vqtoken_shapes::{QueryKind, Settings};
use vqtoken_train::{ClipScore, RetrievalReport, RetrievalSetup, retrieval_report};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = PathBuf::from(arguments.next().ok_or("give a model directory")?);
    let retrieval = PathBuf::from(arguments.next().ok_or("give its folder retrieval")?);
    let clips = arguments.next().ok_or("give a number of clips")?.parse()?;
    let seed = arguments.next().map(|word| word.parse()).transpose()?.unwrap_or(12);
    let retriever = TokenRetriever::load_from(&model, &retrieval)?;
    let vision = VisionSide::load_as(&model, Precision::F32)?;
    let mut setup = RetrievalSetup::new(Settings { clips, seed, ..Settings::default() });
    setup.cache = arguments.next().map(PathBuf::from);
    let reranking = arguments.next().map(|folder| TokenReranker::load_from(&model, folder)).transpose()?;
    let mut scores = vec![ClipScore::Windows, ClipScore::WholeCodes, ClipScore::Codes];
    let retriever = match reranking {
        Some(reranker) => {
            scores.push(ClipScore::Reranked);
            retriever.with_reranker(reranker)
        }
        None => retriever,
    };
    println!("{}: {clips} clips of seed {seed}", retriever.id());
    println!(
        "| queries | | relevant | precision at 10 | changed: clips | changed: queries | place | seconds |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for score in scores {
        setup.score = score;
        let reports = retrieval_report(&vision, &retriever, &setup, |done| {
            if done % 128 == 0 {
                eprintln!("{done} of {clips} clips");
            }
        })?;
        print(score, &reports);
    }
    Ok(())
}

fn print(score: ClipScore, reports: &[RetrievalReport]) {
    for (kind, report) in QueryKind::ALL.into_iter().zip(reports) {
        let shares = [
            report.relevant,
            report.precision,
            report.changed_clip,
            report.changed_query,
            report.place,
            report.seconds,
        ];
        let shares = shares.map(|share| format!("{:.1}%", 100.0 * share.value()));
        println!("| {} by {score:?} | {} | {} |", kind.name(), report.seconds.all, shares.join(" | "));
    }
}
