//! Bodies of requests: bounded before they are read, and told apart when they do not come whole.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use std::error::Error;
use std::time::Duration;

use crate::error::ApiError;

/// What the headers say of the length of a body.
pub(crate) fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body whose pieces are read one by one.
pub(crate) struct Pieces {
    stream: axum::body::BodyDataStream,
    taken: u64,
    limit: u64,
    what: &'static str,
    remedy: &'static str,
    patience: Duration,
}

impl Pieces {
    /// A body of at most `limit` bytes.
    pub(crate) fn new(
        headers: &HeaderMap,
        body: Body,
        (limit, what, remedy): (u64, &'static str, &'static str),
        patience: Duration,
    ) -> Result<Self, ApiError> {
        if declared(headers).is_some_and(|length| length > limit) {
            return Err(ApiError::TooLarge { what, limit, remedy });
        }
        Ok(Self { stream: body.into_data_stream(), taken: 0, limit, what, remedy, patience })
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let next = tokio::time::timeout(self.patience, self.stream.next());
        let piece = match next.await {
            Err(_) => return Err(ApiError::Slow),
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => return Err(broken(&error)),
            Ok(Some(Ok(piece))) => piece,
        };
        self.taken += piece.len() as u64;
        match self.taken > self.limit {
            true => Err(ApiError::TooLarge { what: self.what, limit: self.limit, remedy: self.remedy }),
            false => Ok(Some(piece)),
        }
    }

    /// All of it.
    pub(crate) async fn whole(mut self) -> Result<Bytes, ApiError> {
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await? else { return Ok(first) };
        let mut whole = Vec::with_capacity(first.len() + second.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(piece) = self.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }
}

/// Why a body does not go on.
pub(crate) fn broken(error: &(dyn Error + 'static)) -> ApiError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && error.is_timeout()
        {
            return ApiError::Slow;
        }
        cause = error.source();
    }
    ApiError::Cut
}
