//! The accept loop: bounded connections, a time limit for a request's head, a stop that waits a little.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use crate::metrics::Metrics;

/// Connections at one time. A further one waits in the kernel's queue.
const MAX_CONNECTIONS: usize = 1_000;
/// Time for the head of a request, also between two requests of one connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's head.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Time that requests in progress are given at the stop.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// Pause after the system had no more file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` changes. Owns its connections: when it returns, none is left.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let service = (router.clone(), Arc::clone(&metrics));
                let mut stop = stop.clone();
                connections.spawn(async move {
                    connection(stream, peer, service, &mut stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "an HTTP connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_PATIENCE, all).await.is_err() {
        tracing::warn!("HTTP requests were cut off by the stop");
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    (router, metrics): (Router, Arc<Metrics>),
    stop: &mut watch::Receiver<()>,
) {
    // Small answers go out at once; a peer that is gone already shows at the first read.
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request: Request<Incoming>| {
        respond(router.clone(), Arc::clone(&metrics), peer, request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        _ = stop.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

async fn respond(
    router: Router,
    metrics: Arc<Metrics>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    metrics.requests_started.increment();
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router.oneshot(request).await;
    metrics.requests_answered.increment();
    response
}
