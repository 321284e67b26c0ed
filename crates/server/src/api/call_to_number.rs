//! `POST /call-to-number`: a user's phones ring, and whoever picks one up is put through (contract §1.5).

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use pbx::{AccountId, CallId, Origination, Unplaced};
use serde::Serialize;
use std::sync::Arc;

use super::auth::Caller;
use super::envelope::ApiError;
use super::form::{Dialect, Form};
use super::{Api, ask};
use crate::drive::{Asked, Message};

/// Path below the API's base.
pub(super) const PATH: &str = "/call-to-number";

/// The answer. It says twice what clients look for in two places.
#[derive(Serialize)]
struct Begun<'a> {
    status: &'static str,
    message: Said,
    code: u16,
    call_id: &'a str,
    data: Placed<'a>,
}

/// Clients of the JSON dialect want a word, the others an object.
#[derive(Serialize)]
#[serde(untagged)]
enum Said {
    Word(&'static str),
    Object { status: &'static str },
}

#[derive(Serialize)]
struct Placed<'a> {
    unique_call_id: &'a str,
    call_id: &'a str,
    user: &'a str,
    user_name: &'a str,
    user_number: &'a str,
    caller_id: Option<String>,
    dest_number: String,
    number_to_call: &'a str,
    status: &'static str,
}

/// Begins the call and answers before anybody picks up.
pub(super) async fn place(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let form = Form::receive(&headers, body).await?;
    let asked = asked(&form)?;
    let plan = &caller.plan;
    let placeable = plan.placeable(&asked).map_err(refused)?;
    let call = begin(&api, plan.account, asked.clone()).await?;
    let call = call.map_err(refused)?.to_string();
    let who = &placeable.user.who;
    let begun = Begun {
        status: "success",
        message: match form.dialect {
            Dialect::Json => Said::Word("Success"),
            Dialect::Urlencoded | Dialect::Multipart => Said::Object { status: "success" },
        },
        code: 200,
        call_id: &call,
        data: Placed {
            unique_call_id: &call,
            call_id: &call,
            user: &who.number,
            user_name: &who.name,
            user_number: &who.number,
            caller_id: placeable.caller_id(),
            dest_number: placeable.dest_number(),
            number_to_call: &asked.number,
            status: "success",
        },
    };
    Ok(Json(begun).into_response())
}

fn asked(form: &Form) -> Result<Origination, ApiError> {
    Ok(Origination {
        user: form.required(&["user_number", "user"])?.to_owned(),
        number: form.required(&["number_to_call"])?.to_owned(),
        caller_id: form.one(&["caller_id"]).map(ToOwned::to_owned),
    })
}

/// Whoever stops waiting has begun nothing, unless the answer is on its way.
async fn begin(
    api: &Api,
    account: AccountId,
    what: Origination,
) -> Result<Result<CallId, Unplaced>, ApiError> {
    let asked = ask(api, |reply| {
        Message::Originate(Asked {
            account,
            what,
            reply,
        })
    });
    asked.await.ok_or_else(ApiError::no_new_calls)
}

fn refused(why: Unplaced) -> ApiError {
    match why {
        Unplaced::UnknownUser => {
            ApiError::field("user_number", "is no internal number of this account")
        }
        Unplaced::NotDiallable => ApiError::field(
            "number_to_call",
            "must be an international number (E.164) or an internal number of this account",
        ),
        Unplaced::Forbidden => ApiError::field(
            "number_to_call",
            "is not allowed by the account's dialling rules",
        ),
        Unplaced::NotPresentable => {
            ApiError::field("caller_id", "must be a number of this account")
        }
        Unplaced::NotRegistered => ApiError::conflict("The user has no registered device"),
        Unplaced::LimitReached => {
            ApiError::conflict("The user or the account has as many calls as are allowed")
        }
        Unplaced::Unavailable => ApiError::no_new_calls(),
    }
}
