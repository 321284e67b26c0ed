//! The HTTP surface: the integration API of the contract, health, readiness and metrics.
//!
//! Only here and in `hooks::payload` is JSON defined that the outside sees.

mod agents;
mod audio;
mod auth;
mod call_to_number;
mod cursor;
mod envelope;
mod form;
mod group_calls;
mod health;
mod limit;
mod listing;
mod params;
mod queues;
pub mod serve;
mod user_calls;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Method;
use axum::routing::{MethodRouter, get, post};
use store::Reader;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::directory::Live;
use crate::drive::Message;
use crate::inbox::Sender;
use crate::metrics::Metrics;
use crate::net::cidr::Cidr;
use crate::ready::Readiness;
use crate::settings::Http;
use envelope::ApiError;
use group_calls::{QueueCalls, RingGroupCalls};
use limit::Limiter;
use listing::{Listing, list};
use user_calls::UserCalls;

/// Where the integration API lives.
const BASE: &str = "/api/integration/v2";

/// What the handlers work with.
pub struct Api {
    clock: Clock,
    accounts: Live,
    reader: Reader,
    limiter: Limiter<auth::KeyHash>,
    guesses: Limiter<IpAddr>,
    trusted_proxies: Vec<Cidr>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
    drive: Sender<Message>,
    recordings: PathBuf,
}

/// What the rest of the server gives to the API.
pub struct Parts {
    /// The clock.
    pub clock: Clock,
    /// The accounts.
    pub accounts: Live,
    /// The committed calls.
    pub reader: Reader,
    /// Whether the server can do its work.
    pub readiness: Readiness,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who begins calls.
    pub drive: Sender<Message>,
    /// The folder of audio.
    pub recordings: PathBuf,
}

/// Every route of the server.
pub fn router(parts: Parts, settings: &Http) -> Router {
    let api = Arc::new(Api {
        clock: parts.clock,
        accounts: parts.accounts,
        reader: parts.reader,
        limiter: Limiter::new(settings.requests_per_second, settings.requests_at_once),
        guesses: Limiter::new(auth::GUESSES_PER_SECOND, auth::GUESSES_AT_ONCE),
        trusted_proxies: settings.trusted_proxies.clone(),
        readiness: parts.readiness,
        metrics: parts.metrics,
        drive: parts.drive,
        recordings: parts.recordings,
    });
    let mut integration = Router::new();
    for (_, path, handler) in routes() {
        integration = integration.route(path, handler);
    }
    Router::new()
        .nest(BASE, integration)
        .route(audio::PATH, get(audio::send))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .with_state(api)
}

/// The routes of the integration API. None is for those without a key, and a test asks each of them.
fn routes() -> [(Method, &'static str, MethodRouter<Arc<Api>>); 6] {
    [
        (Method::GET, UserCalls::PATH, get(list::<UserCalls>)),
        (Method::GET, QueueCalls::PATH, get(list::<QueueCalls>)),
        (
            Method::GET,
            RingGroupCalls::PATH,
            get(list::<RingGroupCalls>),
        ),
        (
            Method::POST,
            call_to_number::PATH,
            post(call_to_number::place),
        ),
        (Method::GET, queues::PATH, get(queues::show)),
        (Method::POST, agents::PATH, post(agents::set_presence)),
    ]
}

/// How long the drive loop may take to answer.
const DRIVE_PATIENCE: Duration = Duration::from_secs(2);

/// Asks the drive loop; `None`: it is too far behind, or has ended.
async fn ask<T>(api: &Api, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    api.drive.send(message(reply)).ok()?;
    let answer = tokio::time::timeout(DRIVE_PATIENCE, answer).await;
    answer.ok()?.ok()
}
