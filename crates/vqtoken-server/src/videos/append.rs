//! `POST /v1/videos/append`: `.vqt` files one after the other, each stored when it is whole.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vqtoken_search::{TokenStream, TokenStreamError};

use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use crate::http::body::Pieces;
use crate::http::events::{Events, events};
use crate::http::query::Query;
use crate::media::arrival;
use crate::videos::object::VideoObject;
use crate::videos::reading::Reading;
use crate::videos::{given_tokens, store};

/// What errors call the body.
const BODY: &str = "body";

/// Whose videos come.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AppendQuery {
    /// What people call the videos; a number follows. The names in the files if not given.
    name: Option<String>,
}

/// What happens to a stream of files.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum AppendEvent {
    /// A file is on the disk.
    Stored { video: Box<VideoObject> },
    /// The stream has ended; nothing follows.
    Done {
        /// Files that came, with those that were there before.
        files: u64,
    },
}

/// Stores a stream of `.vqt` files as they come. The body is one file after the other, each of at most `--body-bytes`, and the body as a whole as
/// long as it may be. The answer is a stream of events, one for each file that is on the disk. A stream that is cut, or whose next file cannot be
/// read, ends with an event of type `error`; what was whole before is kept, and may be sent again.
#[utoipa::path(post, path = "/v1/videos/append", params(AppendQuery), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 200, description = "events", body = AppendEvent, content_type = "text/event-stream"), (status = 401, body = ErrorBody)), tag = "videos")]
pub(crate) async fn append(
    State(app): State<Arc<App>>,
    Query(query): Query<AppendQuery>,
    request: Request,
) -> Result<Response, ApiError> {
    let (events, response) = events();
    tokio::spawn(async move {
        let work = receive(&app, query.name.as_deref(), request, &events);
        tokio::select! {
            result = work => match result {
                Ok(files) => events.json(&AppendEvent::Done { files }).await,
                Err(error) => events.error("error", &error).await,
            },
            () = events.gone() => {}
        }
    });
    Ok(response)
}

/// Stores each file and says so; returns how many came.
async fn receive(
    app: &Arc<App>,
    name: Option<&str>,
    request: Request,
    events: &Events,
) -> Result<u64, ApiError> {
    let (parts, body) = request.into_parts();
    // Each file is bounded, not all of them together.
    let limit = (u64::MAX, "the stream", "");
    let mut pieces = Pieces::new(&parts.headers, body, limit, app.options.body_patience)?;
    let mut stream = TokenStream::new(app.options.body_bytes as u64);
    let mut files = 0;
    while let Some(piece) = pieces.next().await? {
        let mut rest = piece.as_ref();
        while let Some(file) = stream.next_file(&mut rest)? {
            let video = Box::new(keep(app, name, &file).await?);
            files += 1;
            events.json(&AppendEvent::Stored { video }).await;
        }
    }
    stream.finish()?;
    match files {
        0 => Err(ApiError::parameter(BODY, "is empty: send .vqt files one after the other")),
        files => Ok(files),
    }
}

async fn keep(app: &Arc<App>, name: Option<&str>, file: &[u8]) -> Result<VideoObject, ApiError> {
    let tokens = arrival::tokens(file, BODY, &app.options.limits)?;
    let name = match name {
        Some(name) => Some(format!("{name} {}", store::ask(app, |archive| archive.count()).await? + 1)),
        None => None,
    };
    given_tokens::keep(app, tokens, name.as_deref(), &Reading::default()).await
}

impl From<TokenStreamError> for ApiError {
    fn from(error: TokenStreamError) -> Self {
        match error {
            TokenStreamError::TooLarge { most, .. } => Self::TooLarge {
                what: "a file of the stream",
                limit: most,
                remedy: "send shorter videos, or start the server with a larger --body-bytes",
            },
            error => Self::refused(BODY, error),
        }
    }
}
