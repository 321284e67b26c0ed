//! What machines ask: is it alive, can it work, what did it count.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Api;

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// 200 while new calls can be taken and kept, 503 with the reason otherwise.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Response {
    match api.readiness.reason() {
        None => "ready\n".into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

/// The counters, in Prometheus's text form.
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        api.metrics.render(),
    )
}
