//! A client for the API: one request, one answer, over a plain socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The most of an answer that is read.
const ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The body as it came, which may be no text.
    pub(crate) raw: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A request on its way to a server.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a str,
}

impl Request<'_> {
    /// Sends it and reads the answer to its end.
    pub(crate) fn send(&self, to: SocketAddr) -> Answer {
        let mut stream = TcpStream::connect_timeout(&to, TIMEOUT).expect("the API listens");
        stream
            .set_read_timeout(Some(TIMEOUT))
            .expect("the time-out is not zero");
        let mut text = format!("{} {} HTTP/1.1\r\nHost: {to}\r\n", self.method, self.target);
        text.extend(
            self.headers
                .iter()
                .flat_map(|(name, value)| [name, ": ", value, "\r\n"]),
        );
        let length = self.body.len().to_string();
        for piece in ["Connection: close\r\nContent-Length: ", &length, "\r\n\r\n"] {
            text += piece;
        }
        text += self.body;
        stream.write_all(text.as_bytes()).expect("the API reads");
        let mut bytes = Vec::new();
        stream
            .take(ANSWER_BYTES)
            .read_to_end(&mut bytes)
            .expect("the API answers in time");
        parse(&bytes)
    }
}

/// A GET with the given headers.
pub(crate) fn get(server: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Answer {
    Request {
        method: "GET",
        target,
        headers,
        body: "",
    }
    .send(server)
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, raw) = bytes.split_at(end.expect("an answer has a head"));
    let raw = raw.get(4..).unwrap_or_default();
    let head = std::str::from_utf8(head).expect("a head is text");
    let body = String::from_utf8_lossy(raw);
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let is_chunked = headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked")
    });
    let body = if is_chunked {
        unchunk(&body)
    } else {
        body.into_owned()
    };
    Answer {
        status: status.expect("an answer has a status"),
        headers,
        body,
        raw: raw.to_vec(),
    }
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk begins with its size");
        let (chunk, rest) = rest.split_at(size);
        whole += chunk;
        body = rest.trim_start_matches("\r\n");
        if size == 0 {
            break;
        }
    }
    whole
}
