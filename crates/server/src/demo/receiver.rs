//! HTTP as the demo needs it: a receiver of webhooks, and one GET.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

/// A webhook as it came.
#[derive(Debug)]
pub(super) struct Webhook {
    /// The header `X-Pbx-Token`.
    pub(super) token: Option<String>,
    /// The body.
    pub(super) body: Body,
}

/// JSON as it came, and as it is read.
#[derive(Debug)]
pub(super) struct Body {
    /// The text.
    pub(super) text: String,
    /// What it says.
    pub(super) json: Value,
}

impl Body {
    fn read(text: String) -> serde_json::Result<Self> {
        let json = serde_json::from_str(&text)?;
        Ok(Self { text, json })
    }
}

impl Webhook {
    /// A field of the body that is text.
    pub(super) fn text(&self, field: &str) -> &str {
        self.body
            .json
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Where the audio is that it tells of.
    pub(super) fn link(&self) -> Option<&str> {
        let body = &self.body.json;
        let link = body
            .get("call_recording_link")
            .or_else(|| body.get("audio_file")?.get(0));
        link?.as_str()
    }
}

/// Receives webhooks until the process ends, and answers each with 200.
pub(super) fn start() -> anyhow::Result<(SocketAddr, mpsc::Receiver<Webhook>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let (sender, receiver) = mpsc::channel();
    let serve = move || {
        for stream in listener.incoming().flatten() {
            let passed_on = receive(stream).and_then(|webhook| Ok(sender.send(webhook)?));
            if let Err(error) = passed_on {
                tracing::warn!(%error, "the demo did not take a webhook");
            }
        }
    };
    std::thread::Builder::new()
        .name("receiver".to_owned())
        .spawn(serve)?;
    Ok((address, receiver))
}

fn receive(stream: TcpStream) -> anyhow::Result<Webhook> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream).take(MAX_WEBHOOK_BYTES);
    let head = read_head(&mut reader)?;
    let length = header(&head, "content-length")
        .context("no Content-Length")?
        .parse()?;
    let mut body = String::new();
    reader.by_ref().take(length).read_to_string(&mut body)?;
    let body = Body::read(body).context("the body is not JSON")?;
    let token = header(&head, "x-pbx-token").map(str::to_owned);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    reader.into_inner().into_inner().write_all(answer)?;
    Ok(Webhook { token, body })
}

/// The lines up to the empty one.
fn read_head(reader: &mut impl BufRead) -> io::Result<Vec<String>> {
    reader
        .lines()
        .take_while(|line| !matches!(line, Ok(line) if line.is_empty()))
        .collect()
}

fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    let mut fields = head.iter().filter_map(|line| line.split_once(':'));
    fields
        .find(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// Asks the API; status line and body of its answer.
pub(super) fn ask(server: SocketAddr, path: &str, key: &str) -> anyhow::Result<(String, Body)> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {server}\r\ntoken: {key}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the API's answer has no body")?;
    let status = head.lines().next().unwrap_or_default().to_owned();
    let body = Body::read(body.to_owned()).context("the API's answer is not JSON")?;
    Ok((status, body))
}

/// Follows a link of a webhook as anybody may, without a key; the bytes of the MP3 file behind it.
pub(super) fn follow(link: &str) -> anyhow::Result<usize> {
    let (host, path) = link
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .context("the link is no URL of HTTP")?;
    let mut stream = TcpStream::connect_timeout(&host.parse()?, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut reader = BufReader::new(stream);
    let head = read_head(&mut reader)?;
    let mut file = Vec::new();
    reader.read_to_end(&mut file)?;
    let status = head.first().map_or("", String::as_str);
    anyhow::ensure!(status.contains(" 200 "), "{link}: {status}");
    let kind = header(&head, "content-type");
    anyhow::ensure!(kind == Some("audio/mpeg"), "{link} is {kind:?}");
    Ok(file.len())
}

const PATIENCE: Duration = Duration::from_secs(5);
const MAX_WEBHOOK_BYTES: u64 = 1 << 20;
