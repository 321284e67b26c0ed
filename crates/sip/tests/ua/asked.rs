//! Requests of peers by their text: what is matched, refused, answered and where the answer goes.

use std::time::Duration;

use sip::{Answer, Counts, DialogId, EndCause, Event, Name, Transport};

use crate::wire::Wire;

/// What we say that we know.
pub(crate) const SUPPORTED: &str = "timer, 100rel, replaces, norefersub";

pub(crate) const INVITE: &str = "INVITE sip:bob@192.0.2.1 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKa1
    Max-Forwards: 70
    From: <sip:alice@a.example>;tag=alice
    To: <sip:bob@b.example>
    Call-ID: call-1
    CSeq: 10 INVITE
    Contact: <sip:alice@192.0.2.9:5062>
    Content-Type: application/sdp

offer";

/// A request inside the dialog that `INVITE` makes.
pub(crate) fn inside(method: &str, number: u32, tag: &str) -> String {
    format!(
        "{method} sip:bob@192.0.2.1 SIP/2.0
        Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK{method}{number}
        From: <sip:alice@a.example>;tag=alice
        To: <sip:bob@b.example>;tag={tag}
        Call-ID: call-1
        CSeq: {number} {method}"
    )
}

/// The same request with parts of its text exchanged.
pub(crate) fn with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(INVITE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

#[test]
fn what_cannot_be_served_is_answered_at_once() {
    let require = "Max-Forwards: 70\n    Require: timer, 100rel, gruu, path";
    let short = "Max-Forwards: 70\n    Supported: timer\n    Session-Expires: 60";
    let table = [
        (with(&[("INVITE", "JUMP")]), "501", Name::Allow, ""),
        (
            with(&[("INVITE", "PUBLISH")]),
            "405",
            Name::Allow,
            "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, SUBSCRIBE",
        ),
        (
            with(&[("INVITE sip:bob@192.0.2.1", "INVITE im:bob")]),
            "416",
            Name::Allow,
            "",
        ),
        (
            with(&[("Max-Forwards: 70", "Max-Forwards: 0")]),
            "483",
            Name::Allow,
            "",
        ),
        (
            with(&[("Max-Forwards: 70", require)]),
            "420",
            Name::Unsupported,
            "gruu, path",
        ),
        (
            with(&[("application/sdp", "text/plain")]),
            "415",
            Name::Accept,
            "application/sdp",
        ),
        (
            with(&[("Max-Forwards: 70", short)]),
            "422",
            Name::MinSe,
            "90",
        ),
        (with(&[("INVITE", "BYE")]), "481", Name::Allow, ""),
        (with(&[("INVITE", "UPDATE")]), "481", Name::Allow, ""),
        (with(&[("INVITE", "CANCEL")]), "481", Name::Allow, ""),
        (with(&[("10 INVITE", "10 BYE")]), "400", Name::Allow, ""),
        (with(&[("SIP/2.0\n", "SIP/7.0\n")]), "505", Name::Allow, ""),
        (
            with(&[("b.example>", "b.example>;tag=unknown")]),
            "481",
            Name::Allow,
            "",
        ),
        (
            with(&[("b.example>", "b.example>;tag=1-0000000000000000")]),
            "481",
            Name::Allow,
            "",
        ),
    ];
    for (request, code, name, value) in table {
        let mut wire = Wire::new();
        let names = wire.hears(&request);
        assert!(
            names.len() == 1 && names[0].starts_with(code),
            "{names:?} {request}"
        );
        assert_eq!(wire.last().header(name), value, "{request}");
        assert!(wire.last().header(Name::To).contains(";tag="), "{request}");
        assert_eq!(wire.events, [], "{request}");
        assert_eq!(wire.ua.counts(), Counts::default(), "{request}");
    }
}

#[test]
fn what_nobody_waits_for_is_dropped() {
    for text in [
        &with(&[("INVITE", "ACK")]),
        "SIP/2.0 200 OK
        Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1-0000000000000001
        From: <sip:a@h>;tag=1
        To: <sip:b@h>;tag=2
        Call-ID: c
        CSeq: 1 INVITE",
        "rubbish",
    ] {
        let mut wire = Wire::new();
        assert_eq!(wire.hears(text), [""; 0], "{text}");
        assert_eq!(wire.events, []);
    }
}

#[test]
fn a_request_without_hops_left_is_served_where_it_ends() {
    let mut wire = Wire::new();
    wire.hears(&with(&[
        ("INVITE", "OPTIONS"),
        ("Max-Forwards: 70", "Max-Forwards: 0"),
    ]));
    let incoming = wire.incoming();
    wire.does(|ua, now, _| ua.respond(now, &incoming, Answer::code(200)));
    assert_eq!(wire.last().header(Name::Supported), SUPPORTED);
    assert_eq!(wire.last().header(Name::Accept), "application/sdp");
}

#[test]
fn answers_go_where_the_request_wants_them() {
    let rport = ("branch=z9hG4bKa1", "branch=z9hG4bKa1;rport");
    for (changes, remote, via) in [
        (&[][..], "192.0.2.9:5062", "192.0.2.9:5062;branch=z9hG4bKa1"),
        (
            &[("9:5062;", "9;")],
            "192.0.2.9:5060",
            "192.0.2.9;branch=z9hG4bKa1",
        ),
        (
            &[("UDP 192.0.2.9:5062", "UDP phone.local:7")],
            "192.0.2.9:7",
            "phone.local:7;branch=z9hG4bKa1;received=192.0.2.9",
        ),
        (
            &[("UDP 192.0.2.9:5062", "UDP phone.local:7"), rport],
            "192.0.2.9:5062",
            "phone.local:7;branch=z9hG4bKa1;rport=5062;received=192.0.2.9",
        ),
    ] {
        let mut wire = Wire::new();
        wire.hears(&with(changes));
        let incoming = wire.incoming();
        wire.does(|ua, _, _| ua.reply(&incoming, Answer::code(404)));
        assert_eq!(wire.last().to.remote, remote.parse().unwrap());
        assert_eq!(wire.last().header(Name::Via), format!("SIP/2.0/UDP {via}"));
    }
}

#[test]
fn a_stateless_answer_is_the_same_each_time_and_keeps_nothing() {
    let mut wire = Wire::new();
    for _ in 0..2 {
        wire.hears(INVITE);
        let incoming = wire.incoming();
        let answer = Answer::code(401).header("WWW-Authenticate", "Digest realm=\"r\"");
        wire.does(|ua, _, _| ua.reply(&incoming, answer));
    }
    assert_eq!(wire.sent[0].text, wire.sent[1].text);
    assert_eq!(wire.ua.counts(), Counts::default());
    let tag = wire
        .last()
        .header(Name::To)
        .split_once(";tag=")
        .unwrap()
        .1
        .to_owned();
    assert_eq!(wire.hears(&inside("ACK", 10, &tag)), [""; 0]);
}

#[test]
fn an_answer_through_a_transaction_is_repeated_without_asking() {
    let mut wire = Wire::new();
    let register = with(&[("INVITE", "REGISTER")]);
    wire.hears(&register);
    let incoming = wire.incoming();
    wire.does(|ua, now, _| ua.respond(now, &incoming, Answer::code(200)));
    assert_eq!(wire.hears(&register), ["200 REGISTER"]);
    assert_eq!(wire.events.len(), 1);
    assert_eq!(wire.sent[0].text, wire.sent[1].text);
    // A reply to what has its transaction would be a second answer.
    assert_eq!(
        wire.does(|ua, _, _| ua.reply(&incoming, Answer::code(500))),
        [""; 0]
    );
    wire.waits(Duration::from_secs(32));
    assert_eq!(wire.ua.counts(), Counts::default());
}

#[test]
fn a_second_way_of_the_same_invite_is_a_loop() {
    let mut wire = Wire::new();
    let (_, tag) = wire.is_called(INVITE);
    let other = with(&[("z9hG4bKa1", "z9hG4bKother")]);
    assert_eq!(wire.hears(&other), ["482 INVITE"]);
    assert!(!wire.last().header(Name::To).contains(&tag));
    // The first way's own repetition is absorbed: the call repeats its 200.
    assert_eq!(wire.hears(INVITE), [""; 0]);
    // A new call of the same phone has another number.
    assert_eq!(
        wire.hears(&other.replace("10 INVITE", "11 INVITE")),
        [""; 0]
    );
}

#[test]
fn a_repeated_invite_gets_the_last_provisional_answer() {
    let mut wire = Wire::new();
    wire.hears(INVITE);
    let incoming = wire.incoming();
    let dialog = wire.ua.next_dialog_id();
    wire.does(|ua, now, _| ua.open(now, dialog, &incoming).unwrap());
    assert_eq!(wire.hears(INVITE), ["100 INVITE"]);
    wire.does(|ua, now, _| ua.progress(now, dialog, 183, Some(b"early".to_vec())));
    assert_eq!(wire.hears(INVITE), ["183 INVITE"]);
    assert_eq!(wire.last().header(Name::ContentType), "application/sdp");
    // RFC 3261 §13.3.1.1: once a minute by itself.
    assert_eq!(
        wire.waits(Duration::from_secs(125)),
        ["183 INVITE", "183 INVITE"]
    );
    assert!(wire.ua.open(wire.now, DialogId(9), &incoming).is_err());
}

#[test]
fn requests_inside_the_dialog_meet_it_by_tags_and_number() {
    let mut wire = Wire::new();
    let (dialog, tag) = wire.is_called(INVITE);
    assert_eq!(wire.hears(&inside("ACK", 10, &tag)), [""; 0]);
    let table = [
        (inside("OPTIONS", 11, &tag), "200 OPTIONS"),
        (inside("INFO", 10, &tag), "500 INFO"),
        (inside("OPTIONS", 11, &tag), "200 OPTIONS"),
        (
            inside("INFO", 12, &tag).replace("tag=alice", "tag=eve"),
            "481 INFO",
        ),
        (
            inside("INFO", 12, &tag).replace("call-1", "call-2"),
            "481 INFO",
        ),
        (inside("INFO", 12, &tag.replace('1', "2")), "481 INFO"),
        (inside("NOTIFY", 13, &tag), "405 NOTIFY"),
        (inside("BYE", 14, &tag), "200 BYE"),
        (inside("BYE", 14, &tag), "200 BYE"),
        (inside("BYE", 15, &tag), "481 BYE"),
    ];
    for (request, expect) in table {
        assert_eq!(wire.hears(&request), [expect], "{request}");
    }
    let cause = EndCause::Bye { reason: None };
    assert_eq!(
        wire.events[1..],
        [
            Event::Established { dialog },
            Event::Ended { dialog, cause }
        ]
    );
    wire.waits(Duration::from_secs(40));
    assert_eq!(wire.ua.counts(), Counts::default());
}

#[test]
fn the_caller_gives_up_with_the_branch_of_its_invite() {
    let mut wire = Wire::new();
    wire.hears(INVITE);
    let incoming = wire.incoming();
    let dialog = wire.ua.next_dialog_id();
    wire.does(|ua, now, _| ua.open(now, dialog, &incoming).unwrap());
    let cancel = with(&[("INVITE", "CANCEL"), ("offer", "")]);
    let stranger = cancel.replace("z9hG4bKa1", "z9hG4bKa2");
    assert_eq!(wire.hears(&stranger), ["481 CANCEL"]);
    assert_eq!(wire.hears(&cancel), ["200 CANCEL", "487 INVITE"]);
    assert_eq!(wire.hears(&cancel), ["200 CANCEL"]);
    assert_eq!(
        wire.events[1..],
        [Event::Cancelled {
            dialog,
            reason: None
        }]
    );
    // The 487 is repeated until its ACK comes.
    assert_eq!(wire.waits(Duration::from_secs(1)), ["487 INVITE"]);
    wire.hears(&with(&[("INVITE", "ACK"), ("offer", "")]));
    assert_eq!(wire.waits(Duration::from_secs(40)), [""; 0]);
    assert_eq!(wire.ua.counts(), Counts::default());
}

#[test]
fn a_cancel_after_the_answer_changes_nothing() {
    let mut wire = Wire::new();
    let (dialog, tag) = wire.is_called(INVITE);
    assert_eq!(
        wire.hears(&with(&[("INVITE", "CANCEL"), ("offer", "")])),
        ["200 CANCEL"]
    );
    wire.hears(&inside("ACK", 10, &tag));
    assert_eq!(wire.events[1..], [Event::Established { dialog }]);
}

#[test]
fn elements_of_rfc_2543_match_by_their_headers() {
    let mut wire = Wire::new();
    let old = with(&[("z9hG4bKa1", "1")]);
    wire.hears(&old);
    let incoming = wire.incoming();
    let dialog = wire.ua.next_dialog_id();
    wire.does(|ua, now, _| ua.open(now, dialog, &incoming).unwrap());
    assert_eq!(wire.hears(&old), ["100 INVITE"]);
    wire.does(|ua, now, _| ua.accept(now, dialog, b"answer".to_vec()));
    // Its ACK carries the branch of the INVITE.
    let tag = wire
        .last()
        .header(Name::To)
        .split_once(";tag=")
        .unwrap()
        .1
        .to_owned();
    let ack = old
        .replace("INVITE", "ACK")
        .replace("b.example>", &format!("b.example>;tag={tag}"));
    wire.hears(&ack);
    assert_eq!(wire.events.last(), Some(&Event::Established { dialog }));
    assert_eq!(wire.waits(Duration::from_secs(1)), [""; 0]);
}

#[test]
fn an_answer_to_an_offer_comes_with_the_ack() {
    let mut wire = Wire::new();
    let without = with(&[(
        "Content-Type: application/sdp\n\noffer",
        "Content-Type: text/x",
    )]);
    let (dialog, tag) = wire.is_called(&without);
    let ack = inside("ACK", 10, &tag) + "\nContent-Type: application/sdp\n\ntheirs";
    wire.hears(&ack);
    let sdp = b"theirs".to_vec();
    assert_eq!(
        wire.events[1..],
        [
            Event::Established { dialog },
            Event::OfferAnswered { dialog, sdp }
        ]
    );
}

#[test]
fn routes_are_kept_in_order_and_used() {
    let routes = "Max-Forwards: 70
    Record-Route: <sip:192.0.2.77:5070;lr>, <sip:p2.example;lr>
    Record-Route: <sip:p3.example;lr>";
    let strict = routes.replace("5070;lr", "5070");
    for (routes, uri, expect, remote) in [
        (
            routes,
            "sip:alice@192.0.2.9:5062",
            &[
                "<sip:192.0.2.77:5070;lr>",
                "<sip:p2.example;lr>",
                "<sip:p3.example;lr>",
            ][..],
            "192.0.2.77:5070",
        ),
        (
            &strict,
            "sip:192.0.2.77:5070",
            &[
                "<sip:p2.example;lr>",
                "<sip:p3.example;lr>",
                "<sip:alice@192.0.2.9:5062>",
            ],
            "192.0.2.77:5070",
        ),
        (
            "Max-Forwards: 70",
            "sip:alice@192.0.2.9:5062",
            &[],
            "192.0.2.9:5062",
        ),
    ] {
        let mut wire = Wire::new();
        let (dialog, tag) = wire.is_called(&with(&[("Max-Forwards: 70", routes)]));
        assert_eq!(
            wire.last().headers(Name::RecordRoute).len(),
            routes.lines().count() - 1
        );
        wire.hears(&inside("ACK", 10, &tag));
        assert_eq!(
            wire.does(|ua, now, _| ua.hang_up(now, dialog, None)),
            ["BYE"]
        );
        let bye = wire.last();
        assert_eq!(
            (bye.uri().as_str(), bye.headers(Name::Route)),
            (uri, owned(expect))
        );
        assert_eq!(bye.to.remote, remote.parse().unwrap());
        assert_eq!(
            bye.header(Name::From),
            format!("<sip:bob@b.example>;tag={tag}")
        );
        assert_eq!(bye.header(Name::To), "<sip:alice@a.example>;tag=alice");
    }
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn a_peer_behind_a_nat_is_reached_where_it_came_from() {
    let rport = ("branch=z9hG4bKa1", "branch=z9hG4bKa1;rport");
    for (changes, remote) in [
        (
            &[("alice@192.0.2.9:5062>", "alice@10.0.0.5:5060>")][..],
            "192.0.2.9:5062",
        ),
        (
            &[("alice@192.0.2.9:5062>", "alice@198.51.100.1:5090>")],
            "198.51.100.1:5090",
        ),
        (
            &[("alice@192.0.2.9:5062>", "alice@198.51.100.1:5090>"), rport],
            "192.0.2.9:5062",
        ),
        (
            &[("alice@192.0.2.9:5062>", "alice@host.example>")],
            "192.0.2.9:5062",
        ),
        (
            &[("alice@192.0.2.9:5062>", "alice@192.0.2.9:5099>")],
            "192.0.2.9:5099",
        ),
    ] {
        let mut wire = Wire::new();
        let (dialog, tag) = wire.is_called(&with(changes));
        wire.hears(&inside("ACK", 10, &tag));
        wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
        assert_eq!(
            wire.last().to.remote,
            remote.parse().unwrap(),
            "{changes:?}"
        );
    }
}

#[test]
fn a_dialog_over_a_closed_connection_takes_the_address_of_its_contact() {
    let mut wire = Wire::new();
    wire.source.transport = Transport::Tcp;
    let tcp = with(&[("UDP", "TCP"), ("5062>", "5062;transport=tcp>")]);
    let (dialog, tag) = wire.is_called(&tcp);
    wire.hears(&inside("ACK", 10, &tag).replace("UDP", "TCP"));
    wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
    assert_eq!(wire.last().to, wire.source.into());
    let bye = wire.last().branch();
    let failed = wire.last().to;
    assert_eq!(wire.does(|ua, now, _| ua.send_failed(now, failed)), ["BYE"]);
    let to = wire.last().to;
    assert_eq!(
        (to.remote, to.flow),
        ("192.0.2.9:5062".parse().unwrap(), None)
    );
    assert_ne!(wire.last().branch(), bye);
    assert_eq!(wire.does(|ua, now, _| ua.send_failed(now, to)), [""; 0]);
    wire.waits(Duration::from_secs(70));
    assert_eq!(wire.ua.counts(), Counts::default());
}

#[test]
fn who_calls_is_readable_by_the_owner() {
    let mut wire = Wire::new();
    let identity = "Max-Forwards: 70\n    P-Asserted-Identity: \"Al\" <sip:+4930@c.example>";
    wire.hears(&with(&[("Max-Forwards: 70", identity)]));
    let incoming = wire.incoming();
    let message = incoming.message();
    let value = message.header(Name::PAssertedIdentity).unwrap();
    assert_eq!(
        sip::NameAddr::parse(value).unwrap().uri,
        b"sip:+4930@c.example"
    );
}

#[test]
fn requests_before_the_answer_are_answered_as_far_as_they_can_be() {
    let offer = "\nContent-Type: application/sdp\n\noffer 2";
    for (method, body, expect) in [
        ("UPDATE", "", &["200 UPDATE"][..]),
        ("UPDATE", offer, &["500 UPDATE"]),
        ("INVITE", offer, &["500 INVITE"]),
        ("INFO", "", &["200 INFO"]),
        ("PRACK", "", &["481 PRACK"]),
        ("REFER", "\nRefer-To: <sip:c@h>", &["500 REFER"]),
        ("SUBSCRIBE", "\nEvent: refer", &["481 SUBSCRIBE"]),
        ("MESSAGE", "", &["405 MESSAGE"]),
        ("BYE", "", &["200 BYE", "487 INVITE"]),
    ] {
        let mut wire = Wire::new();
        wire.hears(INVITE);
        let incoming = wire.incoming();
        let dialog = wire.ua.next_dialog_id();
        wire.does(|ua, now, _| ua.open(now, dialog, &incoming).unwrap());
        wire.does(|ua, now, _| ua.progress(now, dialog, 180, None));
        let tag = wire
            .last()
            .header(Name::To)
            .split_once(";tag=")
            .unwrap()
            .1
            .to_owned();
        assert_eq!(
            wire.hears(&(inside(method, 11, &tag) + body)),
            expect,
            "{method}"
        );
        let is_over = method == "BYE";
        assert_eq!(wire.ua.counts().dialogs == 0, is_over, "{method}");
        if !is_over {
            // The number of a later request is not the number of the INVITE.
            wire.does(|ua, now, _| ua.accept(now, dialog, b"answer".to_vec()));
            wire.hears(&inside("ACK", 10, &tag));
            assert_eq!(
                wire.events.last(),
                Some(&Event::Established { dialog }),
                "{method}"
            );
        }
    }
}

#[test]
fn a_contact_that_is_no_address_is_not_used() {
    for (contact, uri) in [
        ("<sip:alice@192.0.2.9:99999>", "sip:alice@a.example"),
        ("<sip:al ice@a@b>", "sip:alice@a.example"),
        ("*", "sip:alice@a.example"),
    ] {
        let mut wire = Wire::new();
        let invite = with(&[("<sip:alice@192.0.2.9:5062>", contact)]);
        let (dialog, tag) = wire.is_called(&invite);
        wire.hears(&inside("ACK", 10, &tag));
        assert_eq!(
            wire.does(|ua, now, _| ua.hang_up(now, dialog, None)),
            ["BYE"]
        );
        let sent = wire.last();
        assert_eq!(
            (sent.uri().as_str(), sent.to.remote),
            (uri, wire.source.remote)
        );
    }
}
