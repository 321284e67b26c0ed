//! The envelope around every answer of the integration API (contract §1.2 and §1.6).

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// When what could not be done may be asked for again.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

/// The answer that went well. `code` is 200 and the HTTP status exactly 200: clients compare both.
#[derive(Serialize)]
pub(super) struct Success<T> {
    status: &'static str,
    message: &'static str,
    code: u16,
    data: T,
}

impl<T> Success<T> {
    pub(super) fn of(data: T) -> Self {
        Self {
            status: "success",
            message: "Success",
            code: 200,
            data,
        }
    }
}

#[derive(Serialize)]
struct Failure<'a> {
    status: &'static str,
    message: &'a str,
    code: u16,
    data: Option<()>,
}

/// Why a request was not served; becomes the envelope with the true HTTP status.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    status: StatusCode,
    message: String,
    retry_after: Option<Duration>,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            retry_after: None,
        }
    }

    /// No key, or one that nobody has.
    pub(super) fn not_authorised() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Not authorised")
    }

    /// A good key from the wrong place.
    pub(super) fn address_not_listed() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "Your IP address is not in the white list",
        )
    }

    /// A field that breaks its rule.
    pub(super) fn field(name: &str, rule: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{name} {rule}"))
    }

    /// A body that cannot be read: what is wrong, and where.
    pub(super) fn body(what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what)
    }

    /// What cannot be done as things are.
    pub(super) fn conflict(why: &str) -> Self {
        Self::new(StatusCode::CONFLICT, why)
    }

    /// The server is too busy for a new call, or about to stop.
    pub(super) fn no_new_calls() -> Self {
        let error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "No new calls are taken at the moment, try again later",
        );
        Self {
            retry_after: Some(BUSY_PAUSE),
            ..error
        }
    }

    /// The server does not come to it, or cannot keep what is asked for.
    pub(super) fn busy() -> Self {
        let error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The server cannot do this at the moment, try again later",
        );
        Self {
            retry_after: Some(BUSY_PAUSE),
            ..error
        }
    }

    /// A path that leads nowhere.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is nothing at this path")
    }

    /// A path that has no such method.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "This path does not have this method",
        )
    }

    /// More requests than the limit.
    pub(super) fn too_many(retry_after: Duration) -> Self {
        let error = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests, try again later",
        );
        Self {
            retry_after: Some(retry_after),
            ..error
        }
    }

    /// A fault of ours; the reason is in the log.
    pub(super) fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The call records cannot be read at the moment",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = self.status.as_u16();
        let body = Failure {
            status: "error",
            message: &self.message,
            code,
            data: None,
        };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(after) = self.retry_after {
            // Rounded up, so that a client that waits exactly so long is let in.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}
