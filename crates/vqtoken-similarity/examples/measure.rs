//! How many transformed clips are found again, among how many others, and how precisely; over the files of `encode_clips.rs`:
//!
//!     cargo run --release -p vqtoken-similarity --example measure -- FOLDER CLIPS OTHERS [own]
//!
//! Each of CLIPS * 8 transformed clips is looked for among CLIPS + OTHERS originals. A clip is found if its original has the best score and one
//! above the threshold, which is where 1 % of the originals are taken for some other one. `own`: without the mean of an archive.
//!
//! Shares in percent: the original is a candidate; it has the best similarity of codes; the best alignment; is found; the stretch begins within
//! a second of where it should; mirroring is told right; the speed within 10 %. Then the scores of the originals, at 5, 25 and 50 % of the
//! clips.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

mod common;

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use common::{TRANSFORMATIONS, line};
use rayon::prelude::*;
use vqtoken_core::VideoTokens;
use vqtoken_similarity::{Alignment, ArchiveMean, Comparison, Signature, candidates};

/// Originals that are compared exactly.
const CANDIDATES: usize = 24;
/// Scores below it may be too high; the thresholds must come out above.
const LEAST: f32 = 0.7;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, clips, others, rest @ ..] = &arguments[..] else {
        return Err("measure FOLDER CLIPS OTHERS [own]".into());
    };
    let (clips, others) = (clips.parse::<usize>()?, others.parse::<usize>()?);
    let load =
        |index: usize, name: &str| VideoTokens::load(Path::new(folder).join(format!("{index}_{name}.vqt")));
    let originals: Vec<VideoTokens> =
        (0..clips + others).map(|index| load(index, "original")).collect::<Result<_, _>>()?;
    let comparison = match rest.first().map(String::as_str) {
        Some("own") => Comparison::default(),
        _ => Comparison::with_mean(ArchiveMean::of(&originals)?),
    };
    let start = Instant::now();
    let signatures: Vec<Signature> =
        originals.par_iter().map(|video| comparison.signature(video)).collect::<Result<_, _>>()?;
    println!("{:.2} ms a signature", 1e3 * start.elapsed().as_secs_f64() / originals.len() as f64);
    let queries: Vec<(usize, &str)> =
        (0..clips).flat_map(|index| TRANSFORMATIONS.map(|name| (index, name))).collect();
    let start = Instant::now();
    let results: Vec<Search> = queries
        .par_iter()
        .map(|&(index, name)| search(&comparison, &originals, &signatures, index, &load(index, name)?))
        .collect::<Result<_, Box<dyn Error + Send + Sync>>>()
        .map_err(|error| error.to_string())?;
    println!("{:.0} ms a search", 1e3 * start.elapsed().as_secs_f64() / results.len() as f64);
    let absent: Vec<f32> = (0..originals.len())
        .into_par_iter()
        .map(|index| Ok(search(&comparison, &originals, &signatures, index, &originals[index])?.best_other))
        .collect::<Result<_, Box<dyn Error + Send + Sync>>>()
        .map_err(|error| error.to_string())?;
    let threshold = one_percent(absent, "originals");
    let of_transformed =
        one_percent(results.iter().map(|search| search.best_other).collect(), "transformed clips");
    let found =
        results.iter().filter(|search| search.score() > of_transformed.max(search.best_other)).count();
    println!("at the latter threshold {:.1} % are found", 100.0 * found as f64 / results.len() as f64);
    println!(
        "{:14} {:>9} {:>6} {:>6} {:>6} {:>7} {:>8} {:>6}",
        "", "candidate", "best", "found", "begin", "mirror", "speed", "score"
    );
    let row = |name: &str, found: Vec<(&(usize, &str), &Search)>| {
        let share = |which: &dyn Fn(&(usize, &str), &Search) -> bool| {
            100.0 * found.iter().filter(|(query, search)| which(query, search)).count() as f64
                / found.len() as f64
        };
        let mut scores: Vec<f32> = found.iter().map(|(_, search)| search.score()).collect();
        scores.sort_by(f32::total_cmp);
        println!(
            "{name:14} {:9.1} {:6.1} {:6.1} {:6.1} {:6.1} {:7.1} {:8.1} {:.3} {:.3} {:.3}",
            share(&|_, search| search.own.is_some()),
            share(&|_, search| search.own_codes > search.best_other_codes),
            share(&|_, search| search.score() > search.best_other),
            share(&|_, search| search.score() > threshold.max(search.best_other)),
            share(&|query, search| search.begins_right(query.0, query.1)),
            share(&|query, search| search.own.is_some_and(|own| own.mirrored == (query.1 == "mirrored"))),
            share(&|query, search| search
                .own
                .is_some_and(|own| (own.speed / line(query.0, query.1)[0]).ln().abs() < 0.1)),
            scores[scores.len() / 20],
            scores[scores.len() / 4],
            scores[scores.len() / 2],
        );
    };
    for name in TRANSFORMATIONS {
        row(name, queries.iter().zip(&results).filter(|(query, _)| query.1 == name).collect());
    }
    row("all", queries.iter().zip(&results).collect());
    for ((index, name), search) in queries.iter().zip(&results) {
        if search.score() <= threshold.max(search.best_other) || !search.begins_right(*index, name) {
            println!("{index} {name}, expected {:?}: {search:?}", line(*index, name));
        }
    }
    Ok(())
}

/// The score that 1 % of videos reach with some other one.
fn one_percent(mut scores: Vec<f32>, of: &str) -> f32 {
    scores.sort_by(|a, b| b.total_cmp(a));
    let (threshold, median) = (scores[scores.len() / 100], scores[scores.len() / 2]);
    println!("{of}: 1 % have a score above {threshold:.3} with some other, half above {median:.3}");
    threshold
}

/// One transformed clip looked for.
#[derive(Debug)]
struct Search {
    /// The alignment with its original, if that was a candidate.
    own: Option<Alignment>,
    best_other: f32,
    /// The same by the similarity of codes alone.
    own_codes: f32,
    best_other_codes: f32,
}

impl Search {
    fn score(&self) -> f32 {
        self.own.map_or(0.0, |own| own.score)
    }

    /// Whether the stretch begins within a second of where it does, in the clip and in its original.
    fn begins_right(&self, index: usize, name: &str) -> bool {
        let [speed, offset] = line(index, name);
        self.own.is_some_and(|own| {
            let in_clip = (-offset / speed).max(0.0);
            (own.a.from - in_clip).abs() <= 1.0 && (own.b.from - offset.max(0.0)).abs() <= 1.0
        })
    }
}

fn search(
    comparison: &Comparison,
    originals: &[VideoTokens],
    signatures: &[Signature],
    index: usize,
    query: &VideoTokens,
) -> Result<Search, Box<dyn Error + Send + Sync>> {
    let mut search = Search { own: None, best_other: 0.0, own_codes: 0.0, best_other_codes: 0.0 };
    for candidate in candidates(&comparison.signature(query)?, signatures, CANDIDATES)? {
        let original = &originals[candidate.index];
        let (alignment, codes) =
            (comparison.align_at_least(query, original, LEAST)?, comparison.similarity(query, original)?);
        if candidate.index == index {
            search.own = Some(alignment);
            search.own_codes = codes;
        } else {
            search.best_other = search.best_other.max(alignment.score);
            search.best_other_codes = search.best_other_codes.max(codes);
        }
    }
    Ok(search)
}
