//! Streams of server-sent events.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use std::convert::Infallible;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::error::ApiError;

/// Events that may wait for a client that reads slowly.
const WAITING: usize = 64;

/// Where events go.
#[derive(Clone, Debug)]
pub(crate) struct Events(Option<mpsc::Sender<Bytes>>);

impl Events {
    /// Nobody listens.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Sends an event of JSON. A client that has gone is found out by [`Events::gone`].
    pub(crate) async fn json(&self, event: &impl Serialize) {
        let Some(sender) = &self.0 else { return };
        match serde_json::to_string(event) {
            Ok(json) => drop(sender.send(format!("data: {json}\n\n").into()).await),
            Err(error) => tracing::error!(%error, "an event cannot be written"),
        }
    }

    /// Sends an error, `{"error": ..}`, with a field `type` if there is a name for it.
    pub(crate) async fn error(&self, kind: &str, error: &ApiError) {
        if error.status().is_server_error() {
            tracing::error!(%error, "a stream failed");
        }
        let mut body = serde_json::json!(error.body());
        if !kind.is_empty() {
            body["type"] = kind.into();
        }
        self.json(&body).await;
    }

    /// Sends a comment, which keeps the connection alive and which clients pass over.
    pub(crate) async fn comment(&self, text: &str) {
        if let Some(sender) = &self.0 {
            drop(sender.send(format!(": {text}\n\n").into()).await);
        }
    }

    /// Sends the mark of the end.
    pub(crate) async fn done(&self) {
        if let Some(sender) = &self.0 {
            drop(sender.send(Bytes::from_static(b"data: [DONE]\n\n")).await);
        }
    }

    /// Waits until the client has gone.
    pub(crate) async fn gone(&self) {
        match &self.0 {
            Some(sender) => sender.closed().await,
            None => std::future::pending().await,
        }
    }
}

/// A stream of events and the response that carries it.
pub(crate) fn events() -> (Events, Response) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let stream = ReceiverStream::new(receiver).map(Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    // Proxies would hold events back otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    (Events(Some(sender)), response)
}
