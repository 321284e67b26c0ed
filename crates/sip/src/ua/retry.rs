//! Requests that go out once more because of their answer: digest challenges (RFC 3261 §22.2) and
//! session intervals that are too small (RFC 4028 §7.4).

use super::Ua;
use super::call::Inviting;
use super::clients::{Answered, Attempt, Client, Owner, Sending};
use super::compose::{self, Repeat};
use super::keys::ClientKey;
use super::step::Step;
use super::types::DialogId;
use crate::bytes::as_str;
use crate::dialog::Dialog;
use crate::digest::client::{self as digest, Challenge, Credentials};
use crate::session_timer::MAX_SECONDS;
use crate::{Destination, Message, Name};

impl Ua {
    /// Sends our INVITE once more, if its answer is a reason to.
    pub(super) fn invite_again(
        &mut self,
        inviting: &mut Inviting,
        credentials: Option<&Credentials>,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) -> Option<ClientKey> {
        if answered.code != 422 {
            return self.request_again(credentials, answered, step);
        }
        let request = compose::reread(answered.request)?;
        let change = self.longer_session(inviting, answered)?;
        let cseq = request.cseq()?.number + 1;
        self.send_again(&request, Change { cseq, ..change }, answered, step)
    }

    /// Sends a request inside a dialog once more, if its answer is a challenge we can meet.
    pub(super) fn inside_again(
        &mut self,
        dialog: &mut Dialog,
        credentials: Option<&Credentials>,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) -> Option<ClientKey> {
        let asked = Asked::of(answered.code)?;
        let request = compose::reread(answered.request)?;
        let change = self.authorised(&request, credentials?, asked, answered)?;
        let cseq = dialog.next_cseq();
        self.send_again(&request, Change { cseq, ..change }, answered, step)
    }

    /// The same for a request outside dialogs.
    pub(super) fn request_again(
        &mut self,
        credentials: Option<&Credentials>,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) -> Option<ClientKey> {
        let asked = Asked::of(answered.code)?;
        let request = compose::reread(answered.request)?;
        let change = self.authorised(&request, credentials?, asked, answered)?;
        let cseq = request.cseq()?.number + 1;
        self.send_again(&request, Change { cseq, ..change }, answered, step)
    }

    fn send_again(
        &mut self,
        request: &Message<'_>,
        change: Change,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) -> Option<ClientKey> {
        // What the first one's answer meant is now the second one's.
        let client = self.clients.find_mut(answered.key)?;
        let owner = std::mem::replace(&mut client.owner, Owner::Nobody);
        let way = Way {
            to: client.to,
            owner,
        };
        self.send_changed(request, change, way, step)
    }

    /// Sends a request inside a dialog by another way, if there is one, because it could not be
    /// sent by the first: the connection it came by is closed (RFC 3261 §18.1.1, RFC 5626 §4.3).
    pub(super) fn by_detour(
        &mut self,
        dialog: DialogId,
        client: &Client,
        step: &mut Step,
    ) -> Option<ClientKey> {
        let request = compose::reread(&client.bytes)?;
        let cseq = request.cseq()?.number;
        let dialog = self.calls.get_mut(&dialog)?.dialog_mut()?;
        let to = dialog.detour(client.to)?;
        let change = Change {
            cseq,
            headers: Vec::new(),
            attempt: client.attempt,
        };
        let owner = client.owner.clone();
        self.send_changed(&request, change, Way { to, owner }, step)
    }

    fn send_changed(
        &mut self,
        request: &Message<'_>,
        change: Change,
        way: Way,
        step: &mut Step,
    ) -> Option<ClientKey> {
        let Way { to, owner } = way;
        let branch = self.next_branch();
        let via = self.identity.via(to.transport, branch).to_string();
        let repeat = Repeat {
            via: &via,
            cseq: change.cseq,
            headers: change.headers,
        };
        let bytes = compose::again(request, &repeat)?;
        let sending = Sending {
            branch,
            method: request.method(),
            to,
            bytes,
            owner,
            attempt: change.attempt,
        };
        Some(self.start_client(sending, step))
    }

    /// RFC 4028 §7.4: once more with the interval that the peer asks for, once.
    fn longer_session(
        &self,
        inviting: &mut Inviting,
        answered: &Answered<'_, '_>,
    ) -> Option<Change> {
        let seconds = answered.answer.min_se()?;
        let client = self.clients.find(answered.key)?;
        let is_new = inviting.session_seconds < seconds && seconds <= MAX_SECONDS;
        is_new.then(|| {
            inviting.session_seconds = seconds;
            let headers = vec![
                (Name::SessionExpires, seconds.to_string()),
                (Name::MinSe, seconds.to_string()),
            ];
            Change {
                cseq: 0,
                headers,
                attempt: client.attempt,
            }
        })
    }

    /// The header that answers a challenge; `None` when it cannot be met.
    fn authorised(
        &mut self,
        request: &Message<'_>,
        credentials: &Credentials,
        asked: Asked,
        answered: &Answered<'_, '_>,
    ) -> Option<Change> {
        let Asked { asks, answers } = asked;
        let mut challenges = answered.answer.headers(asks).filter_map(Challenge::parse);
        let challenge = challenges.find(Challenge::is_answerable)?;
        let attempt = match self.clients.find(answered.key)?.attempt {
            Attempt::First => Attempt::Second,
            // The password was right, only the nonce was too old (RFC 7616 §3.3).
            Attempt::Second if challenge.is_stale() => Attempt::Last,
            Attempt::Second | Attempt::Last => return None,
        };
        let cnonce = format!("{:016x}", self.random.next());
        let line = request.request_line()?;
        let (method, uri) = (line.method, as_str(line.uri)?);
        let what = digest::Attempt {
            method,
            uri,
            cnonce: &cnonce,
            nc: 1,
        };
        let value = digest::answer(&challenge, credentials, &what)?;
        Some(Change {
            cseq: 0,
            headers: vec![(answers, value)],
            attempt,
        })
    }
}

/// The headers of a challenge and of the answer to it.
#[derive(Clone, Copy)]
struct Asked {
    asks: Name,
    answers: Name,
}

impl Asked {
    /// `None` for an answer that is no challenge.
    fn of(code: u16) -> Option<Self> {
        let (asks, answers) = match code {
            401 => (Name::WwwAuthenticate, Name::Authorization),
            407 => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
            _ => return None,
        };
        Some(Self { asks, answers })
    }
}

/// Where a request goes, and who asked for it.
struct Way {
    to: Destination,
    owner: Owner,
}

/// What is other in a request that goes out once more.
struct Change {
    cseq: u32,
    headers: Vec<(Name, String)>,
    attempt: Attempt,
}
