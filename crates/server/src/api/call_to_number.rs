//! `POST /call-to-number`: a user's phones ring, and whoever picks one up is put through (contract §1.5).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use pbx::{AccountId, CallId, Origination, Unplaced};
use serde::Serialize;
use tokio::sync::oneshot;

use super::Api;
use super::auth::Caller;
use super::envelope::ApiError;
use super::form::{Dialect, Form};
use crate::drive::{Asked, Message};

/// Path below the API's base.
pub(super) const PATH: &str = "/call-to-number";

/// The longest body, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// How long a client may take to send it.
const BODY_PATIENCE: Duration = Duration::from_secs(10);
/// How long the drive loop may take to begin a call.
const DRIVE_PATIENCE: Duration = Duration::from_secs(2);

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
    let form = Form::read(&headers, &read(body).await?)?;
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

async fn read(body: Body) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(BODY_PATIENCE, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(ApiError::body(format!(
            "The body breaks off or is longer than {MAX_BODY_BYTES} bytes"
        ))),
        Err(_) => Err(ApiError::body("The body did not come in time")),
    }
}

fn asked(form: &Form) -> Result<Origination, ApiError> {
    let required = |name: &'static str, names: &[&str]| {
        let value = form.one(names).map(ToOwned::to_owned);
        value.ok_or_else(|| ApiError::field(name, "is required"))
    };
    Ok(Origination {
        user: required("user_number", &["user_number", "user"])?,
        number: required("number_to_call", &["number_to_call"])?,
        caller_id: form.one(&["caller_id"]).map(ToOwned::to_owned),
    })
}

/// Asks the drive loop. Whoever stops waiting has begun nothing, unless the answer is on its way.
async fn begin(
    api: &Api,
    account: AccountId,
    what: Origination,
) -> Result<Result<CallId, Unplaced>, ApiError> {
    let (reply, answer) = oneshot::channel();
    let asked = Asked {
        account,
        what,
        reply,
    };
    if api.drive.send(Message::Originate(asked)).is_err() {
        return Err(ApiError::no_new_calls());
    }
    match tokio::time::timeout(DRIVE_PATIENCE, answer).await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(_)) | Err(_) => Err(ApiError::no_new_calls()),
    }
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
