//! What every list of calls shares: filters, pages, the total and where the next page is.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use store::{CallQuery, Page, Position, Reader, StoreError};

use super::Api;
use super::auth::Caller;
use super::cursor::Cursor;
use super::envelope::{ApiError, Success};
use super::params::{Asked, Params};

const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// A kind of row that is listed.
pub(super) trait Listing: 'static {
    /// Path below the API's base.
    const PATH: &'static str;
    /// Names that the filter of queues or ring groups is known by.
    const GROUPS: &'static [&'static str];
    /// The row as it is kept.
    type Row: Send + 'static;

    /// The rows that are asked for.
    fn read(reader: &Reader, asked: &CallQuery) -> Result<Page<Self::Row>, StoreError>;

    /// The row as it is told.
    fn wire(row: &Self::Row) -> impl Serialize;

    /// Where it stands.
    fn position(row: &Self::Row) -> Position;
}

/// Answers with a page of rows, the total, and where the next page is.
pub(super) async fn list<L: Listing>(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    let asked = match params.calls(caller.plan.account, L::GROUPS)? {
        Asked::Rows(asked) => asked,
        Asked::Nothing => return Ok(answer::<L>(&Page::EMPTY, None)),
    };
    let page = read::<L>(&api, asked.clone()).await?;
    let next = next_link::<L>(&params, &asked, &page);
    Ok(answer::<L>(&page, next))
}

/// Reads on a thread that may wait for the disk.
async fn read<L: Listing>(api: &Api, asked: CallQuery) -> Result<Page<L::Row>, ApiError> {
    let reader = api.reader.clone();
    let page = tokio::task::spawn_blocking(move || L::read(&reader, &asked)).await;
    match page {
        Ok(Ok(page)) => Ok(page),
        Ok(Err(error)) => {
            tracing::error!(%error, path = L::PATH, "reading calls failed");
            Err(ApiError::unavailable())
        }
        Err(error) => {
            tracing::error!(%error, path = L::PATH, "the reading thread ended");
            Err(ApiError::unavailable())
        }
    }
}

fn answer<L: Listing>(page: &Page<L::Row>, next: Option<HeaderValue>) -> Response {
    let rows: Vec<_> = page.rows.iter().map(L::wire).collect();
    let mut response = Json(Success::of(rows)).into_response();
    let headers = response.headers_mut();
    headers.insert(TOTAL_COUNT, HeaderValue::from(page.total));
    if let Some(next) = next {
        headers.insert(header::LINK, next);
    }
    response
}

/// `Link: <…>; rel="next"` unless this page is known to be the last one.
fn next_link<L: Listing>(
    params: &Params,
    asked: &CallQuery,
    page: &Page<L::Row>,
) -> Option<HeaderValue> {
    let last = page.rows.last()?;
    let read = u64::try_from(page.rows.len()).ok()?;
    let is_full = read == u64::from(asked.limit);
    let is_end = asked.after.is_none() && asked.offset.saturating_add(read) >= page.total;
    if !is_full || is_end {
        return None;
    }
    let cursor = Cursor {
        order: asked.order,
        position: L::position(last),
    };
    let (base, path, query) = (super::BASE, L::PATH, params.behind(&cursor));
    HeaderValue::from_str(&format!("<{base}{path}?{query}>; rel=\"next\"")).ok()
}
