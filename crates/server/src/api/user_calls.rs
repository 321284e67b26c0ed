//! `GET /get-user-calls`: the calls of users, one row per user and call (contract §1.3).

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use pbx::cdr::{UserCall, UserCallKind};
use serde::Serialize;
use store::{Page, Position, UserCallQuery};

use super::Api;
use super::auth::Caller;
use super::cursor::Cursor;
use super::envelope::{ApiError, Success};
use super::params::{Asked, Params};
use crate::stamp::Stamp;

/// Path below the API's base.
pub(super) const PATH: &str = "/get-user-calls";

const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// One row on the wire.
#[derive(Serialize)]
struct UserCallRow<'a> {
    unique_call_id: String,
    r#type: &'static str,
    caller_id: Option<&'a str>,
    caller_name: Option<&'a str>,
    dest_number: &'a str,
    user_name: &'a str,
    user_number: &'a str,
    call_start_at: Stamp,
    connected_at: Option<Stamp>,
    call_duration: u32,
    conversation_duration: u32,
}

impl<'a> From<&'a UserCall> for UserCallRow<'a> {
    fn from(row: &'a UserCall) -> Self {
        Self {
            unique_call_id: row.call.to_string(),
            r#type: kind_name(row.kind),
            caller_id: row.caller_id.as_deref(),
            caller_name: row.caller_name.as_deref(),
            dest_number: &row.dest_number,
            user_name: &row.user_name,
            user_number: &row.user_number,
            call_start_at: Stamp(row.call_start_at),
            connected_at: row.connected_at.map(Stamp),
            call_duration: row.call_duration_seconds,
            conversation_duration: row.conversation_duration_seconds,
        }
    }
}

const fn kind_name(kind: UserCallKind) -> &'static str {
    match kind {
        UserCallKind::UserInboundAnswered => "user_inbound_answered",
        UserCallKind::UserInboundMissed => "user_inbound_missed",
        UserCallKind::UserOutboundAnswered => "user_outbound_answered",
        UserCallKind::UserOutboundUnanswered => "user_outbound_unanswered",
    }
}

/// Answers with a page of rows, the total, and where the next page is.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    let asked = match params.user_calls(caller.plan.account)? {
        Asked::Rows(asked) => asked,
        Asked::Nothing => return Ok(answer(&Page::default(), None)),
    };
    let page = read(&api, asked.clone()).await?;
    let next = next_link(&params, &asked, &page);
    Ok(answer(&page, next))
}

/// Reads on a thread that may wait for the disk.
async fn read(api: &Api, asked: UserCallQuery) -> Result<Page, ApiError> {
    let reader = api.reader.clone();
    let page = tokio::task::spawn_blocking(move || reader.user_calls(&asked)).await;
    match page {
        Ok(Ok(page)) => Ok(page),
        Ok(Err(error)) => {
            tracing::error!(%error, "reading user calls failed");
            Err(ApiError::unavailable())
        }
        Err(error) => {
            tracing::error!(%error, "the reading thread ended");
            Err(ApiError::unavailable())
        }
    }
}

fn answer(page: &Page, next: Option<HeaderValue>) -> Response {
    let rows: Vec<UserCallRow<'_>> = page.rows.iter().map(UserCallRow::from).collect();
    let mut response = Json(Success::of(rows)).into_response();
    let headers = response.headers_mut();
    headers.insert(TOTAL_COUNT, HeaderValue::from(page.total));
    if let Some(next) = next {
        headers.insert(header::LINK, next);
    }
    response
}

/// `Link: <…>; rel="next"` unless this page is known to be the last one.
fn next_link(params: &Params, asked: &UserCallQuery, page: &Page) -> Option<HeaderValue> {
    let last = page.rows.last()?;
    let read = u64::try_from(page.rows.len()).ok()?;
    let is_full = read == u64::from(asked.limit);
    let is_end = asked.after.is_none() && asked.offset.saturating_add(read) >= page.total;
    if !is_full || is_end {
        return None;
    }
    let cursor = Cursor {
        order: asked.order,
        position: Position::of(last),
    };
    let query = params.behind(&cursor);
    HeaderValue::from_str(&format!("<{}{PATH}?{query}>; rel=\"next\"", super::BASE)).ok()
}
