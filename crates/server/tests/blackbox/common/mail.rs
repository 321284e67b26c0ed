//! A mail server (RFC 5321) that keeps what it is handed, and can refuse.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::instant;

/// A mail as it was handed over.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) at_ms: i64,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// Header and body.
    pub(crate) text: String,
}

/// A mail server on a loopback port.
pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    mails: Mutex<Vec<Mail>>,
    /// What the next senders are answered instead.
    refusals: Mutex<Vec<&'static str>>,
}

impl MailServer {
    /// It refuses as many as there are refusals, in their order, then takes all.
    pub(crate) fn start(refusals: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::<Shared>::default();
        let refused = refusals.iter().rev().copied();
        lock(&shared.refusals).extend(refused);
        let of_thread = Arc::clone(&shared);
        // The thread ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&of_thread);
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { address, shared }
    }

    /// The variables of a server that uses it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("SWITCHHOOK_SMTP__HOST", self.address.ip().to_string()),
            ("SWITCHHOOK_SMTP__PORT", self.address.port().to_string()),
            ("SWITCHHOOK_SMTP__ENCRYPTION", "none".to_owned()),
        ]
    }

    /// What it was handed so far.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        lock(&self.shared.mails).clone()
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    let say = |line: &str| {
        let mut stream = stream;
        stream.write_all(format!("{line}\r\n").as_bytes()).ok()
    };
    let (mut from, mut to) = (String::new(), Vec::new());
    say("220 mail.test")?;
    loop {
        let line = lines.next()?.ok()?;
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" | "HELO" | "RSET" | "NOOP" => "250 mail.test",
            "MAIL" => {
                from = address(&line);
                lock(&shared.refusals).pop().unwrap_or("250 OK")
            }
            "RCPT" => {
                to.push(address(&line));
                "250 OK"
            }
            "DATA" => {
                say("354 Go on")?;
                let mut text = String::new();
                loop {
                    let line = lines.next()?.ok()?;
                    if line == "." {
                        break;
                    }
                    text += line.strip_prefix('.').unwrap_or(&line);
                    text += "\n";
                }
                lock(&shared.mails).push(Mail {
                    at_ms: instant::now_ms(),
                    from: std::mem::take(&mut from),
                    to: std::mem::take(&mut to),
                    text,
                });
                "250 OK"
            }
            "QUIT" => return say("221 Bye"),
            _ => "500 What?",
        };
        say(answer)?;
    }
}

fn address(line: &str) -> String {
    let inner = line
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or_else(String::new, |(address, _)| address.to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("no thread panics while it holds the lock")
}
