//! Connections: accepted up to a bound, cut off when they stand still, finished before the server ends.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::join;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;
use vqtoken_live::Live;

use crate::app::App;
use crate::http::guard::Peer;
use crate::http::patient::PatientStream;

/// Bytes of the head of a request, at most.
const HEAD_BYTES: usize = 64 << 10;

/// What a client reads for which there is no room.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How long idle connections are waited for when all work is done.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How often it is looked whether all work is done.
const LOOK: Duration = Duration::from_millis(20);

/// Serves until `stop` is done, then refuses what comes and finishes what runs.
pub(crate) async fn listen(
    listener: TcpListener,
    router: Router,
    app: Arc<App>,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    accept_until_done(&listener, &router, &app, &graceful, stop).await;
    drop(listener);
    drop(timeout(LAST_WORDS, graceful.shutdown()).await);
}

/// Accepts connections until `stop` is done and nothing is under way any more.
async fn accept_until_done(
    listener: &TcpListener,
    router: &Router,
    app: &App,
    graceful: &GracefulShutdown,
    stop: impl Future<Output = ()>,
) {
    let room = Arc::new(Semaphore::new(app.options.connections.min(Semaphore::MAX_PERMITS)));
    let mut stop = std::pin::pin!(stop);
    let mut accept = std::pin::pin!(async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => match room.clone().try_acquire_owned() {
                    Ok(permit) => serve(stream, Peer(peer), permit, router, app, graceful),
                    Err(_) => drop(stream.try_write(FULL)),
                },
                // Out of file descriptors, most likely: others have to end first.
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    });
    tokio::select! {
        () = &mut accept => {}
        () = &mut stop => {}
    }
    tracing::info!("shutting down: work under way is finished, new work is refused");
    app.under_way.drain();
    let streams = app.streams.end();
    let saved = tokio::task::spawn_blocking(move || streams.iter().for_each(Live::join));
    app.engine.drain();
    tokio::select! {
        () = &mut accept => {}
        result = timeout(app.options.drain_patience, async { join!(idle(app), saved) }) => {
            if result.is_err() {
                tracing::warn!("work under way took too long and is broken off");
            }
        }
    }
}

/// Waits until nothing is under way.
async fn idle(app: &App) {
    loop {
        let load = app.engine.load();
        let works = load.questions_waiting + load.answering + load.videos_waiting + load.encoding;
        if app.under_way.count() == 0 && works == 0 {
            return;
        }
        sleep(LOOK).await;
    }
}

fn serve(
    stream: TcpStream,
    peer: Peer,
    permit: OwnedSemaphorePermit,
    router: &Router,
    app: &App,
    graceful: &GracefulShutdown,
) {
    // Pieces of an answer are small and go out at once.
    drop(stream.set_nodelay(true));
    let io = TokioIo::new(PatientStream::new(stream, app.options.body_patience));
    let router = router.clone();
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        let router = router.clone();
        async move {
            let response = router.oneshot(request).await;
            response.map_err(|never: Infallible| match never {})
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.options.head_patience)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(io, service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(permit);
    });
}
