//! Searching an archive: a query's nearest moments, the best of each video, and where in the picture that is.

use std::collections::{BTreeMap, BTreeSet};

use vqtoken_archive::{
    Archive, ArchiveError, DamagedPart, MomentHit, Scan, StoredVectors, VectorKind, VideoRecord,
};
use vqtoken_core::VideoTokens;
use vqtoken_model::{TokenReranker, cosine};
use vqtoken_video::Frame;

use crate::best_span::{EmbeddedWords, best_span};
use crate::condition::Condition;
use crate::error::SearchError;
use crate::facts::{RECORDED, Time};
use crate::finder::{EmbeddedQuery, Finder};
use crate::place::{Place, place};
use crate::rerank::rerank;

/// Moments that are looked at for each wanted video at first; four times as many as often as it takes.
const MOMENTS_PER_VIDEO: usize = 32;

/// What is looked for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Query<'a> {
    /// Something in words.
    Words(&'a str),
    /// What a picture shows. The finder has to read pictures.
    Picture(&'a Frame),
    /// What a stretch of a video shows, in seconds from `from` to before `to`.
    Tokens {
        /// Its tokens.
        tokens: &'a VideoTokens,
        /// What it is called in messages.
        name: &'a str,
        /// From and to, in seconds; the whole video without it.
        stretch: Option<[f64; 2]>,
    },
    /// What a stretch of a stored video shows, from its vectors in the archive.
    Stored {
        /// The video's id.
        id: &'a str,
        /// From and to, in seconds; the whole video without it.
        stretch: Option<[f64; 2]>,
    },
    /// A vector of the finder's space.
    Vector(&'a [f32]),
}

/// Which videos are searched.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Filter {
    /// Only videos that were recorded at this time or later.
    pub after: Option<Time>,
    /// Only videos that were recorded before this time.
    pub before: Option<Time>,
    /// Only videos whose facts meet these.
    pub conditions: Vec<Condition>,
    /// Not this video, such as the one that is looked for.
    pub but: Option<String>,
}

impl Filter {
    /// Whether it takes all videos.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn takes(&self, id: &str, facts: &[(String, String)]) -> bool {
        let recorded = facts.iter().find(|(name, _)| name == RECORDED).map(|(_, time)| time.as_str());
        let is_after = |time: &Time| recorded.is_some_and(|recorded| recorded >= time.as_str());
        let is_before = |time: &Time| recorded.is_some_and(|recorded| recorded < time.as_str());
        self.but.as_deref() != Some(id)
            && self.after.as_ref().is_none_or(is_after)
            && self.before.as_ref().is_none_or(is_before)
            && self.conditions.iter().all(|condition| condition.is_met(facts))
    }
}

/// How to search.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SearchOptions {
    /// Hits, at most one for each video.
    pub top: usize,
    /// How moments are found.
    pub scan: Scan,
    /// Which videos are searched.
    pub filter: Filter,
}

impl Default for SearchOptions {
    /// Ten hits among all videos.
    fn default() -> Self {
        Self { top: 10, scan: Scan::Auto, filter: Filter::default() }
    }
}

impl SearchOptions {
    /// The best so many.
    pub fn new(top: usize) -> Self {
        Self { top, ..Self::default() }
    }

    /// The same with another scan.
    #[must_use]
    pub fn with_scan(self, scan: Scan) -> Self {
        Self { scan, ..self }
    }

    /// The same among some videos.
    #[must_use]
    pub fn with_filter(self, filter: Filter) -> Self {
        Self { filter, ..self }
    }
}

/// A video that was found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Hit {
    /// The video.
    pub record: VideoRecord,
    /// What else is known of it.
    pub facts: Vec<(String, String)>,
    /// From when to when, in seconds: its moment that is nearest to the query, or for words what the finder's reranker says.
    pub span: [f32; 2],
    /// The cosine with the query of its best code, for words and a finder that reads codes, else of that moment.
    pub cosine: f32,
    /// For words the probability that they are true, by the finder's reranker as well if it has one, else the cosine.
    pub score: f32,
    /// Where in the picture; none if the video has no vectors of codes.
    pub place: Option<Place>,
}

/// What a search gave.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Found {
    /// The best first.
    pub hits: Vec<Hit>,
    /// Moments that there are.
    pub moments: usize,
    /// What the user should know: a query that was cut, parts of the archive that are damaged.
    pub notes: Vec<String>,
}

/// Searches an archive.
///
/// # Errors
/// If the query is empty or of another kind than the finder reads, the archive was made with another retriever, or it cannot be read.
pub fn search(
    archive: &Archive,
    finder: &Finder,
    query: Query<'_>,
    options: &SearchOptions,
) -> Result<Found, SearchError> {
    let space = finder.space();
    let EmbeddedQuery { vector, mut notes } = embed(archive, finder, query)?;
    notes.extend(notes_of(archive.damaged_parts()?));
    let moments = archive.moments(&space)?;
    if moments == 0 {
        let stored: Vec<String> = archive.spaces()?.into_iter().map(|totals| totals.space.id).collect();
        // Segments of this space may all be damaged, which the notes say.
        return match stored.is_empty() || stored.contains(&space.id) {
            true => Ok(Found { hits: Vec::new(), moments, notes }),
            false => Err(SearchError::OtherSpace { space: space.id, stored }),
        };
    }
    let allowed = (!options.filter.is_empty()).then(|| allowed(archive, &options.filter)).transpose()?;
    // One vector of all codes hardly holds who does what: words are compared with each code, and the best one decides.
    let kind = match (finder, query) {
        (Finder::Tokens(_), Query::Words(_)) => VectorKind::Codes,
        _ => VectorKind::Moments,
    };
    let reranker = match (finder, query) {
        (Finder::Tokens(retriever), Query::Words(words)) => retriever.reranker().map(|_| (retriever, words)),
        _ => None,
    };
    let videos = if reranker.is_some() { options.top.max(TokenReranker::VIDEOS) } else { options.top };
    let mut wanted = videos.saturating_mul(MOMENTS_PER_VIDEO);
    let mut best: Vec<MomentHit>;
    loop {
        let near = archive.nearest(&space, kind, &vector, wanted, options.scan, allowed.as_ref())?;
        let is_all = near.len() < wanted;
        best = best_of_each(near);
        if best.len() >= videos || is_all {
            break;
        }
        wanted = wanted.saturating_mul(4);
    }
    best.truncate(videos);
    let is_words = matches!(query, Query::Words(_));
    let score = |cosine| if is_words { finder.probability(cosine) } else { cosine };
    let mut best = match reranker {
        Some((retriever, words)) => rerank(archive, retriever, words, best)?,
        None => {
            let scores: Vec<f32> = best.iter().map(|hit| score(hit.cosine)).collect();
            best.into_iter().zip(scores).collect()
        }
    };
    best.truncate(options.top);
    let mut hits = Vec::with_capacity(best.len());
    for (hit, score) in best {
        // A video may be removed while it is searched.
        let record = match archive.get(&hit.id) {
            Ok(record) => record,
            Err(ArchiveError::NotFound { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let tokens = archive.tokens(&hit.id, &record.budget);
        let span = match (finder, query, &tokens) {
            (Finder::Tokens(retriever), Query::Words(words), Ok(tokens)) => {
                let text = EmbeddedWords { words, vector: &vector };
                best_span(archive, &space, retriever, &hit.id, tokens, text)?
            }
            _ => hit.span,
        };
        let codes = archive.code_vectors(&space, &hit.id)?;
        let place = match (codes, tokens) {
            (Some(codes), Ok(tokens)) => place(&tokens, &codes, &vector, span),
            (_, Err(error)) => {
                notes.push(error.to_string());
                None
            }
            (None, Ok(_)) => None,
        };
        let facts = archive.facts(&hit.id)?;
        hits.push(Hit { record, facts, span, cosine: hit.cosine, score, place });
    }
    Ok(Found { hits, moments, notes })
}

/// A note for each damaged part, and one for all those of another version, which may be very many.
fn notes_of(parts: Vec<DamagedPart>) -> Vec<String> {
    let (other, damaged): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.is_other_version);
    let mut notes: Vec<String> = damaged.into_iter().map(|part| part.message).collect();
    if !other.is_empty() {
        let videos: BTreeSet<&String> = other.iter().flat_map(|part| &part.videos).collect();
        notes.push(format!(
            "{} files of vectors are of another version of this program and are left out: `vqtoken archive add` of their {} videos makes them anew",
            other.len(),
            videos.len()
        ));
    }
    notes
}

fn embed(archive: &Archive, finder: &Finder, query: Query<'_>) -> Result<EmbeddedQuery, SearchError> {
    match query {
        Query::Words(words) => finder.embed_words(words),
        Query::Picture(picture) => finder.embed_picture(picture),
        Query::Vector(vector) => Ok(EmbeddedQuery::of(vector.to_vec())),
        Query::Stored { id, stretch } => {
            let [from, to] = stretch.unwrap_or([0.0, f64::INFINITY]);
            let vector = stored_vector(archive, finder, id, [from as f32, to as f32])?;
            vector.map(EmbeddedQuery::of).ok_or_else(|| SearchError::EmptyStretch {
                name: id.to_owned(),
                from,
                to,
            })
        }
        Query::Tokens { tokens, name, stretch } => {
            let Finder::Tokens(retriever) = finder else {
                let finder = finder.space().id;
                return Err(SearchError::NeedsFrames { name: name.to_owned(), finder });
            };
            let times = &tokens.timestamps;
            let frames = match stretch {
                None => 0..tokens.index_map.shape().frames,
                Some([from, to]) => {
                    let first = times.partition_point(|time| *time < from);
                    let end = times.partition_point(|time| *time < to);
                    if first >= end {
                        return Err(SearchError::EmptyStretch { name: name.to_owned(), from, to });
                    }
                    first..end
                }
            };
            Ok(EmbeddedQuery::of(retriever.embed_windows(tokens, std::slice::from_ref(&frames))?))
        }
    }
}

/// The vector of what a stretch of a stored video shows, from its moments: the mean of those that lie in it for the most part.
///
/// # Errors
/// If the video has no vectors in the space, or no moment lies there.
fn stored_vector(
    archive: &Archive,
    finder: &Finder,
    id: &str,
    [from, to]: [f32; 2],
) -> Result<Option<Vec<f32>>, SearchError> {
    let space = finder.space();
    let Some(StoredVectors { spans, vectors, .. }) = archive.moment_vectors(&space, id)? else {
        return Ok(None);
    };
    let mut sum = vec![0.0; space.features];
    for (span, vector) in spans.iter().zip(vectors.chunks_exact(space.features)) {
        let common = span[1].min(to) - span[0].max(from);
        if common >= 0.5 * (span[1] - span[0]) {
            sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        }
    }
    // A zero vector is like nothing.
    Ok((cosine(&sum, &sum) > 0.0).then_some(sum))
}

/// The nearest moment of each video, the nearest first.
fn best_of_each(near: Vec<MomentHit>) -> Vec<MomentHit> {
    let mut seen = BTreeMap::new();
    near.into_iter().filter(|hit| seen.insert(hit.id.clone(), ()).is_none()).collect()
}

fn allowed(archive: &Archive, filter: &Filter) -> Result<BTreeSet<String>, SearchError> {
    let mut ids = BTreeSet::new();
    for record in archive.all()? {
        if filter.takes(&record.id, &archive.facts(&record.id)?) {
            ids.insert(record.id);
        }
    }
    Ok(ids)
}
