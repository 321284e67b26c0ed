//! What the phones sent and received, and its drawing as a ladder.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ::clock::Time;
use sip::{Framing, Message};

/// Who has a phone in the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The telephone network outside.
    Carrier,
    /// John's desk phone.
    Desk,
    /// John's mobile phone.
    Mobile,
    /// Ann's phone.
    Ann,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Carrier => "carrier",
            Self::Desk => "desk",
            Self::Mobile => "mobile",
            Self::Ann => "Ann",
        })
    }
}

impl Who {
    fn column(self) -> usize {
        match self {
            Self::Carrier => 0,
            Self::Desk => 2,
            Self::Mobile => 3,
            Self::Ann => 4,
        }
    }
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the phone to the server.
    Sent,
    /// From the server to the phone.
    Received,
}

/// One message at one phone.
#[derive(Clone, Debug)]
struct Line {
    at: Time,
    who: Who,
    way: Way,
    summary: String,
}

/// The messages of all phones since it was last read.
#[derive(Clone, Default)]
pub(super) struct Tape(Arc<Mutex<Vec<Line>>>);

impl Tape {
    /// Notes a message that really went over a phone's socket.
    pub(super) fn note(&self, at: Time, who: Who, way: Way, bytes: &[u8]) {
        let summary = summary(bytes);
        let line = Line {
            at,
            who,
            way,
            summary,
        };
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < MAX_LINES {
            lines.push(line);
        }
    }

    /// The ladder of everything noted since the last time.
    pub(super) fn draw(&self) -> String {
        let mut lines = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        lines.sort_by_key(|line| line.at);
        let start = lines.first().map_or(Time::ZERO, |line| line.at);
        let rungs = lines.iter().map(|line| rung(line, start));
        std::iter::once(heading())
            .chain(rungs)
            .map(|row| row.trim_end().to_owned() + "\n")
            .collect()
    }
}

/// `INVITE`, `180 Ringing`, `200 OK BYE`: the last says what was agreed to.
fn summary(bytes: &[u8]) -> String {
    let Ok(message) = Message::parse(bytes, Framing::Datagram) else {
        return "unreadable".to_owned();
    };
    if let Some(request) = message.request_line() {
        return String::from_utf8_lossy(request.method_token).into_owned();
    }
    let Some(status) = message.status_line() else {
        return "unreadable".to_owned();
    };
    let method = message.cseq().map_or("", |cseq| cseq.method.as_str());
    match status.code {
        200 => format!("200 OK {method}"),
        code => format!("{code} {}", String::from_utf8_lossy(status.reason)),
    }
}

fn shortened(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept = text.chars().take(room.saturating_sub(1));
    kept.chain(['…']).collect()
}

fn heading() -> String {
    let mut row = vec![' '; WIDTH];
    let names = ["carrier", "switchhook", "desk", "mobile", "Ann"];
    for (column, name) in names.iter().enumerate() {
        write_at(&mut row, position(column) - name.len() / 2, name);
    }
    write_at(&mut row, TIME_CHARS - 2, "ms");
    row.into_iter().collect()
}

fn rung(line: &Line, start: Time) -> String {
    let mut row = vec![' '; WIDTH];
    (0..COLUMNS).for_each(|column| write_at(&mut row, position(column), "│"));
    let millis = line.at.since(start).as_millis();
    write_at(&mut row, 0, &format!("{millis:>TIME_CHARS$}"));
    let (server, phone) = (position(SERVER_COLUMN), position(line.who.column()));
    let (left, right) = (server.min(phone), server.max(phone));
    for slot in row.iter_mut().take(right).skip(left + 1) {
        *slot = if *slot == '│' { '┼' } else { '─' };
    }
    let goes_right = (line.way == Way::Received) == (phone > server);
    if goes_right {
        write_at(&mut row, right - 1, "▶");
    } else {
        write_at(&mut row, left + 1, "◀");
    }
    // Besides the label, an arrow has a head and a tail.
    write_at(
        &mut row,
        left + 2,
        &shortened(&line.summary, right - left - 3),
    );
    row.into_iter().collect()
}

fn write_at(row: &mut [char], at: usize, text: &str) {
    for (slot, letter) in row.iter_mut().skip(at).zip(text.chars()) {
        *slot = letter;
    }
}

/// Where a column's line stands.
const fn position(column: usize) -> usize {
    10 + SPACING * column
}

const COLUMNS: usize = 5;
const SERVER_COLUMN: usize = 1;
/// Characters from one column's line to the next; five of them fit an 80-character terminal.
const SPACING: usize = 17;
const WIDTH: usize = position(COLUMNS - 1) + 2;
/// A server that is left running goes on noting; nobody reads it any more.
const MAX_LINES: usize = 10_000;
const TIME_CHARS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_lead_from_the_sender_to_the_receiver() {
        let tape = Tape::default();
        let ok =
            b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
                   To: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n";
        tape.note(Time::from_millis(1_005), Who::Mobile, Way::Received, ok);
        tape.note(Time::from_millis(1_000), Who::Carrier, Way::Sent, ok);
        let expect = "
    ms carrier        switchhook          desk            mobile             Ann
     0    │─200 OK BYE────▶│                │                │                │
     5    │                │─200 OK BYE─────┼───────────────▶│                │
";
        assert_eq!(format!("\n{}", tape.draw()), expect);
    }
}
