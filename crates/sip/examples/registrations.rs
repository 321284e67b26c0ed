//! What a digest REGISTER costs the message half: challenge, check, binding, both answers, with
//! 100,000 addresses registered.
//!
//! `cargo run --release -p sip --example registrations`
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures needs a clock and tells what it found"
)]

use std::time::{Duration, Instant};

use clock::Time;
use sip::digest::client::{self, Attempt};
use sip::{
    Aor, Authorization, Challenge, Challenger, Credentials, FlowId, Framing, Ha1, Message, Method,
    Name, RegisterRequest, Registrar, Source, Stale, Transport, Writer,
};

const PHONES: u32 = 100_000;
const REALM: &str = "acme.example.com";
const NOW: Time = Time::from_secs(1_000);

/// The part of a server that a REGISTER meets.
struct Server {
    challenger: Challenger,
    registrar: Registrar,
    ha1: Ha1,
}

impl Server {
    /// The answer to a REGISTER: a challenge, or the bindings.
    fn answer(&mut self, aor: Aor, bytes: &[u8], source: Source) -> Option<Vec<u8>> {
        let message = Message::parse(bytes, Framing::Datagram).ok()?;
        let Some(value) = message.header(Name::Authorization) else {
            let challenge = self.challenger.challenge(NOW, REALM, Stale::No);
            let answer = Writer::response(401, "Unauthorized").echo(&message, source, Some("t"));
            return Some(answer.header(Name::WwwAuthenticate, challenge).finish());
        };
        let authorization = Authorization::parse(value)?;
        let verdict =
            self.challenger
                .verify(NOW, &authorization, Method::Register, Some(&self.ha1));
        verdict.ok()?;
        let request = RegisterRequest::parse(&message, source).ok()?;
        let bindings = self.registrar.apply(NOW, aor, &request).ok()?;
        let answer = Writer::response(200, "OK").echo(&message, source, Some("t"));
        let answer = bindings.iter().fold(answer, |answer, binding| {
            answer.header(Name::Contact, binding.contact_value(NOW))
        });
        Some(answer.finish())
    }
}

/// A phone's REGISTER, with an answer to the challenge or without.
fn register(phone: u32, cseq: u32, authorization: Option<&str>) -> Vec<u8> {
    let request = Writer::request(Method::Register, "sip:acme.example.com")
        .header(
            Name::Via,
            format!("SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK{phone}x{cseq};rport"),
        )
        .header(Name::MaxForwards, "70")
        .header(
            Name::From,
            format!("<sip:1010@acme.example.com>;tag={phone}"),
        )
        .header(Name::To, "<sip:1010@acme.example.com>")
        .header(Name::CallId, format!("{phone}@127.0.0.1"))
        .header(Name::CSeq, format!("{cseq} REGISTER"))
        .header(Name::Contact, "<sip:1010@127.0.0.1:5070>")
        .header(Name::Expires, "300")
        .header(Name::UserAgent, "Example Phone/1.0");
    match authorization {
        Some(value) => request.header(Name::Authorization, value).finish(),
        None => request.finish(),
    }
}

/// What the phone sends after this challenge.
fn authorized(phone: u32, cseq: u32, challenge: &[u8]) -> Option<Vec<u8>> {
    let challenge = Message::parse(challenge, Framing::Datagram).ok()?;
    let challenge = Challenge::parse(challenge.header(Name::WwwAuthenticate)?)?;
    let credentials = Credentials::new("1010", "correct-horse");
    let attempt = Attempt {
        method: Method::Register,
        uri: "sip:acme.example.com",
        cnonce: "c",
        nc: 1,
    };
    let value = client::answer(&challenge, &credentials, &attempt)?;
    Some(register(phone, cseq, Some(&value)))
}

/// Registers every phone once more and gives the time the server took.
fn round(server: &mut Server, cseq: u32) -> Option<Duration> {
    let source = Source {
        transport: Transport::Udp,
        remote: ([127, 0, 0, 1], 5070).into(),
        flow: FlowId(1),
    };
    let mut spent = Duration::ZERO;
    for phone in 0..PHONES {
        let aor = Aor(phone.into());
        let first = register(phone, cseq, None);
        let start = Instant::now();
        let challenge = server.answer(aor, &first, source)?;
        spent += start.elapsed();
        let second = authorized(phone, cseq + 1, &challenge)?;
        let start = Instant::now();
        server.answer(aor, &second, source)?;
        spent += start.elapsed();
    }
    Some(spent)
}

fn main() {
    let mut server = Server {
        challenger: Challenger::new([7; 32]),
        registrar: Registrar::default(),
        ha1: Ha1::md5("1010", REALM, "correct-horse"),
    };
    for (round_name, cseq) in [("first", 1), ("again", 3)] {
        let Some(spent) = round(&mut server, cseq) else {
            println!("{round_name}: a phone was refused");
            return;
        };
        let each = spent.as_secs_f64() / f64::from(PHONES);
        println!("{round_name}: {:.2} µs per digest REGISTER", each * 1e6);
    }
    let start = Instant::now();
    let deadline = std::hint::black_box(&server.registrar).deadline();
    println!(
        "deadline with {} bindings: {:?} {deadline:?}",
        server.registrar.len(),
        start.elapsed()
    );
}
