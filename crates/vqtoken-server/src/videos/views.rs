//! What a stored video looks like: tokens, index map, picture and frames.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vqtoken_archive::VideoRecord;
use vqtoken_core::{Budget, TokenHash, VideoTokens};

use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use crate::http::query::Query;
use crate::videos::{keep_frames, store};

/// Which codes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CodesQuery {
    /// So many codes, made from those that are stored; the stored ones if not given.
    codes: Option<usize>,
}

impl CodesQuery {
    fn budget(&self) -> Option<Budget> {
        self.codes.map(Budget::Fixed)
    }
}

/// A stored video and its tokens, with so many codes.
async fn tokens_of(
    app: &App,
    id: String,
    query: &CodesQuery,
) -> Result<(VideoRecord, Arc<VideoTokens>), ApiError> {
    let record = store::ask(app, move |archive| archive.get(&id)).await?;
    let (tokens, _) = store::tokens(app, &record, query.budget()).await?;
    Ok((record, tokens))
}

/// The video tokens as a `.vqt` file.
#[utoipa::path(get, path = "/v1/videos/{id}/tokens", params(("id" = String, Path), CodesQuery), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 404, body = ErrorBody)), tag = "videos")]
pub(crate) async fn tokens(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<CodesQuery>,
) -> Result<Response, ApiError> {
    let (record, tokens) = tokens_of(&app, id, &query).await?;
    let bytes = crate::blocking(move || {
        tokens.to_bytes().map_err(|source| ApiError::Vqt { param: "id".to_owned(), source })
    })
    .await??;
    let disposition =
        HeaderValue::try_from(format!("attachment; filename=\"{}.vqt\"", file_name(&record.name)))
            .map_err(|_| ApiError::Internal)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, bytes).into_response())
}

/// A name without an extension that any disk takes.
fn file_name(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let name: String = stem.chars().map(plain).take(80).collect();
    if name.trim_matches(['.', '_']).is_empty() { "video".to_owned() } else { name }
}

/// An index map and what can be read from it.
#[derive(Serialize, ToSchema)]
pub(crate) struct MapObject {
    pub(crate) id: String,
    /// Frames, rows and columns.
    pub(crate) grid: [usize; 3],
    pub(crate) codes: usize,
    /// When each sampled frame is shown, in seconds.
    pub(crate) timestamps: Vec<f64>,
    /// The code of every cell, `[T, H, W]`, as little-endian 16-bit numbers in base64.
    pub(crate) labels: String,
    /// A colour for each code, `#rrggbb`.
    pub(crate) colours: Vec<String>,
    /// The share of all cells that each code holds.
    pub(crate) share: Vec<f64>,
    /// The share of each frame's cells that each code holds.
    pub(crate) presence: Vec<Vec<f32>>,
    /// Where the cells of each code lie in each frame: row and column of their centre, 0 to 1; none where it is absent.
    pub(crate) paths: Vec<Vec<Option<[f32; 2]>>>,
    /// The budget.
    pub(crate) tokens: String,
}

/// Index map, codes, their shares and paths.
#[utoipa::path(get, path = "/v1/videos/{id}/map", params(("id" = String, Path), CodesQuery), responses((status = 200, body = MapObject), (status = 404, body = ErrorBody)), tag = "videos")]
pub(crate) async fn map(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<CodesQuery>,
) -> Result<Json<MapObject>, ApiError> {
    let (record, tokens) = tokens_of(&app, id, &query).await?;
    let artist = app.artist;
    crate::blocking(move || map_of(&record.id, &tokens, artist.colours(tokens.codebook.codes())))
        .await?
        .map(Json)
}

/// The index map of video tokens.
pub(crate) fn map_of(id: &str, tokens: &VideoTokens, colours: Vec<String>) -> Result<MapObject, ApiError> {
    let shape = tokens.index_map.shape();
    let hash = TokenHash::new(&tokens.index_map);
    let points = tokens.index_map.paths(shape.frames);
    let rows = points.chunks(shape.frames.max(1));
    let presence = rows.clone().map(|points| points.iter().map(|point| point.presence).collect()).collect();
    let centre = |point: &vqtoken_core::PathPoint| (point.presence > 0.0).then_some(point.centre);
    let paths = rows.map(|points| points.iter().map(centre).collect()).collect();
    let share = (0..hash.codes() as u32).map(|code| hash.positions(code).len() as f64 / shape.len() as f64);
    Ok(MapObject {
        id: id.to_owned(),
        grid: [shape.frames, shape.height, shape.width],
        codes: hash.codes(),
        timestamps: tokens.timestamps.clone(),
        labels: labels(tokens)?,
        colours,
        share: share.collect(),
        presence,
        paths,
        tokens: tokens.budget.to_string(),
    })
}

/// Labels as 16-bit numbers in base64.
pub(crate) fn labels(tokens: &VideoTokens) -> Result<String, ApiError> {
    let mut bytes = Vec::with_capacity(2 * tokens.index_map.labels().len());
    for &label in tokens.index_map.labels() {
        let label = u16::try_from(label).map_err(|_| {
            ApiError::parameter(
                "codes",
                "is above 65536, more than a map can show: ask for fewer with ?codes=N",
            )
        })?;
        bytes.extend_from_slice(&label.to_le_bytes());
    }
    Ok(STANDARD.encode(bytes))
}

/// A picture of frames over their index maps, codes and paths, as PNG.
#[utoipa::path(get, path = "/v1/videos/{id}/picture.png", params(("id" = String, Path), CodesQuery), responses((status = 200, content_type = "image/png", body = Vec<u8>), (status = 404, body = ErrorBody)), tag = "videos")]
pub(crate) async fn picture(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<CodesQuery>,
) -> Result<Response, ApiError> {
    let (record, tokens) = tokens_of(&app, id, &query).await?;
    let (archive, artist) = (app.archive.clone(), app.artist);
    let png = crate::blocking(move || -> Result<Vec<u8>, ApiError> {
        let frames = match record.frames_stored {
            0 => None,
            count => {
                let frame = |index| {
                    let jpeg = archive.frame(&record.id, index)?;
                    keep_frames::decode(&jpeg).ok_or(ApiError::Internal)
                };
                Some((0..count).map(frame).collect::<Result<Vec<_>, ApiError>>()?)
            }
        };
        (artist.picture)(&tokens, frames.as_deref()).map_err(|error| {
            tracing::error!(%error, "a picture cannot be drawn");
            ApiError::Internal
        })
    })
    .await??;
    Ok(([(header::CONTENT_TYPE, "image/png")], png).into_response())
}

/// A sampled frame as JPEG.
#[utoipa::path(get, path = "/v1/videos/{id}/frames/{file}", params(("id" = String, Path), ("file" = String, Path, description = "N.jpg, from 0.jpg on")), responses((status = 200, content_type = "image/jpeg", body = Vec<u8>), (status = 404, body = ErrorBody)), tag = "videos")]
pub(crate) async fn frame(
    State(app): State<Arc<App>>,
    Path((id, file)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let number = file.strip_suffix(".jpg").and_then(|number| number.parse::<usize>().ok());
    let Some(index) = number else {
        return Err(ApiError::NotFound {
            what: "frame",
            id: file,
            remedy: "frames are 0.jpg, 1.jpg and so on",
        });
    };
    let jpeg = store::ask(&app, move |archive| archive.frame(&id, index)).await?;
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg"),
        // The id is made from the content: its frames never change.
        (header::CACHE_CONTROL, "private, max-age=86400, immutable"),
    ];
    Ok((headers, jpeg).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_plain() {
        assert_eq!(file_name("my clip.final.mp4"), "my_clip.final");
        assert_eq!(file_name("a\"b\r\n.mp4"), "a_b__");
        assert_eq!(file_name("影.mp4"), "video");
        assert_eq!(file_name(""), "video");
    }
}
