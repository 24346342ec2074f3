//! The library of stored videos: list, show, remove.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use crate::http::query::Query;
use crate::videos::object::VideoObject;
use crate::videos::store;

/// Videos of a page where nobody says.
const PAGE: usize = 50;

/// Videos of a page, at most.
const LONGEST_PAGE: usize = 1000;

/// Which videos are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many, 1 to 1000; 50 if not given.
    limit: Option<usize>,
    /// Those stored before this video.
    after: Option<String>,
}

/// Stored videos, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VideoList {
    object: &'static str,
    data: Vec<VideoObject>,
    /// Whether there are older ones.
    has_more: bool,
}

/// Stored videos, newest first.
#[utoipa::path(get, path = "/v1/videos", params(ListQuery), responses((status = 200, body = VideoList), (status = 404, body = ErrorBody)), tag = "videos")]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<VideoList>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=LONGEST_PAGE).contains(&limit) {
        return Err(ApiError::parameter("limit", format!("is not a number from 1 to {LONGEST_PAGE}")));
    }
    let page = store::ask(&app, move |archive| archive.list(limit, query.after.as_deref())).await?;
    let data = page.videos.iter().map(VideoObject::of).collect();
    Ok(Json(VideoList { object: "list", data, has_more: page.has_more }))
}

/// A stored video.
#[utoipa::path(get, path = "/v1/videos/{id}", params(("id" = String, Path)), responses((status = 200, body = VideoObject), (status = 404, body = ErrorBody)), tag = "videos")]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<VideoObject>, ApiError> {
    let record = store::ask(&app, move |archive| archive.get(&id)).await?;
    Ok(Json(VideoObject::of(&record)))
}

/// What was removed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    id: String,
    object: &'static str,
    deleted: bool,
}

/// Removes a stored video.
#[utoipa::path(delete, path = "/v1/videos/{id}", params(("id" = String, Path)), responses((status = 200, body = Deleted), (status = 404, body = ErrorBody)), tag = "videos")]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Deleted>, ApiError> {
    let removed = id.clone();
    store::ask(&app, move |archive| archive.remove(&removed)).await?;
    app.tokens.forget(|(of, _)| *of == id);
    Ok(Json(Deleted { id, object: "video.deleted", deleted: true }))
}
