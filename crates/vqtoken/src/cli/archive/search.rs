//! `vqtoken archive search` and `vqtoken search`: words in, videos with seconds and place out.

use std::path::{Path, PathBuf};

use crate::picture::{self, DrawnHit};
use crate::{
    Chat, Frame, GenerationOptions, ModelError, Sampling, Video, VideoLlm, VideoTokens, builtin, figures,
};
use clap::Args;
use vqtoken_archive::{Archive, ContentHash, Scan};
use vqtoken_files::quoted;
use vqtoken_search::{Condition, Filter, Finder, Found, Hit, Query, SearchOptions, Time, search};

use super::add::add_folder;
use super::open::{self, FinderArguments};
use crate::cli::stages::Stages;
use crate::cli::{
    BaseArguments, EncodingArguments, GlobalArguments, ModelArguments, UsageError, at_least_one, length,
    not_empty, output, pipeline,
};

/// The folder in which `vqtoken search` keeps the archive of a folder of videos.
const OWN_ARCHIVE: &str = ".vqtoken";

#[derive(Args, Debug)]
pub(crate) struct SearchArguments {
    /// The archive's folder
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,

    #[command(flatten)]
    with: WithArguments,
}

#[derive(Args, Debug)]
pub(crate) struct FolderSearchArguments {
    /// An archive, or a folder of videos: these are added first to an archive in its folder .vqtoken
    #[arg(value_name = "ARCHIVE|FOLDER")]
    folder: PathBuf,

    #[command(flatten)]
    with: WithArguments,
}

/// What both searches take.
#[derive(Args, Debug)]
struct WithArguments {
    #[command(flatten)]
    query: QueryArguments,

    #[command(flatten)]
    model: ModelArguments,

    #[command(flatten)]
    finder: FinderArguments,
}

#[derive(Args, Debug)]
struct QueryArguments {
    /// What to look for
    #[arg(value_name = "WORDS", required_unless_present_any = ["like", "image"])]
    words: Option<String>,

    /// Look for what a video shows: a file, or the id or name of a video in the archive; with @12s-15s a part of it
    #[arg(long, value_name = "VIDEO[@FROM-TO]", conflicts_with_all = ["words", "image"])]
    like: Option<String>,

    /// Look for what a picture shows; needs --retriever
    #[arg(long, value_name = "PICTURE", conflicts_with = "words")]
    image: Option<PathBuf>,

    /// Hits, at most one for each video
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_one)]
    top: usize,

    /// Only videos recorded then or later, such as 2024 or 2024-05-01T12:30 (UTC)
    #[arg(long, value_name = "TIME")]
    after: Option<String>,

    /// Only videos recorded before
    #[arg(long, value_name = "TIME")]
    before: Option<String>,

    /// Only videos whose facts meet a condition, such as "recorded > 2024 and width >= 1280"; can be given more than once
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<Condition>,

    /// Compare every moment, also where there are very many
    #[arg(long)]
    exact: bool,

    /// Ask each hit a question, from its tokens
    #[arg(long, value_name = "QUESTION", value_parser = not_empty)]
    ask: Option<String>,

    /// Draw the hits with their cells lit
    #[arg(long, value_name = "OUT.png")]
    show: Option<PathBuf>,
}

pub(crate) fn run(arguments: &SearchArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let SearchArguments { archive, with: WithArguments { query, model, finder } } = arguments;
    check(query)?;
    let archive = open::to_read(archive, global)?;
    answer(&archive, &open::finder(finder, model)?, query, model, global)
}

pub(crate) fn run_on_folder(
    arguments: &FolderSearchArguments,
    global: &GlobalArguments,
) -> anyhow::Result<()> {
    let FolderSearchArguments { folder, with: WithArguments { query, model, finder } } = arguments;
    check(query)?;
    let own = folder.join(OWN_ARCHIVE);
    let is_archive = open::to_read(folder, global).is_ok();
    let archive = match is_archive {
        true => open::to_read(folder, global)?,
        false if folder.is_dir() => {
            let archive = open::to_write(&own, global)?;
            let counts = add_folder(&archive, folder, model.clone(), finder.clone(), global)?;
            if counts.added > 0 {
                output::note(format_args!("{} videos added to {}", counts.added, quoted(&own)));
            }
            archive
        }
        false => anyhow::bail!(
            "{}: there is no such folder: name an archive or a folder of videos",
            quoted(folder)
        ),
    };
    answer(&archive, &open::finder(finder, model)?, query, model, global)
}

/// Refuses what can be refused before anything is loaded.
fn check(query: &QueryArguments) -> anyhow::Result<()> {
    if let Some(show) = &query.show {
        if !show.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png")) {
            return Err(UsageError(format!(
                "{}: the picture is a PNG; end its name in .png",
                show.display()
            ))
            .into());
        }
        crate::cli::check_folder_of(show)?;
    }
    filter(query).map(drop)
}

fn filter(query: &QueryArguments) -> anyhow::Result<Filter> {
    let time = |text: &Option<String>| {
        let parsed = text.as_deref().map(Time::parse).transpose();
        parsed.map_err(|error| UsageError(error.to_string()))
    };
    let mut filter = Filter::default();
    filter.after = time(&query.after)?;
    filter.before = time(&query.before)?;
    filter.conditions = query.conditions.clone();
    Ok(filter)
}

fn answer(
    archive: &Archive,
    finder: &Finder,
    query: &QueryArguments,
    model: &ModelArguments,
    global: &GlobalArguments,
) -> anyhow::Result<()> {
    let scan = if query.exact { Scan::Exact } else { Scan::Auto };
    let mut options = SearchOptions::new(query.top).with_scan(scan);
    let mut filter = filter(query)?;
    let found = match (&query.words, &query.like, &query.image) {
        (Some(words), ..) => search(archive, finder, Query::Words(words), &options.with_filter(filter))?,
        (None, Some(like), _) => {
            let like = Like::find(archive, like)?;
            filter.but = like.stored_id().map(str::to_owned);
            options = options.with_filter(filter);
            like.search(archive, finder, model, &options, global)?
        }
        (None, None, Some(image)) => {
            let clip = Video::open_with(image, &global.open_options())?.sample(Sampling::Uniform(1))?;
            let picture =
                clip.frames.first().ok_or_else(|| anyhow::anyhow!("{}: no picture", quoted(image)))?;
            search(archive, finder, Query::Picture(picture), &options.with_filter(filter))?
        }
        (None, None, None) => return Err(UsageError("say what to look for".to_owned()).into()),
    };
    for note in &found.notes {
        output::note(format_args!("warning: {note}"));
    }
    let answers = match &query.ask {
        Some(question) => ask(archive, &found.hits, question, model)?,
        None => vec![None; found.hits.len()],
    };
    print(&found, &answers, global)?;
    if let Some(show) = &query.show {
        let drawn: Vec<DrawnHit> =
            found.hits.iter().enumerate().map(|(rank, hit)| drawn(rank, hit, global)).collect();
        picture::save_png(&picture::draw_hits(&drawn), show)?;
    }
    Ok(())
}

/// What `--like` names.
enum Like {
    /// A video of the archive.
    Stored { id: String, stretch: Option<[f64; 2]> },
    /// A file.
    File { path: PathBuf, stretch: Option<[f64; 2]> },
}

impl Like {
    fn find(archive: &Archive, text: &str) -> anyhow::Result<Self> {
        let (name, stretch) =
            match text.rsplit_once('@').and_then(|(name, times)| Some((name, stretch(times)?))) {
                Some((name, stretch)) => (name, Some(stretch)),
                None => (text, None),
            };
        let path = Path::new(name);
        if path.is_file() {
            let content = ContentHash::of_file(path)?;
            let stored = archive.all()?.into_iter().find(|record| record.key.content == content);
            return Ok(match stored {
                Some(record) => Self::Stored { id: record.id, stretch },
                None => Self::File { path: path.to_owned(), stretch },
            });
        }
        let stored = archive.all()?.into_iter().find(|record| record.id == name || record.name == name);
        match stored {
            Some(record) => Ok(Self::Stored { id: record.id, stretch }),
            None => anyhow::bail!(
                "{}: neither a file nor the id or name of a video in the archive",
                quoted(&name)
            ),
        }
    }

    fn stored_id(&self) -> Option<&str> {
        match self {
            Self::Stored { id, .. } => Some(id),
            Self::File { .. } => None,
        }
    }

    fn search(
        &self,
        archive: &Archive,
        finder: &Finder,
        model: &ModelArguments,
        options: &SearchOptions,
        global: &GlobalArguments,
    ) -> anyhow::Result<Found> {
        let (path, stretch) = match self {
            Self::Stored { id, stretch } => {
                return Ok(search(archive, finder, Query::Stored { id, stretch: *stretch }, options)?);
            }
            Self::File { path, stretch } => (path, *stretch),
        };
        let name = path.to_string_lossy();
        if let Finder::Pictures(retriever) = finder {
            let clip = Video::open_with(path, &global.open_options())?.sample(Sampling::Uniform(32))?;
            let [from, to] = stretch.unwrap_or([0.0, f64::INFINITY]);
            let inside = clip.timestamps.iter().map(|time| (from..to).contains(time));
            let frames: Vec<Frame> = clip
                .frames
                .iter()
                .zip(inside)
                .filter(|(_, inside)| *inside)
                .map(|(frame, _)| frame.clone())
                .collect();
            if frames.is_empty() {
                anyhow::bail!("{}: no frame between {from} s and {to} s", quoted(path));
            }
            let vectors = retriever.embed_pictures(&frames)?;
            let mean: Vec<f32> = (0..retriever.features())
                .map(|index| vectors.iter().skip(index).step_by(retriever.features()).sum())
                .collect();
            return Ok(search(archive, finder, Query::Vector(&mean), options)?);
        }
        let tokens = match pipeline::is_video_tokens(path) {
            true => VideoTokens::load_within(path, &global.limits())?,
            false => {
                let mut stages = Stages::default();
                let vision = pipeline::load_vision(model, &BaseArguments { base: None }, &mut stages)?;
                let video = Video::open_with(path, &global.open_options())?;
                let encoding = EncodingArguments::default();
                pipeline::encode_video(&vision, &video, &encoding, &mut stages, global)?.tokens
            }
        };
        Ok(search(archive, finder, Query::Tokens { tokens: &tokens, name: &name, stretch }, options)?)
    }
}

/// From and to, of `12s-15s`.
fn stretch(text: &str) -> Option<[f64; 2]> {
    let (from, to) = text.split_once('-')?;
    let from = if matches!(from, "0" | "0s") { 0.0 } else { length(from).ok()? };
    let to = length(to).ok()?;
    (from < to).then_some([from, to])
}

/// An answer about each hit, or why there is none.
fn ask(
    archive: &Archive,
    hits: &[Hit],
    question: &str,
    arguments: &ModelArguments,
) -> anyhow::Result<Vec<Option<String>>> {
    let chat = Chat::new(question);
    chat.check().map_err(|error| UsageError(error.to_string()))?;
    let model: VideoLlm =
        pipeline::load_model(arguments, &BaseArguments { base: None }, &mut Stages::default())?;
    if arguments.model.is_none() {
        output::note(builtin::NOTE);
    }
    let options = GenerationOptions::default().with_max_tokens(128);
    let one = |hit: &Hit| -> anyhow::Result<String> {
        let tokens = archive.tokens(&hit.record.id, &hit.record.budget)?;
        let visual = model.language().visual_tokens(&tokens)?;
        let pieces = model.language().chat(Some(&visual), &chat, &options)?;
        Ok(pieces.collect::<Result<String, ModelError>>()?)
    };
    hits.iter()
        .map(|hit| {
            let answered = one(hit).map(Some);
            answered.or_else(|error| {
                output::note(format_args!("warning: {}: {error}", hit.record.name));
                Ok(None)
            })
        })
        .collect()
}

fn print(found: &Found, answers: &[Option<String>], global: &GlobalArguments) -> anyhow::Result<()> {
    for (rank, (hit, answer)) in found.hits.iter().zip(answers).enumerate() {
        match global.json {
            true => output::line(record(rank, hit, answer.as_deref()))?,
            false => {
                output::line(summary(rank, hit))?;
                if let Some(answer) = answer {
                    output::line(format_args!("    {answer}"))?;
                }
            }
        }
    }
    if found.hits.is_empty() && !global.json {
        output::note(format_args!("nothing was found among {} moments", figures::grouped(found.moments)));
    }
    Ok(())
}

fn record(rank: usize, hit: &Hit, answer: Option<&str>) -> serde_json::Value {
    let facts: serde_json::Map<String, serde_json::Value> =
        hit.facts.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let place = hit.place.as_ref().map(|place| {
        serde_json::json!({
            "codes": place.codes.iter().map(|code| serde_json::json!({ "code": code.code, "cosine": code.cosine })).collect::<Vec<_>>(),
            "frame": place.frame,
            "seconds": place.seconds,
            "grid": place.grid,
            "cells": place.cells,
            "box": place.bounds(),
        })
    });
    serde_json::json!({
        "rank": rank + 1,
        "id": hit.record.id,
        "video": hit.record.name,
        "path": hit.facts.iter().find(|(name, _)| name == "path").map(|(_, path)| path),
        "from": hit.span[0],
        "to": hit.span[1],
        "score": hit.score,
        "cosine": hit.cosine,
        "place": place,
        "facts": facts,
        "answer": answer,
    })
}

fn summary(rank: usize, hit: &Hit) -> String {
    let place = hit.place.as_ref().map_or(String::new(), |place| {
        let [left, top, right, bottom] = place.bounds().map(|share| (share * 100.0).round());
        format!(", code {} at x {left}-{right}% y {top}-{bottom}%", place.codes[0].code)
    });
    format!(
        "{:>3}. {} {}-{} {:.2}{place}",
        rank + 1,
        hit.record.name,
        figures::clock(f64::from(hit.span[0])),
        figures::clock(f64::from(hit.span[1])),
        hit.score
    )
}

/// What is drawn of a hit: its brightest frame, if the video is still where it was.
fn drawn(rank: usize, hit: &Hit, global: &GlobalArguments) -> DrawnHit {
    let path = hit.facts.iter().find(|(name, _)| name == "path").map(|(_, path)| path);
    let frame = hit.place.as_ref().zip(path).and_then(|(place, path)| {
        let sampling = match hit.record.key.sampling.split(' ').next().and_then(|text| text.split_once('=')) {
            Some(("fps", rate)) => Sampling::Fps(rate.parse().ok()?),
            _ => Sampling::Uniform(hit.record.grid.frames),
        };
        let clip = Video::open_with(path, &global.open_options()).and_then(|video| video.sample(sampling));
        match clip {
            Ok(clip) => clip.frames.get(place.frame).cloned(),
            Err(error) => {
                output::note(format_args!("warning: drawn without its frame: {error}"));
                None
            }
        }
    });
    let source = hit.record.source.as_ref().filter(|source| source.width > 0 && source.height > 0);
    DrawnHit {
        title: format!("{}. {}", rank + 1, hit.record.name),
        note: format!(
            "{}-{}  {:.2}",
            figures::clock(f64::from(hit.span[0])),
            figures::clock(f64::from(hit.span[1])),
            hit.score
        ),
        frame,
        size: source.map_or((16, 9), |source| (source.width, source.height)),
        grid: hit.place.as_ref().map_or([1, 1], |place| place.grid),
        cells: hit.place.as_ref().map(|place| place.cells.clone()).unwrap_or_default(),
    }
}
