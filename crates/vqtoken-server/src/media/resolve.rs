//! From a video in a request to one that can be read.

use std::sync::Arc;

use url::Url;
use vqtoken_core::VideoTokens;

use crate::app::App;
use crate::error::ApiError;
use crate::live;
use crate::media::arrival::{Arrival, begins_as_video_tokens, tokens};
use crate::media::data_url::{DataUrl, decode};
use crate::media::given::{Form, Given};
use crate::media::{Media, frames, local, remote};

/// Makes a video readable; `pictures_per_second` is the rate of one that is given as pictures.
pub(crate) async fn resolve(
    app: &Arc<App>,
    given: Given,
    pictures_per_second: f64,
) -> Result<Media, ApiError> {
    let Given { place, form } = given;
    match form {
        Form::Url(url) => by_url(app, url, place, pictures_per_second).await,
        Form::Base64(text) => {
            let app = app.clone();
            crate::blocking(move || of_base64(&app, &text, "video", &place)).await?
        }
        Form::Tokens(text) => {
            let app = app.clone();
            crate::blocking(move || {
                let bytes = decode(&text, &place)?;
                tokens(&bytes, &place, &app.options.limits).map(|tokens| Media::Tokens(Box::new(tokens)))
            })
            .await?
        }
        Form::Pictures(pictures) => {
            let app = app.clone();
            crate::blocking(move || {
                let pictures: Vec<&str> = pictures.iter().map(String::as_str).collect();
                frames::write(&pictures, &place, pictures_per_second, &app.uploads).map(Media::Video)
            })
            .await?
        }
    }
}

async fn by_url(
    app: &Arc<App>,
    url: String,
    place: String,
    pictures_per_second: f64,
) -> Result<Media, ApiError> {
    if let Some(id) = url.strip_prefix("vqt:") {
        return Ok(Media::Stored(id.trim_start_matches("//").to_owned()));
    }
    if let Some(stream) = url.strip_prefix("live:") {
        let tokens = of_live(app, stream.trim_start_matches("//"), &place).await?;
        return Ok(Media::Tokens(Box::new(tokens)));
    }
    if DataUrl::parse(&url, &place)?.is_some() {
        let app = app.clone();
        return crate::blocking(move || by_data_url(&app, &url, &place, pictures_per_second)).await?;
    }
    let parsed = Url::parse(&url).map_err(|error| {
        ApiError::parameter(
            &*place,
            format!("is no address ({error}): give data:, file:, http(s):, vqt:ID or live:ID"),
        )
    })?;
    match parsed.scheme() {
        "http" | "https" => remote::fetch(app, url, place).await,
        "file" => {
            let app = app.clone();
            crate::blocking(move || {
                let folder = app.options.media.as_deref();
                local::open(&parsed, &place, folder, &app.known_files).map(Media::Video)
            })
            .await?
        }
        scheme => Err(ApiError::parameter(
            place,
            format!("has the scheme {scheme:?}: give data:, file:, http(s):, vqt:ID or live:ID"),
        )),
    }
}

/// The last seconds of a stream, `ID?last=SECONDS`.
async fn of_live(app: &App, stream: &str, place: &str) -> Result<VideoTokens, ApiError> {
    let (id, query) = stream.split_once('?').unwrap_or((stream, ""));
    let mut last = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match (name.as_ref(), value.parse::<f64>()) {
            ("last", Ok(seconds)) => last = Some(seconds),
            _ => return Err(ApiError::parameter(place, "is no live stream: write live:ID?last=SECONDS")),
        }
    }
    live::routes::tokens(app, id, last).await
}

fn by_data_url(app: &App, url: &str, place: &str, pictures_per_second: f64) -> Result<Media, ApiError> {
    let Some(data) = DataUrl::parse(url, place)? else {
        return Err(ApiError::Internal);
    };
    match data.pictures() {
        Some(pictures) => {
            frames::write(&pictures, place, pictures_per_second, &app.uploads).map(Media::Video)
        }
        None => of_base64(app, data.data, data.kind, place),
    }
}

/// A video or a `.vqt` file in base64.
fn of_base64(app: &App, text: &str, name: &str, place: &str) -> Result<Media, ApiError> {
    let bytes = decode(text, place)?;
    if begins_as_video_tokens(&bytes) {
        return tokens(&bytes, place, &app.options.limits).map(|tokens| Media::Tokens(Box::new(tokens)));
    }
    let mut arrival = Arrival::new(&app.uploads)?;
    arrival.write(&bytes)?;
    arrival.finish(&name.replace('/', "."), place, &app.options.limits)
}
