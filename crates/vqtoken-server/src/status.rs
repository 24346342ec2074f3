//! How the server is: health, readiness, models, metrics, and the description of all routes.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::ErrorBody;
use crate::metrics;

/// How long the store may take to say how it is.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// The server answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    status: &'static str,
}

/// The server answers. It needs no key and waits for nothing.
#[utoipa::path(get, path = "/health", responses((status = 200, body = Health)), tag = "status")]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// What the server is doing, and whether it takes work.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ready {
    /// `ready`, or why not.
    status: &'static str,
    model: String,
    /// Questions that wait.
    questions_waiting: usize,
    /// Answers being generated.
    answering: usize,
    /// Videos that wait.
    videos_waiting: usize,
    /// Videos being encoded.
    encoding: usize,
    /// Videos in the store.
    videos: Option<u64>,
    /// Bytes of the store.
    store_bytes: Option<u64>,
}

/// Whether the server takes work.
#[utoipa::path(get, path = "/ready", responses((status = 200, body = Ready), (status = 503, body = Ready)), tag = "status")]
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    let load = app.engine.load();
    let store = store(&app).await;
    let status = match (app.under_way.is_draining(), store) {
        (true, _) => "shutting down",
        (false, None) => "the store does not answer",
        (false, Some(_)) => "ready",
    };
    let code = if status == "ready" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = Ready {
        status,
        model: app.model().to_owned(),
        questions_waiting: load.questions_waiting,
        answering: load.answering,
        videos_waiting: load.videos_waiting,
        encoding: load.encoding,
        videos: store.map(|(videos, _)| videos),
        store_bytes: store.map(|(_, bytes)| bytes),
    };
    (code, Json(body)).into_response()
}

/// Videos and bytes of the store, if it answers in time.
async fn store(app: &Arc<App>) -> Option<(u64, u64)> {
    let archive = app.archive.clone();
    let asked = crate::blocking(move || Some((archive.count().ok()?, archive.bytes().ok()?)));
    timeout(STORE_PATIENCE, asked).await.ok()?.ok()?
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", responses((status = 200, body = String, content_type = "text/plain")), tag = "status")]
pub(crate) async fn show_metrics(State(app): State<Arc<App>>) -> Response {
    metrics::load(app.engine.load());
    if let Some((videos, bytes)) = store(&app).await {
        metrics::store(bytes, videos);
    }
    let text = match metrics::recorder() {
        Some(recorder) => {
            recorder.run_upkeep();
            recorder.render()
        }
        None => String::new(),
    };
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// A model.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelObject {
    id: String,
    object: &'static str,
    /// Seconds since 1970.
    created: u64,
    owned_by: &'static str,
    /// What the model was trained to read in place of a video.
    trained_input: String,
    /// Tokens of prompt and answer together, at most.
    context_length: usize,
}

/// All models.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelList {
    object: &'static str,
    data: Vec<ModelObject>,
}

/// The one model of this server.
#[utoipa::path(get, path = "/v1/models", responses((status = 200, body = ModelList), (status = 401, body = ErrorBody)), tag = "models")]
pub(crate) async fn models(State(app): State<Arc<App>>) -> Json<ModelList> {
    let model = app.engine.model();
    let object = ModelObject {
        id: model.id().to_owned(),
        object: "model",
        created: app.started,
        owned_by: "vqtoken",
        trained_input: model.trained_input().to_string(),
        context_length: model.config().text.max_positions,
    };
    Json(ModelList { object: "list", data: vec![object] })
}

/// The description of all routes.
#[utoipa::path(get, path = "/openapi.json", responses((status = 200, body = Object)), tag = "status")]
pub(crate) async fn openapi(State(app): State<Arc<App>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], app.openapi.clone()).into_response()
}
