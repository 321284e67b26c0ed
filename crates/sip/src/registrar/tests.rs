//! Requests in order, and the bindings after each.

use super::*;
use crate::message::Message;
use crate::parse::Framing;
use crate::transport::{Source, Transport};

const START: Time = Time::from_secs(1_000);
const AOR: Aor = Aor(1);

fn source(transport: Transport, flow: u64) -> Source {
    Source {
        transport,
        remote: "198.51.100.7:5060".parse().unwrap(),
        flow: FlowId(flow),
    }
}

/// A REGISTER with these lines, numbered so in that Call-ID.
fn register(call_id: &str, cseq: u32, lines: &str) -> Vec<u8> {
    format!(
        "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
         To: <sip:a@h>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n{lines}\r\n\r\n"
    )
    .into_bytes()
}

/// Carries out a REGISTER and shows the contact values after it, or the code of the refusal.
fn apply(
    registrar: &mut Registrar,
    at_seconds: u64,
    bytes: &[u8],
    source: Source,
) -> Result<Vec<String>, u16> {
    let now = START + Duration::from_secs(at_seconds);
    let message = Message::parse(bytes, Framing::Datagram).unwrap();
    let request = RegisterRequest::parse(&message, source).map_err(RegisterError::code)?;
    let bindings = registrar
        .apply(now, AOR, &request)
        .map_err(RegisterError::code)?;
    Ok(bindings
        .iter()
        .map(|binding| binding.contact_value(now))
        .collect())
}

/// One step: at second, Call-ID, CSeq, header lines, and what comes of it.
type Step<'s> = (u64, &'s str, u32, &'s str, Result<&'s [&'s str], u16>);

fn check(steps: &[Step<'_>]) {
    let mut registrar = Registrar::default();
    for (at_seconds, call_id, cseq, lines, expect) in steps {
        let bytes = register(call_id, *cseq, lines);
        let found = apply(
            &mut registrar,
            *at_seconds,
            &bytes,
            source(Transport::Udp, 1),
        );
        let expect = expect.map(|all| all.iter().map(ToString::to_string).collect());
        assert_eq!(found, expect, "{at_seconds} s, {call_id} {cseq}, {lines}");
        assert_consistent(&registrar);
    }
}

/// The three tables say the same.
fn assert_consistent(registrar: &Registrar) {
    let mut by_expiry = BTreeSet::new();
    let mut by_flow = BTreeSet::new();
    for (aor, all) in &registrar.bindings {
        assert!(!all.is_empty() && all.len() <= MAX_BINDINGS_PER_AOR);
        for one in all {
            by_expiry.insert((one.expires, *aor, one.id));
            if one.source.transport.is_reliable() {
                by_flow.insert((one.source.flow, *aor, one.id));
            }
        }
    }
    assert_eq!(registrar.by_expiry, by_expiry);
    assert_eq!(registrar.by_flow, by_flow);
}

#[test]
fn a_binding_is_added_refreshed_shown_and_taken_away() {
    check(&[
        (
            0,
            "c1",
            1,
            "Contact: <sip:a@h1>\r\nExpires: 600",
            Ok(&["<sip:a@h1>;expires=600"]),
        ),
        (
            100,
            "c1",
            2,
            "Expires: 600",
            Ok(&["<sip:a@h1>;expires=500"]),
        ),
        (
            200,
            "c1",
            3,
            "Contact: <sip:a@H1>;expires=300",
            Ok(&["<sip:a@H1>;expires=300"]),
        ),
        (210, "c1", 4, "Contact: <sip:a@h1>\r\nExpires: 0", Ok(&[])),
        (220, "c1", 5, "Contact: <sip:never@h1>;expires=0", Ok(&[])),
    ]);
}

#[test]
fn bindings_end_by_themselves() {
    check(&[
        (
            0,
            "c1",
            1,
            "Contact: <sip:a@h1>;expires=60",
            Ok(&["<sip:a@h1>;expires=60"]),
        ),
        (59, "c2", 1, "X: y", Ok(&["<sip:a@h1>;expires=1"])),
        (60, "c2", 2, "X: y", Ok(&[])),
    ]);
}

#[test]
fn lifetimes_are_clamped() {
    check(&[
        (
            0,
            "c1",
            1,
            "Contact: <sip:a@h>",
            Ok(&["<sip:a@h>;expires=3600"]),
        ),
        (0, "c1", 2, "Contact: <sip:a@h>;expires=59", Err(423)),
        (
            0,
            "c1",
            3,
            "Contact: <sip:a@h>;expires=60",
            Ok(&["<sip:a@h>;expires=60"]),
        ),
        (
            0,
            "c1",
            4,
            "Contact: <sip:a@h>;expires=7201",
            Ok(&["<sip:a@h>;expires=7200"]),
        ),
        (
            0,
            "c1",
            5,
            "Contact: <sip:a@h>\r\nExpires: 99999999999999",
            Ok(&["<sip:a@h>;expires=7200"]),
        ),
        (
            0,
            "c1",
            6,
            "Contact: <sip:a@h>;expires=soon\r\nExpires: 90",
            Ok(&["<sip:a@h>;expires=90"]),
        ),
        (
            0,
            "c1",
            7,
            "Contact: <sip:a@h>;expires=61\r\nExpires: 1",
            Ok(&["<sip:a@h>;expires=61"]),
        ),
    ]);
}

#[test]
fn the_star_takes_all_away_only_alone_and_with_zero() {
    let two = &["<sip:a@h>;expires=60", "<sip:b@h>;expires=60"];
    check(&[
        (
            0,
            "c1",
            1,
            "Contact: <sip:a@h>, <sip:b@h>\r\nExpires: 60",
            Ok(two),
        ),
        (0, "c1", 2, "Contact: *", Err(400)),
        (0, "c1", 3, "Contact: *\r\nExpires: 60", Err(400)),
        (0, "c1", 4, "Contact: *, <sip:a@h>\r\nExpires: 0", Err(400)),
        (0, "c1", 1, "Contact: *\r\nExpires: 0", Err(500)),
        (0, "c1", 5, "X: y", Ok(two)),
        (0, "c1", 6, "Contact: *\r\nExpires: 0", Ok(&[])),
        (0, "c1", 7, "Contact: *\r\nExpires: 0", Ok(&[])),
    ]);
}

#[test]
fn a_late_request_of_the_same_call_id_changes_nothing() {
    let now = &["<sip:a@h>;expires=60"];
    check(&[
        (0, "c1", 5, "Contact: <sip:a@h>;expires=60", Ok(now)),
        (0, "c1", 5, "Contact: <sip:a@h>;expires=600", Err(500)),
        (0, "c1", 4, "Contact: <sip:a@h>;expires=0", Err(500)),
        (
            0,
            "c1",
            4,
            "Contact: <sip:b@h>;expires=90, <sip:a@h>;expires=0",
            Err(500),
        ),
        (0, "c1", 1, "X: y", Ok(now)),
        (
            0,
            "c2",
            1,
            "Contact: <sip:a@h>;expires=90",
            Ok(&["<sip:a@h>;expires=90"]),
        ),
    ]);
}

#[test]
fn a_device_has_one_binding_per_connection() {
    let instance = "+sip.instance=\"<urn:uuid:1>\"";
    let line = |uri: &str, rest: &str| format!("Contact: <sip:{uri}>;{instance}{rest};expires=60");
    let shown = |uri: &str, rest: &str| format!("<sip:{uri}>;expires=60;{instance}{rest}");
    check(&[
        (0, "c1", 1, &line("a@h1", ""), Ok(&[&shown("a@h1", "")])),
        (0, "c2", 1, &line("a@h2", ""), Ok(&[&shown("a@h2", "")])),
        (
            0,
            "c3",
            1,
            &line("a@h3", ";reg-id=1"),
            Ok(&[&shown("a@h2", ""), &shown("a@h3", ";reg-id=1")]),
        ),
        (
            0,
            "c4",
            1,
            &line("a@h4", ";reg-id=1"),
            Ok(&[&shown("a@h2", ""), &shown("a@h4", ";reg-id=1")]),
        ),
    ]);
}

#[test]
fn a_device_without_a_name_is_known_by_its_call_id() {
    check(&[
        (
            0,
            "c1",
            1,
            "Contact: <sip:a@h:1>;expires=60",
            Ok(&["<sip:a@h:1>;expires=60"]),
        ),
        (
            0,
            "c1",
            2,
            "Contact: <sip:a@h:2>;expires=60",
            Ok(&["<sip:a@h:2>;expires=60"]),
        ),
        (
            0,
            "c2",
            1,
            "Contact: <sip:a@h:3>;expires=60",
            Ok(&["<sip:a@h:2>;expires=60", "<sip:a@h:3>;expires=60"]),
        ),
        (
            0,
            "c1",
            3,
            "Contact: <sip:a@h:4>;expires=0",
            Ok(&["<sip:a@h:3>;expires=60"]),
        ),
        // Two contacts of one request are two bindings.
        (
            0,
            "c3",
            1,
            "Contact: <sip:a@h:5>, <sip:a@h:6>\r\nExpires: 60",
            Ok(&[
                "<sip:a@h:3>;expires=60",
                "<sip:a@h:5>;expires=60",
                "<sip:a@h:6>;expires=60",
            ]),
        ),
        // The same twice is one.
        (
            0,
            "c3",
            2,
            "Contact: <sip:a@h:5>, <sip:a@h:5>, <sip:a@h:6>;expires=0, <sip:a@h:3>;expires=0\r\nExpires: 60",
            Ok(&["<sip:a@h:5>;expires=60"]),
        ),
    ]);
}

#[test]
fn the_preferred_come_first() {
    check(&[(
        0,
        "c1",
        1,
        "Contact: <sip:a@h>;q=0.5, <sip:b@h>;q=1.0, <sip:c@h>;q=x, <sip:d@h>;q=0\r\nExpires: 60",
        Ok(&[
            "<sip:b@h>;expires=60",
            "<sip:c@h>;expires=60",
            "<sip:a@h>;expires=60;q=0.500",
            "<sip:d@h>;expires=60;q=0.000",
        ]),
    )]);
}

#[test]
fn contacts_that_cannot_be_used_are_refused() {
    for lines in [
        "Contact: <name:John_Smith>",
        "Contact: <tel:+1555>",
        "Contact: sip:a>b@h",
        "Contact: <sip:a b@h>",
        "Contact: <sip:a@h",
        "Contact: <>",
        &format!("Contact: <sip:a@h{}>", ";x".repeat(MAX_URI_PARAMS + 1)),
        &format!("Contact: <sip:{}@h>", "a".repeat(MAX_TEXT_BYTES)),
        &format!(
            "Contact: <sip:a@h>;+sip.instance=\"{}\"",
            "a".repeat(MAX_TEXT_BYTES + 1)
        ),
        &format!(
            "Contact: {}",
            ["<sip:a@h>"; MAX_CONTACTS_PER_REQUEST + 1].join(",")
        ),
    ] {
        check(&[(0, "c1", 1, lines, Err(400))]);
    }
    check(&[(
        0,
        &"c".repeat(MAX_TEXT_BYTES + 1),
        1,
        "Contact: <sip:a@h>",
        Err(400),
    )]);
}

#[test]
fn one_address_has_so_many_bindings_and_the_oldest_goes() {
    let mut registrar = Registrar::default();
    for number in 0..MAX_BINDINGS_PER_AOR + 3 {
        let call_id = format!("c{number}");
        let bytes = register(&call_id, 1, &format!("Contact: <sip:a@h:{}>", number + 1));
        let all = apply(&mut registrar, 0, &bytes, source(Transport::Udp, 1)).unwrap();
        assert_eq!(all.len(), MAX_BINDINGS_PER_AOR.min(number + 1));
        assert_consistent(&registrar);
    }
    let first = registrar.bindings(AOR, START).next().unwrap();
    assert_eq!(first.uri, "sip:a@h:4");
}

#[test]
fn a_full_table_refreshes_and_refuses_new_ones() {
    let limits = RegistrarLimits {
        bindings: 2,
        ..RegistrarLimits::default()
    };
    let mut registrar = Registrar::new(limits);
    let udp = source(Transport::Udp, 1);
    let two = register("c1", 1, "Contact: <sip:a@h>, <sip:b@h>");
    assert!(apply(&mut registrar, 0, &two, udp).is_ok());
    assert_eq!(
        apply(
            &mut registrar,
            0,
            &register("c2", 1, "Contact: <sip:c@h>"),
            udp
        ),
        Err(503)
    );
    assert!(
        apply(
            &mut registrar,
            0,
            &register("c1", 2, "Contact: <sip:a@h>"),
            udp
        )
        .is_ok()
    );
    registrar.remove(AOR);
    assert!(registrar.is_empty());
    assert_consistent(&registrar);
}

#[test]
fn a_closed_connection_takes_its_bindings_along() {
    let mut registrar = Registrar::default();
    for (call_id, flow) in [("c1", 1), ("c2", 2)] {
        let bytes = register(call_id, 1, &format!("Contact: <sip:a@h:{flow}>"));
        assert!(apply(&mut registrar, 0, &bytes, source(Transport::Tcp, flow)).is_ok());
    }
    let bytes = register("c3", 1, "Contact: <sip:a@h:3>");
    assert!(apply(&mut registrar, 0, &bytes, source(Transport::Udp, 3)).is_ok());
    assert_eq!(
        registrar.flow_closed(FlowId(3)),
        [],
        "a datagram socket holds nothing"
    );
    assert_eq!(registrar.flow_closed(FlowId(1)), [AOR]);
    assert_eq!(registrar.flow_closed(FlowId(1)), []);
    assert_eq!(registrar.len(), 2);
    assert_consistent(&registrar);
    // A phone that registers again down a new connection is reached down that one.
    let bytes = register("c2", 2, "Contact: <sip:a@h:2>");
    assert!(apply(&mut registrar, 0, &bytes, source(Transport::Tcp, 7)).is_ok());
    assert_eq!(registrar.flow_closed(FlowId(2)), []);
    assert_consistent(&registrar);
}

#[test]
fn the_deadline_is_the_first_end_and_steps_are_short() {
    let mut registrar = Registrar::default();
    let many = u64::try_from(MAX_EXPIRED_PER_STEP).unwrap() + 5;
    for number in 0..many {
        let bytes = register(
            "c1",
            1,
            &format!("Contact: <sip:a@h>;expires={}", 60 + number),
        );
        let message = Message::parse(&bytes, Framing::Datagram).unwrap();
        let request = RegisterRequest::parse(&message, source(Transport::Udp, 1)).unwrap();
        assert!(registrar.apply(START, Aor(number), &request).is_ok());
    }
    let first = START + Duration::from_mins(1);
    assert_eq!(registrar.deadline(), Some(first));
    assert_eq!(registrar.expire(START), []);
    assert_eq!(registrar.expire(first), [Aor(0)]);
    let end = START + Duration::from_secs(60 + many);
    assert_eq!(registrar.expire(end).len(), MAX_EXPIRED_PER_STEP);
    assert_eq!(
        registrar.deadline(),
        Some(START + Duration::from_secs(60 + many - 4))
    );
    assert_eq!(registrar.expire(end).len(), 4);
    assert_eq!(registrar.deadline(), None);
    assert_consistent(&registrar);
}
