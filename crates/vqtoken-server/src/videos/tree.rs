//! The merge tree of a stored video: from it a page draws any number of codes without asking again.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use vqtoken_core::{CodeTree, VideoTokens};

use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use crate::videos::store;
use crate::videos::views::labels;

/// The smallest number of codes that the elbow is looked for at.
const LEAST: usize = 2;

/// The largest.
const MOST: usize = 64;

/// A merge tree.
#[derive(Serialize, ToSchema)]
pub(crate) struct TreeObject {
    /// Codes before any two are joined (M).
    leaves: usize,
    /// Frames, rows and columns.
    grid: [usize; 3],
    /// When each sampled frame is shown, in seconds.
    timestamps: Vec<f64>,
    /// The leaf of every cell, `[T, H, W]`, as little-endian 16-bit numbers in base64.
    labels: String,
    /// Which leaves are joined, in order: the second joins the first.
    merges: Vec<[usize; 2]>,
    /// What each number of codes loses.
    curve: Vec<TreePoint>,
    /// The number of codes from which on more gain little.
    elbow: usize,
    /// A colour for each leaf, `#rrggbb`.
    colours: Vec<String>,
}

/// A number of codes, and what it loses.
#[derive(Serialize, ToSchema)]
struct TreePoint {
    codes: usize,
    /// The sum over all tokens of 1 - cosine to their code.
    distortion: f64,
}

/// The merge tree of a stored video.
#[utoipa::path(get, path = "/v1/videos/{id}/tree", params(("id" = String, Path)), responses((status = 200, body = TreeObject), (status = 404, body = ErrorBody)), tag = "videos")]
pub(crate) async fn tree(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<TreeObject>, ApiError> {
    let record = store::ask(&app, move |archive| archive.get(&id)).await?;
    let (set, _) = store::finest(&record);
    let tokens = store::ask(&app, move |archive| archive.tokens(&record.id, &set)).await?;
    let artist = app.artist;
    crate::blocking(move || tree_of(&tokens, artist.colours(tokens.codebook.codes()))).await?.map(Json)
}

fn tree_of(tokens: &VideoTokens, colours: Vec<String>) -> Result<TreeObject, ApiError> {
    let shape = tokens.index_map.shape();
    let leaves = tokens.codebook.codes();
    let tree = CodeTree::new(tokens);
    let curve = tree.curve();
    let curve = curve.iter().map(|point| TreePoint { codes: point.codes, distortion: point.distortion });
    Ok(TreeObject {
        leaves,
        grid: [shape.frames, shape.height, shape.width],
        timestamps: tokens.timestamps.clone(),
        labels: labels(tokens)?,
        merges: tree.merges().iter().map(|merge| [merge.into, merge.from]).collect(),
        curve: curve.collect(),
        elbow: tree.elbow(LEAST.min(leaves), MOST.min(leaves)),
        colours,
    })
}
