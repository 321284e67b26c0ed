//! Our requests outside dialogs: REGISTER at a trunk, OPTIONS to see whether a peer lives.

use std::net::{IpAddr, SocketAddr};

use clock::Time;

use super::Ua;
use super::clients::{Answered, Attempt, Failure, Owner, Sending};
use super::compose::{self, Words};
use super::step::Step;
use super::types::{Event, OutRequest, Output, Reply, RequestId, Series};
use crate::bytes::as_str;
use crate::digest::client::Credentials;
use crate::{Message, NameAddr, Uri, reason_phrase};

impl Ua {
    /// Sends a request that makes no dialog. Its end is one [`Event::Response`].
    pub fn request(&mut self, now: Time, id: RequestId, request: OutRequest) -> Vec<Output> {
        let mut step = Step::at(now);
        let mut series = request.series.clone().unwrap_or_else(|| Series {
            call_id: self.new_call_id(),
            cseq: 0,
        });
        series.cseq += 1;
        let branch = self.next_branch();
        let tag = format!("{:016x}", self.random.next());
        let words = Words {
            transport: request.to.transport,
            branch,
            method: request.method,
            tag: &tag,
            series: &series,
            session_seconds: 0,
        };
        let bytes = self.identity.request(&request, &words);
        let is_full = self.clients.len() >= self.limits.max_client_transactions;
        if is_full || compose::reread(&bytes).is_none() {
            let code = if is_full { 503 } else { 400 };
            step.event(Event::Response {
                id,
                code,
                answer: Reply::made_here(code, series),
            });
            return step.finish();
        }
        let owner = Owner::Request(id, request.credentials.map(Box::new));
        let (method, to, attempt) = (request.method, request.to, Attempt::First);
        self.start_client(
            Sending {
                branch,
                method,
                to,
                bytes,
                owner,
                attempt,
            },
            &mut step,
        );
        step.finish()
    }

    /// The final answer to a request outside dialogs.
    pub(super) fn request_answered(
        &mut self,
        id: RequestId,
        credentials: Option<&Credentials>,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) {
        if self.request_again(credentials, answered, step).is_some() {
            return;
        }
        let series = series_of(answered.request);
        let answer = Reply::of(answered, series);
        step.event(Event::Response {
            id,
            code: answered.code,
            answer,
        });
    }
}

/// No answer came to a request outside dialogs.
pub(super) fn request_failed(id: RequestId, request: &[u8], failure: Failure, step: &mut Step) {
    let code = failure.code();
    let answer = Reply::made_here(code, series_of(request));
    step.event(Event::Response { id, code, answer });
}

impl Reply {
    fn made_here(code: u16, series: Series) -> Self {
        Self {
            reason: reason_phrase(code).to_owned(),
            expires_seconds: None,
            min_expires_seconds: None,
            retry_after_seconds: None,
            seen_as: None,
            series,
        }
    }

    fn of(answered: &Answered<'_, '_>, series: Series) -> Self {
        let answer = answered.answer;
        let reason = answer
            .status_line()
            .map(|line| line.reason)
            .unwrap_or_default();
        Self {
            reason: String::from_utf8_lossy(reason).into_owned(),
            expires_seconds: granted(answer, answered.request),
            min_expires_seconds: answer.min_expires(),
            retry_after_seconds: answer.retry_after(),
            seen_as: seen_as(answer),
            series,
        }
    }
}

/// Seconds granted to the Contact of a request (RFC 3261 §10.2.4), else of the whole answer.
fn granted(answer: &Message<'_>, request: &[u8]) -> Option<u32> {
    let request = compose::reread(request);
    let ours = request.as_ref().and_then(Message::contact);
    let is_ours = |contact: &NameAddr<'_>| {
        let pair = ours.and_then(|ours| Some((Uri::parse(ours.uri)?, Uri::parse(contact.uri)?)));
        pair.is_some_and(|(ours, theirs)| ours.is_equivalent(&theirs))
    };
    let mut contacts = answer.contacts().filter_map(|contact| match contact {
        crate::Contact::Address(address) => Some(address),
        crate::Contact::Star => None,
    });
    let own = contacts
        .find(is_ours)
        .and_then(|contact| contact.param("expires"));
    own.and_then(|seconds| as_str(seconds)?.parse().ok())
        .or_else(|| answer.expires())
}

/// Our address as the peer wrote it into our Via (RFC 3581 §4).
fn seen_as(answer: &Message<'_>) -> Option<SocketAddr> {
    let via = answer.top_via()?;
    let host = as_str(via.received().unwrap_or(via.host))?;
    let address: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
    Some(SocketAddr::new(address, via.rport().or(via.port)?))
}

fn series_of(request: &[u8]) -> Series {
    let request = compose::reread(request);
    let call_id = request
        .as_ref()
        .and_then(Message::call_id)
        .unwrap_or_default();
    Series {
        call_id: String::from_utf8_lossy(call_id).into_owned(),
        cseq: request
            .as_ref()
            .and_then(Message::cseq)
            .map_or(0, |cseq| cseq.number),
    }
}
