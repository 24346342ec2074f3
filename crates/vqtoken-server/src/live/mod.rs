//! Live streams: a camera of a browser, or a source that the operator named; windows, standing questions, any question about the last
//! seconds.
//!
//! | file | idea |
//! | --- | --- |
//! | `streams.rs` | streams under way, bounded in number, ended when nobody brings frames |
//! | `begin.rs` | `POST /v1/live` |
//! | `routes.rs` | frames, events, map, list, end |
//! | `answerer.rs` | standing questions go through the engine |

mod answerer;
pub(crate) mod begin;
pub(crate) mod routes;
pub(crate) mod streams;

use std::time::Duration;

use vqtoken_live::LiveError;

use crate::error::ApiError;

impl From<LiveError> for ApiError {
    fn from(error: LiveError) -> Self {
        match &error {
            LiveError::Option { name, .. } => Self::parameter(*name, error.to_string()),
            LiveError::KeepTooShort { .. } | LiveError::TooMuch { .. } => {
                Self::parameter("keep", error.to_string())
            }
            LiveError::Budget(_) => Self::refused("tokens", error),
            LiveError::Time { .. } => Self::parameter("time", format!("cannot be used: {error}")),
            LiveError::NoFrames { .. } => Self::Refused {
                param: Some("last".to_owned()),
                code: Some("no_frames"),
                message: error.to_string(),
            },
            LiveError::Ended => Self::NotFound {
                what: "live stream",
                id: "under way".to_owned(),
                remedy: "it has ended: start another with POST /v1/live",
            },
            LiveError::InUse { .. } => {
                Self::parameter("source", "is under way and kept in its folder: GET /v1/live lists it")
            }
            LiveError::OtherModel { .. } | LiveError::Description { .. } => Self::refused("source", error),
            LiveError::Busy { waiting } => {
                Self::Busy { waiting: *waiting, retry_after: Duration::from_secs(1) }
            }
            _ => {
                tracing::error!(%error, "a live stream failed");
                Self::Internal
            }
        }
    }
}
