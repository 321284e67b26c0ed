//! `GET /get-queues`: who waits in the queues of an account now, and what their agents are about.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use clock::Time;
use pbx::{AgentState, AgentView, CallerView, QueueView};
use serde::Serialize;

use super::agents::Presence;
use super::auth::Caller;
use super::envelope::{ApiError, Success};
use super::group_calls::QUEUE_NAMES;
use super::params::Params;
use super::{Api, ask};
use crate::drive::Message;
use crate::stamp::Stamp;

/// Path below the API's base.
pub(super) const PATH: &str = "/get-queues";

#[derive(Serialize)]
struct QueueRow<'a> {
    queue_name: &'a str,
    callers_waiting: usize,
    /// Seconds that the one waits who has waited longest; nobody waits 0.
    longest_wait: u64,
    callers: Vec<CallerRow<'a>>,
    agents: Vec<AgentRow<'a>>,
}

#[derive(Serialize)]
struct CallerRow<'a> {
    unique_call_id: String,
    caller_id: Option<&'a str>,
    caller_name: Option<&'a str>,
    dest_number: &'a str,
    waiting_since: Stamp,
    wait_duration: u64,
}

#[derive(Serialize)]
struct AgentRow<'a> {
    user_number: &'a str,
    user_name: &'a str,
    presence: Presence,
    state: Doing,
    idle_since: Option<Stamp>,
    calls_taken: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Doing {
    Idle,
    Busy,
    DoNotDisturb,
    Resting,
}

/// Answers with the queues in the order of the document, or those that `queues_names` names.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    let names = params.list(&QUEUE_NAMES);
    let account = caller.plan.account;
    let queues = ask(&api, |reply| Message::Queues { account, reply });
    let queues = queues.await.ok_or_else(ApiError::busy)?;
    let now = api.clock.now();
    let is_asked = |queue: &&QueueView| {
        let names = names.as_deref();
        names.is_none_or(|names| names.iter().any(|name| **name == *queue.name))
    };
    let rows = queues.iter().filter(is_asked);
    let rows: Vec<_> = rows.map(|queue| QueueRow::at(queue, now)).collect();
    Ok(Json(Success::of(rows)).into_response())
}

impl<'a> QueueRow<'a> {
    fn at(view: &'a QueueView, now: Time) -> Self {
        let longest = view.waiting_since.map(|since| now.since(since));
        let callers = view.callers.iter();
        Self {
            queue_name: &view.name,
            callers_waiting: view.waiting,
            longest_wait: longest.as_ref().map_or(0, Duration::as_secs),
            callers: callers.map(|caller| CallerRow::at(caller, now)).collect(),
            agents: view.agents.iter().map(AgentRow::from).collect(),
        }
    }
}

impl<'a> CallerRow<'a> {
    fn at(view: &'a CallerView, now: Time) -> Self {
        Self {
            unique_call_id: view.call.to_string(),
            caller_id: view.caller_id.as_deref(),
            caller_name: view.caller_name.as_deref(),
            dest_number: &view.dest_number,
            waiting_since: Stamp(view.since),
            wait_duration: now.since(view.since).as_secs(),
        }
    }
}

impl<'a> From<&'a AgentView> for AgentRow<'a> {
    fn from(view: &'a AgentView) -> Self {
        Self {
            user_number: &view.who.number,
            user_name: &view.who.name,
            presence: view.presence.into(),
            state: match view.state {
                AgentState::Idle => Doing::Idle,
                AgentState::Busy => Doing::Busy,
                AgentState::DoNotDisturb => Doing::DoNotDisturb,
                AgentState::Resting => Doing::Resting,
            },
            idle_since: view.idle_since.map(Stamp),
            calls_taken: view.calls,
        }
    }
}
