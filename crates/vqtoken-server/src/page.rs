//! The page, whose files are part of the program.

use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::ApiError;

#[derive(RustEmbed)]
#[folder = "page/"]
struct Files;

/// The page itself.
pub(crate) async fn index(request: Request) -> Result<Response, ApiError> {
    file("index.html", request.headers())
}

/// A file of the page.
pub(crate) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    file(&path, &headers)
}

fn file(path: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let found = Files::get(path).ok_or_else(|| ApiError::NoRoute { path: format!("/page/{path}") })?;
    let tag = tag_of(&found);
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => found.data.into_owned().into_response(),
    };
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = match kind.type_() == "text" || kind.subtype() == "javascript" {
        true => format!("{kind}; charset=utf-8"),
        false => kind.to_string(),
    };
    let headers = response.headers_mut();
    for (name, value) in [(header::CONTENT_TYPE, kind), (header::ETAG, tag)] {
        headers.insert(name, HeaderValue::try_from(value).map_err(|_| ApiError::Internal)?);
    }
    // Another version of the program has other files.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn tag_of(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let digits: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}
