//! What sipp sent and received, with the times it noted.

use std::path::Path;

use super::instant;

/// One message of a trace.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) at_ms: i64,
    pub(crate) way: Way,
    pub(crate) text: String,
}

/// As seen from sipp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Sent,
    Received,
}

impl Message {
    /// The value of the first header of that name.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut headers = self.text.lines().filter_map(|line| line.split_once(':'));
        let found = headers.find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).unwrap_or_default()
    }

    /// The code of a response.
    pub(crate) fn code(&self) -> Option<u16> {
        self.text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The user part of the first URI in the text given: a header's value, or the whole message
    /// for its request URI.
    pub(crate) fn user_in(text: &str) -> &str {
        let behind = text
            .split_once("sip:")
            .map(|(_, rest)| rest)
            .unwrap_or_default();
        behind.split(['@', ';', '>']).next().unwrap_or_default()
    }
}

/// Every message of one sipp, in order.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) messages: Vec<Message>,
}

impl Trace {
    /// Reads what sipp wrote with `-trace_msg`, run in UTC.
    pub(crate) fn read(path: &Path) -> Self {
        // A sipp that had nothing to note has no file.
        let bytes = std::fs::read(path).unwrap_or_default();
        Self::parse(&String::from_utf8_lossy(&bytes))
    }

    fn parse(text: &str) -> Self {
        let entries = text
            .split("-----------------------------------------------")
            .skip(1);
        Self {
            messages: entries.filter_map(entry).collect(),
        }
    }

    fn all(&self, way: Way, start: &str, method: &str) -> impl Iterator<Item = &Message> {
        let fits = move |message: &&Message| {
            let is_start = message.text.starts_with(start);
            message.way == way && is_start && message.header("CSeq").ends_with(method)
        };
        self.messages.iter().filter(fits)
    }

    /// When it first sent a message that starts so (`SIP/2.0 200`), with that method in its `CSeq`.
    pub(crate) fn sent(&self, start: &str, method: &str) -> &Message {
        let mut found = self.all(Way::Sent, start, method);
        found
            .next()
            .unwrap_or_else(|| panic!("sent no {start} ({method}): {self:?}"))
    }

    /// When it first received such a message.
    pub(crate) fn received(&self, start: &str, method: &str) -> &Message {
        let mut found = self.all(Way::Received, start, method);
        found
            .next()
            .unwrap_or_else(|| panic!("received no {start} ({method}): {self:?}"))
    }

    /// How many such messages it received.
    pub(crate) fn count_received(&self, start: &str, method: &str) -> usize {
        self.all(Way::Received, start, method).count()
    }

    /// The final code received for the last INVITE.
    pub(crate) fn final_code(&self) -> u16 {
        let finals = self.all(Way::Received, "SIP/2.0 ", "INVITE");
        let codes = finals.filter_map(Message::code).filter(|code| *code >= 200);
        codes
            .last()
            .unwrap_or_else(|| panic!("no final answer: {self:?}"))
    }
}

fn entry(text: &str) -> Option<Message> {
    let (time, rest) = text.split_once('\n')?;
    let (note, message) = rest.split_once("\n\n")?;
    let way = if note.contains("message sent") {
        Way::Sent
    } else {
        Way::Received
    };
    Some(Message {
        at_ms: instant::parse(time)?,
        way,
        text: message.trim_start().to_owned(),
    })
}

#[test]
fn a_trace_is_read() {
    let text = "\
----------------------------------------------- 1970-01-01 00:00:01.527718
UDP message sent (20 bytes):

INVITE sip:1020@acme.test SIP/2.0
CSeq: 1 INVITE

----------------------------------------------- 1970-01-01 00:00:02.000001
UDP message received [9] bytes :

SIP/2.0 486 Busy Here
CSeq: 1 INVITE

";
    let trace = Trace::parse(text);
    assert_eq!(trace.sent("INVITE", "INVITE").at_ms, 1_527);
    assert_eq!(
        Message::user_in(&trace.sent("INVITE", "INVITE").text),
        "1020"
    );
    assert_eq!(trace.received("SIP/2.0 486", "INVITE").at_ms, 2_000);
    assert_eq!(trace.final_code(), 486);
    assert_eq!(trace.count_received("INVITE", "INVITE"), 0);
}
