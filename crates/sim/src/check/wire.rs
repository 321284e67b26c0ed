//! What the node sends must be SIP that a strict peer takes: readable, numbered in order, one final
//! answer per INVITE, and no description of a media path that is not the leg's own.

use std::collections::{BTreeMap, BTreeSet};

use media::{Description, PathId};
use sip::{Framing, Message, Method, Name, Transmit};

use crate::Broken;
use crate::shell::{Shell, Stage};

/// What was sent so far.
#[derive(Default)]
pub(crate) struct Wire {
    /// The final answer to each INVITE, by Call-ID, number and branch.
    finals: BTreeMap<(Vec<u8>, u32, Vec<u8>), u16>,
    /// The number of the newest request in each direction of a dialog.
    numbers: BTreeMap<(Vec<u8>, Vec<u8>), u32>,
    /// Branches of requests: a known one is sent again.
    branches: BTreeSet<Vec<u8>>,
    /// The To and From URIs of the dialogs that name each path.
    paths: BTreeMap<PathId, Named>,
}

/// Who a path was described to.
#[derive(PartialEq, Eq)]
struct Named {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Wire {
    /// The node sends a message.
    pub(crate) fn sent(&mut self, transmit: &Transmit, shell: &Shell) -> Result<(), Broken> {
        let show = || String::from_utf8_lossy(&transmit.bytes).into_owned();
        let message = Message::parse(&transmit.bytes, Framing::Stream)
            .map_err(|bad| Broken::new(format!("it sends no SIP ({}): {}", bad.reason, show())))?;
        self.numbered(&message)
            .and_then(|()| self.answered_once(&message))
            .and_then(|()| self.described(&message, shell))
            .map_err(|broken| Broken::new(format!("{broken}: {}", show())))
    }

    /// RFC 3261 §12.2.1.1: numbers rise, but for ACK and CANCEL, which repeat their INVITE's, and
    /// for a request that takes another way.
    fn numbered(&mut self, message: &Message<'_>) -> Result<(), String> {
        let (Some(line), Some(cseq)) = (message.request_line(), message.cseq()) else {
            return Ok(());
        };
        let branch = message.top_via().and_then(|via| via.branch());
        let is_new = self.branches.insert(branch.unwrap_or_default().to_vec());
        if matches!(line.method, Method::Ack | Method::Cancel) || !is_new {
            return Ok(());
        }
        let call_id = message.call_id().unwrap_or_default().to_vec();
        let tag = message.from().and_then(|from| from.tag());
        let key = (call_id, tag.unwrap_or_default().to_vec());
        let before = self.numbers.insert(key, cseq.number);
        match before {
            Some(number) if number > cseq.number => {
                Err(format!("number {} follows {number}", cseq.number))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn answered_once(&mut self, message: &Message<'_>) -> Result<(), String> {
        let (Some(line), Some(cseq)) = (message.status_line(), message.cseq()) else {
            return Ok(());
        };
        // Challenges and refusals without memory may differ from one repetition to the next.
        let is_stateless = matches!(line.code, 401 | 403 | 404 | 503 | 482);
        if line.code < 200 || message.method() != Method::Invite || is_stateless {
            return Ok(());
        }
        let call_id = message.call_id().unwrap_or_default().to_vec();
        let branch = message.top_via().and_then(|via| via.branch());
        let key = (call_id, cseq.number, branch.unwrap_or_default().to_vec());
        let before = self.finals.insert(key, line.code);
        match before {
            Some(code) if code != line.code => {
                Err(format!("an INVITE is answered {code} and {}", line.code))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A path belongs to one leg: to one dialog, or to the devices of one address.
    fn described(&mut self, message: &Message<'_>, shell: &Shell) -> Result<(), String> {
        if message.body().is_empty() || !message.is_content_type("application/sdp") {
            return Ok(());
        }
        let description = Description::parse(message.body())
            .map_err(|error| format!("it describes nothing ({error})"))?;
        let port = description.remote().rtp.port();
        let id = shell
            .path_at(port)
            .ok_or(format!("port {port} is nobody's"))?;
        let stage = shell.path(id).map(|path| path.stage);
        // A message that was sent once may be repeated after the leg is over.
        if !self.paths.contains_key(&id) && stage != Some(Stage::InUse) {
            return Err(format!("port {port} is {stage:?}"));
        }
        let named = Named::by(message);
        match self.paths.get(&id) {
            None => {
                self.paths.insert(id, named);
                Ok(())
            }
            Some(known) if *known == named => Ok(()),
            Some(_) => Err(format!("port {port} is described to two peers")),
        }
    }
}

impl Named {
    /// The two URIs in one order, whoever of the two sends.
    fn by(message: &Message<'_>) -> Self {
        let uri = |name: Name| {
            let value = message.header(name).unwrap_or_default();
            sip_uri(value).to_vec()
        };
        let (from, to) = (uri(Name::From), uri(Name::To));
        if from <= to {
            Self { from, to }
        } else {
            Self { from: to, to: from }
        }
    }
}

/// What is inside the angle brackets.
fn sip_uri(value: &[u8]) -> &[u8] {
    let value = value
        .split(|byte| *byte == b'<')
        .next_back()
        .unwrap_or_default();
    value.split(|byte| *byte == b'>').next().unwrap_or_default()
}
