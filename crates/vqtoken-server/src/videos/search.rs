//! `GET /v1/search`: stored videos by words, with seconds and place.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vqtoken_archive::Archive;
use vqtoken_search::{
    Finder, Found, Hit, Query as Searched, SearchError, SearchOptions, index_missing, search,
};

use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use crate::http::query::Query;
use crate::videos::object::VideoObject;

/// Hits where nobody says.
const TOP: usize = 10;

/// Hits, at most.
const MOST: usize = 100;

/// What is looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchQuery {
    /// In words, such as "a red circle moves left".
    q: String,
    /// Hits, 1 to 100, at most one for each video; 10 if not given.
    top: Option<usize>,
}

/// Videos that were found, the best first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SearchHits {
    object: &'static str,
    data: Vec<SearchHit>,
    /// What the client should know, such as that the query was cut.
    notes: Vec<String>,
}

/// A video that was found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SearchHit {
    video: VideoObject,
    /// From and to, in seconds.
    from: f32,
    to: f32,
    /// The probability that the words are true of these seconds.
    score: f32,
    place: Option<SearchPlace>,
}

/// Where in the picture.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SearchPlace {
    /// The code that is nearest to the words.
    code: usize,
    /// The sampled frame in which it has most cells.
    frame: usize,
    /// When that is shown, in seconds.
    seconds: f64,
    /// Height and width of the grid.
    grid: [usize; 2],
    /// Its cells, as row and column.
    cells: Vec<[usize; 2]>,
}

/// Stored videos by words. Those that were stored before there was a search get their vectors first.
#[utoipa::path(get, path = "/v1/search", params(SearchQuery), responses((status = 200, body = SearchHits), (status = 400, body = ErrorBody)), tag = "videos")]
pub(crate) async fn find(
    State(app): State<Arc<App>>,
    Query(query): Query<SearchQuery>,
) -> Result<Json<SearchHits>, ApiError> {
    let top = query.top.unwrap_or(TOP);
    if !(1..=MOST).contains(&top) {
        return Err(ApiError::parameter("top", format!("is not a number from 1 to {MOST}")));
    }
    let Some(finder) = app.options.finder.clone() else {
        return Err(ApiError::parameter(
            "q",
            "cannot be searched for: this model has no part that compares texts with codes".to_owned(),
        ));
    };
    let archive = app.archive.clone();
    let found = crate::blocking(move || of_words(&archive, &finder, &query.q, top)).await?;
    let Found { hits, notes, .. } = found.map_err(|error| match error {
        SearchError::Archive(error) => error.into(),
        error => ApiError::refused("q", error),
    })?;
    Ok(Json(SearchHits { object: "list", data: hits.into_iter().map(SearchHit::of).collect(), notes }))
}

fn of_words(archive: &Archive, finder: &Finder, words: &str, top: usize) -> Result<Found, SearchError> {
    index_missing(archive, finder)?;
    search(archive, finder, Searched::Words(words), &SearchOptions::new(top))
}

impl SearchHit {
    fn of(hit: Hit) -> Self {
        let place = hit.place.map(|place| SearchPlace {
            code: place.codes.first().map_or(0, |code| code.code),
            frame: place.frame,
            seconds: place.seconds,
            grid: place.grid,
            cells: place.cells,
        });
        Self {
            video: VideoObject::of(&hit.record),
            from: hit.span[0],
            to: hit.span[1],
            score: hit.score,
            place,
        }
    }
}
