//! What a client is told when something is wrong, in the shape that OpenAI's clients read.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use vqtoken_core::{BudgetError, ReduceError, VqtFormatError};
use vqtoken_engine::EngineError;
use vqtoken_model::ModelError;

/// Why a request is not answered. Each message says what is wrong and how to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ApiError {
    /// The body ended early.
    #[error("the body of the request ended before it was complete: send it again, whole")]
    Cut,
    /// The body came too slowly.
    #[error("the body of the request stood still for too long: send it again without a pause")]
    Slow,
    /// The body is no JSON.
    #[error("the body is not valid JSON ({problem}): send one JSON object")]
    NotJson {
        /// What the reader says.
        problem: String,
    },
    /// The body is JSON, but no object.
    #[error("the body is JSON but not an object: send one object with the fields of the request")]
    NotAnObject,
    /// A multipart body cannot be taken apart.
    #[error("the multipart body cannot be read ({problem}): send the video as the field `file`")]
    Multipart {
        /// What the reader says.
        problem: String,
    },
    /// A parameter is missing.
    #[error("`{param}` is missing: {remedy}")]
    Missing {
        /// Its name.
        param: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A parameter cannot be used.
    #[error("`{param}` {problem}")]
    Parameter {
        /// Its name.
        param: String,
        /// What is wrong with it, and what would be right.
        problem: Cow<'static, str>,
    },
    /// A parameter that this server does not honour.
    #[error("`{param}` is not supported: {remedy}")]
    Unsupported {
        /// Its name.
        param: String,
        /// What to do instead.
        remedy: &'static str,
    },
    /// More videos than one.
    #[error(
        "`{second}` is a second video beside `{first}`, and one request is about one video: ask about each in a request of its own"
    )]
    TwoVideos {
        /// Where the first stands.
        first: String,
        /// Where the second stands.
        second: String,
    },
    /// Something is larger than allowed.
    #[error("{what} is larger than {limit} bytes, the most that is taken: {remedy}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The limit, in bytes.
        limit: u64,
        /// What to do.
        remedy: &'static str,
    },
    /// There is no such route.
    #[error("there is nothing at {path}: /openapi.json lists what there is")]
    NoRoute {
        /// What was asked for.
        path: String,
    },
    /// The route is there, but not under this method.
    #[error("{path} does not take {method}: /openapi.json lists what it takes")]
    Method {
        /// What was asked for.
        path: String,
        /// How.
        method: String,
    },
    /// There is no such thing.
    #[error("there is no {what} {id:?} here: {remedy}")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// What it was called.
        id: String,
        /// Where to look.
        remedy: &'static str,
    },
    /// Another model.
    #[error("the model {asked:?} is not served here: ask {served:?}, or leave `model` out")]
    OtherModel {
        /// What was asked for.
        asked: String,
        /// What there is.
        served: String,
    },
    /// No key.
    #[error("this server asks for a key: send it in the header `Authorization: Bearer KEY`")]
    KeyMissing {
        /// Whether a browser asked for the page, which can ask for the key itself.
        page: bool,
    },
    /// A wrong key.
    #[error("the key is wrong: send the one that the server was started with")]
    KeyWrong {
        /// Whether a browser asked for the page, which can ask for the key itself.
        page: bool,
    },
    /// The name by which the server was called is not one of its own.
    #[error(
        "this server does not answer to the host {host:?}: start it with --allow-host if that is its name"
    )]
    Host {
        /// The name.
        host: String,
    },
    /// A page of another site asks.
    #[error("pages of {origin:?} may not use this server: only its own page may")]
    Origin {
        /// Where the page is from.
        origin: String,
    },
    /// A path leaves the media folder, or there is none.
    #[error("`{param}`: {problem}")]
    File {
        /// The parameter.
        param: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// An address cannot be fetched.
    #[error("`{param}`: {problem}")]
    Fetch {
        /// The parameter.
        param: String,
        /// What is wrong, and how to mend it.
        problem: String,
    },
    /// As much waits as may.
    #[error("{waiting} requests are waiting already: try again in {} s", retry_after.as_secs().max(1))]
    Busy {
        /// How many wait.
        waiting: usize,
        /// When it is worth to try again.
        retry_after: Duration,
    },
    /// The server ends.
    #[error("the server is shutting down and takes no new work: try again when it is back")]
    Draining,
    /// A video, a question or an option that the model refuses.
    #[error("{message}")]
    Refused {
        /// The parameter at fault.
        param: Option<String>,
        /// A short name of the cause for programs.
        code: Option<&'static str>,
        /// What the model says.
        message: String,
    },
    /// A `.vqt` file that is none.
    #[error("`{param}` is not a sound .vqt file: {source}")]
    Vqt {
        /// The parameter.
        param: String,
        /// What is wrong.
        source: VqtFormatError,
    },
    /// The disk or the store failed.
    #[error("the store failed ({problem}): look at the server's log")]
    Store {
        /// What it says.
        problem: String,
    },
    /// A mistake of the server.
    #[error("the server made a mistake and its log says which: please report it")]
    Internal,
}

impl ApiError {
    /// A parameter and what is wrong with it.
    pub(crate) fn parameter(param: impl Into<String>, problem: impl Into<Cow<'static, str>>) -> Self {
        Self::Parameter { param: param.into(), problem: problem.into() }
    }

    /// What the model says of a parameter.
    pub(crate) fn refused(param: &str, error: impl std::fmt::Display) -> Self {
        Self::Refused { param: Some(param.to_owned()), code: None, message: error.to_string() }
    }

    /// The status of the response.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Cut
            | Self::NotJson { .. }
            | Self::NotAnObject
            | Self::Multipart { .. }
            | Self::Missing { .. }
            | Self::Parameter { .. }
            | Self::Unsupported { .. }
            | Self::TwoVideos { .. }
            | Self::File { .. }
            | Self::Fetch { .. }
            | Self::Refused { .. }
            | Self::Vqt { .. } => StatusCode::BAD_REQUEST,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoRoute { .. } | Self::NotFound { .. } | Self::OtherModel { .. } => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::KeyMissing { .. } | Self::KeyWrong { .. } => StatusCode::UNAUTHORIZED,
            Self::Host { .. } | Self::Origin { .. } => StatusCode::FORBIDDEN,
            Self::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store { .. } | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn kind(&self) -> &'static str {
        match self.status().as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        }
    }

    fn code(&self) -> Option<&'static str> {
        match self {
            Self::KeyMissing { .. } | Self::KeyWrong { .. } => Some("invalid_api_key"),
            Self::OtherModel { .. } => Some("model_not_found"),
            Self::Unsupported { .. } => Some("unsupported_parameter"),
            Self::Parameter { .. } => Some("invalid_value"),
            Self::Missing { .. } => Some("missing_required_parameter"),
            Self::TwoVideos { .. } => Some("too_many_videos"),
            Self::Busy { .. } => Some("rate_limit_exceeded"),
            Self::TooLarge { .. } => Some("too_large"),
            Self::Draining => Some("shutting_down"),
            Self::Host { .. } => Some("host_not_allowed"),
            Self::Origin { .. } => Some("origin_not_allowed"),
            Self::Refused { code, .. } => *code,
            _ => None,
        }
    }

    fn param(&self) -> Option<&str> {
        match self {
            Self::Missing { param, .. }
            | Self::Parameter { param, .. }
            | Self::Unsupported { param, .. }
            | Self::TwoVideos { second: param, .. }
            | Self::File { param, .. }
            | Self::Fetch { param, .. }
            | Self::Vqt { param, .. } => Some(param),
            Self::OtherModel { .. } => Some("model"),
            Self::Refused { param, .. } => param.as_deref(),
            _ => None,
        }
    }

    /// What is sent.
    pub(crate) fn body(&self) -> ErrorBody {
        ErrorBody {
            error: ErrorObject {
                message: self.to_string(),
                kind: self.kind(),
                param: self.param().map(str::to_owned),
                code: self.code(),
            },
        }
    }
}

/// An error as OpenAI's clients read it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    error: ErrorObject,
}

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
struct ErrorObject {
    /// What, where, and how to mend it.
    message: String,
    /// The kind of error.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The parameter at fault.
    param: Option<String>,
    /// A short name of the cause.
    code: Option<&'static str>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status().is_server_error() && !matches!(self, Self::Draining) {
            tracing::error!(error = %self, "a request failed");
        }
        let mut response = (self.status(), Json(self.body())).into_response();
        let headers = response.headers_mut();
        match &self {
            Self::Busy { retry_after, .. } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
            }
            Self::Draining => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(5));
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Self::KeyMissing { page } | Self::KeyWrong { page } => {
                // Browsers ask for a name and a password on Basic; the password is the key.
                let scheme = match page {
                    true => "Basic realm=\"vqtoken: the password is the key\", charset=\"UTF-8\"",
                    false => "Bearer",
                };
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
            }
            // What is left of the body is not read.
            Self::TooLarge { .. } | Self::Cut | Self::Slow => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Busy { waiting, retry_after } => Self::Busy { waiting, retry_after },
            EngineError::Draining => Self::Draining,
            EngineError::Model(error) => error.into(),
            error => {
                tracing::error!(error = %error, "the engine failed");
                Self::Internal
            }
        }
    }
}

impl From<ModelError> for ApiError {
    fn from(error: ModelError) -> Self {
        let (param, code) = match &error {
            ModelError::PromptTooLong { .. } => ("messages", Some("context_length_exceeded")),
            ModelError::Question(_) => ("messages", None),
            ModelError::Generation(_) => ("temperature", None),
            ModelError::OtherModel { .. } => ("video_tokens", Some("other_model")),
            ModelError::Attention(_) => ("video_tokens", None),
            ModelError::Quantize(_) => ("tokens", None),
            ModelError::Reduce(_) => ("reducer", None),
            ModelError::Video(_) | ModelError::NoFrames | ModelError::Limit { .. } => {
                ("video", Some("bad_video"))
            }
            _ => {
                tracing::error!(error = %error, "the model failed");
                return Self::Internal;
            }
        };
        Self::Refused { param: Some(param.to_owned()), code, message: error.to_string() }
    }
}

impl From<BudgetError> for ApiError {
    fn from(error: BudgetError) -> Self {
        Self::refused("tokens", error)
    }
}

impl From<ReduceError> for ApiError {
    fn from(error: ReduceError) -> Self {
        Self::refused("reducer", error)
    }
}

impl ApiError {
    /// The same for another who waited for the same work.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Refused { param, code, message } => {
                Self::Refused { param: param.clone(), code: *code, message: message.clone() }
            }
            Self::Parameter { param, problem } => {
                Self::Parameter { param: param.clone(), problem: problem.clone() }
            }
            Self::NotFound { what, id, remedy } => Self::NotFound { what, id: id.clone(), remedy },
            Self::Store { problem } => Self::Store { problem: problem.clone() },
            Self::Draining => Self::Draining,
            _ => Self::Internal,
        }
    }
}
