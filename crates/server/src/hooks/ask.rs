//! Asks an address which way a call goes: one request without a second try, because a caller waits.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use pbx::{Question, Told};
use tokio::sync::Semaphore;

use super::client::{Client, PostError};
use super::guard::{Guard, Target};
use super::request::{PRODUCT, configured, readable};
use super::trust::Trust;
use super::{payload, sign};
use crate::dns::Dns;

/// Questions at once. Beyond it there is no answer, and the call goes on without one.
const MAX_OPEN: usize = 256;

const JSON: &str = "application/json";

/// Whoever asks for calls.
#[derive(Clone)]
pub struct Asker {
    client: Arc<Client>,
    open: Arc<Semaphore>,
}

impl Asker {
    /// With the client of webhooks: what is refused there is refused here.
    pub fn new(guard: Guard, dns: Dns, trust: Arc<Trust>) -> Self {
        Self {
            client: Arc::new(Client::new(guard, dns, trust)),
            open: Arc::new(Semaphore::new(MAX_OPEN)),
        }
    }

    /// Asks, and waits for as long as the question says.
    pub async fn ask(&self, question: &Question) -> Told {
        let Ok(_permit) = self.open.try_acquire() else {
            tracing::warn!(call = %question.call, "too many questions wait for an answer");
            return Told::Nothing;
        };
        match self.answer(question).await {
            Ok(told) => told,
            Err(why) => {
                let place = &question.asks.place;
                tracing::info!(call = %question.call, %place, why, "a question has no answer");
                Told::Nothing
            }
        }
    }

    async fn answer(&self, question: &Question) -> Result<Told, String> {
        let (target, request) = prepare(question)?;
        let answer = self.client.fetch(&target, request, question.patience);
        let (status, body) = match answer.await {
            Ok(answer) => answer,
            Err(PostError::TimedOut(_)) => return Ok(Told::TimedOut),
            Err(error) => return Err(error.to_string()),
        };
        if !status.is_success() {
            return Err(format!("the address answered {status}"));
        }
        payload::read_way(&body).ok_or_else(|| "the answer names no exit".to_owned())
    }
}

fn prepare(question: &Question) -> Result<(Target, Request<Full<Bytes>>), String> {
    let asks = &question.asks;
    let target = Target::parse(&asks.url).map_err(|refusal| refusal.to_string())?;
    let body = payload::render_question(question).ok_or("it cannot be written")?;
    let mut headers = configured(&asks.headers)?;
    let ours = [
        (HOST, target.authority.as_str()),
        (USER_AGENT, PRODUCT),
        (CONTENT_TYPE, JSON),
        (ACCEPT, JSON),
        (HeaderName::from_static(sign::TOKEN), &asks.secret_token),
    ];
    for (name, value) in ours {
        let value = HeaderValue::from_str(value).map_err(|error| format!("{name}: {error}"))?;
        headers.insert(name, value);
    }
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = readable(target.path.as_str())?;
    *request.headers_mut() = headers;
    Ok((target, request))
}
