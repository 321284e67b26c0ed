//! `POST /set-agent-presence`: an agent logs in or out, goes away for a while or comes back, as by
//! feature code.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use pbx::{AgentChange, Plan, User};
use serde::Serialize;

use super::auth::Caller;
use super::envelope::{ApiError, Success};
use super::form::Form;
use super::params::USERS;
use super::{Api, ask};
use crate::drive::{Message, PresenceAsked};

/// Path below the API's base.
pub(super) const PATH: &str = "/set-agent-presence";

/// Names that the user is known by: those of the filter, the one of click to call first.
const USER: [&str; 6] = {
    let [numbers, names, user_numbers, number, users, user] = USERS;
    [number, user, numbers, names, user_numbers, users]
};

/// Whether an agent takes calls from queues.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Presence {
    LoggedIn,
    Paused,
    LoggedOut,
}

impl From<pbx::Presence> for Presence {
    fn from(presence: pbx::Presence) -> Self {
        match presence {
            pbx::Presence::In => Self::LoggedIn,
            pbx::Presence::Paused => Self::Paused,
            pbx::Presence::Out => Self::LoggedOut,
        }
    }
}

#[derive(Serialize)]
struct Set<'a> {
    user_number: &'a str,
    user_name: &'a str,
    presence: Presence,
    /// The queues that it counts for.
    queues_names: Vec<&'a str>,
}

/// Changes it, and answers when that is kept.
pub(super) async fn set_presence(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let form = Form::receive(&headers, body).await?;
    let plan = &caller.plan;
    let user = user(form.required(&USER)?, plan)?;
    let change = change(form.required(&["presence"])?)?;
    let asked = ask(&api, |reply| {
        Message::Presence(PresenceAsked {
            account: plan.account,
            user: Arc::clone(&user.who.number),
            change,
            reply,
        })
    });
    let presence = asked.await.ok_or_else(ApiError::busy)?;
    if pbx::Presence::In.after(change) != presence {
        return Err(ApiError::conflict(
            "The agent is logged out, and has to log in before",
        ));
    }
    let queues = plan.queues_of(&user.who.number);
    let set = Set {
        user_number: &user.who.number,
        user_name: &user.who.name,
        presence: presence.into(),
        queues_names: queues.map(|name| &**name).collect(),
    };
    Ok(Json(Success::of(set)).into_response())
}

/// The user with that internal number or name.
fn user<'a>(given: &str, plan: &'a Plan) -> Result<&'a User, ApiError> {
    let numbered = plan.user_by_number(given).map(|(_, user)| user);
    let named = || plan.users.iter().find(|user| *user.who.name == *given);
    let rule = "is no internal number or name of a user of this account";
    let user = numbered.or_else(named);
    user.ok_or_else(|| ApiError::field("user_number", rule))
}

fn change(given: &str) -> Result<AgentChange, ApiError> {
    match given {
        "log_in" => Ok(AgentChange::LogIn),
        "log_out" => Ok(AgentChange::LogOut),
        "pause" => Ok(AgentChange::Pause),
        "resume" | "unpause" => Ok(AgentChange::Resume),
        _ => Err(ApiError::field(
            "presence",
            "must be log_in, log_out, pause or resume",
        )),
    }
}
