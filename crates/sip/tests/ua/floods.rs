//! What is asked of a user agent that has too much to do, or whose peer is gone.

use std::time::Duration;

use sip::{Answer, Counts, DialogId, Event, Limits, Name, Transport};

use crate::asked::{INVITE, inside, with};
use crate::wire::{PeerAnswer, Wire};

#[test]
fn full_tables_shed_new_calls_and_keep_the_old() {
    let limits = Limits {
        max_server_transactions: 2,
        max_client_transactions: 0,
        max_dialogs: 2,
    };
    let mut wire = Wire::with_limits(limits);
    let (dialog, tag) = wire.is_called(INVITE);
    let another = |number: u32| {
        with(&[
            ("z9hG4bKa1", &format!("z9hG4bKb{number}")),
            ("10 INVITE", &format!("{number} INVITE")),
        ])
    };
    wire.hears(&another(20));
    let early = wire.incoming();
    wire.is_called(&another(21));
    assert_eq!(wire.hears(&another(22)), ["503 INVITE"]);
    assert_eq!(wire.last().header(Name::RetryAfter), "5");
    // One that was told of before the table filled up is refused when it is taken on.
    let refusal = wire.ua.open(wire.now, DialogId(9), &early).unwrap_err();
    wire.does(|ua, _, _| ua.reply(&early, refusal.answer));
    assert_eq!(wire.last().name(), "503 INVITE");
    // What is inside a call goes on: with the table full, without a memory.
    wire.hears(&inside("ACK", 10, &tag));
    for number in 11..15 {
        assert_eq!(wire.hears(&inside("INFO", number, &tag)), ["200 INFO"]);
    }
    let offer = inside("INVITE", 16, &tag) + "\nContent-Type: application/sdp\n\noffer 2";
    assert_eq!(wire.hears(&offer), ["503 INVITE"]);
    assert_eq!(wire.ua.counts().server_transactions, 2);
    // The BYE that ends a call is sent over every limit.
    assert_eq!(
        wire.does(|ua, now, _| ua.hang_up(now, dialog, None)),
        ["BYE"]
    );
}

#[test]
fn a_flood_leaves_nothing_behind() {
    let limits = Limits {
        max_server_transactions: 100,
        max_client_transactions: 10,
        max_dialogs: 50,
    };
    let mut wire = Wire::with_limits(limits);
    for number in 0..2_000 {
        let invite = with(&[
            ("z9hG4bKa1", &format!("z9hG4bK{number}")),
            ("call-1", &format!("c{number}")),
        ]);
        let names = wire.hears(&invite);
        if names.is_empty() {
            let incoming = wire.incoming();
            let dialog = wire.ua.next_dialog_id();
            wire.does(|ua, now, _| ua.open(now, dialog, &incoming).unwrap());
            if number % 2 == 0 {
                wire.does(|ua, now, _| ua.accept(now, dialog, b"answer".to_vec()));
            } else {
                wire.does(|ua, now, _| ua.reject(now, dialog, Answer::code(486)));
            }
        }
        let counts = wire.ua.counts();
        assert!(counts.server_transactions <= 100 && counts.dialogs <= 50);
    }
    wire.waits(Duration::from_secs(100));
    assert_eq!(wire.ua.counts(), Counts::default());
    assert_eq!(wire.ua.deadline(), None);
}

#[test]
fn a_caller_whose_connection_closes_has_given_up() {
    let mut wire = Wire::new();
    wire.source.transport = Transport::Tcp;
    wire.hears(&with(&[("UDP", "TCP")]));
    let incoming = wire.incoming();
    let dialog = wire.ua.next_dialog_id();
    wire.does(|ua, now, _| ua.open(now, dialog, &incoming).unwrap());
    wire.does(|ua, now, _| ua.flow_closed(now, sip::FlowId(2)));
    assert_eq!(wire.events.len(), 1);
    wire.does(|ua, now, _| ua.flow_closed(now, sip::FlowId(1)));
    assert_eq!(
        wire.events[1..],
        [Event::Cancelled {
            dialog,
            reason: None
        }]
    );
    wire.waits(Duration::from_secs(40));
    assert_eq!(wire.ua.counts(), Counts::default());
}

#[test]
fn other_requests_leave_half_of_the_table_to_calls() {
    let limits = Limits {
        max_server_transactions: 10,
        ..Limits::default()
    };
    let mut wire = Wire::with_limits(limits);
    for number in 0..20 {
        wire.hears(&with(&[
            ("INVITE", "OPTIONS"),
            ("z9hG4bKa1", &format!("z9hG4bK{number}")),
        ]));
        let incoming = wire.incoming();
        assert_eq!(
            wire.does(|ua, now, _| ua.respond(now, &incoming, Answer::code(200)))
                .len(),
            1
        );
    }
    assert_eq!(wire.ua.counts().server_transactions, 5);
    assert_eq!(wire.hears(INVITE), [""; 0]);
}

#[test]
fn one_call_gets_no_more_room_than_a_call_needs() {
    let mut wire = Wire::new();
    let (dialog, tag) = wire.is_called(INVITE);
    wire.hears(&inside("ACK", 10, &tag));
    let mut refused = 0;
    for number in 11..411 {
        let method = if number % 2 == 0 { "INFO" } else { "INVITE" };
        let body = "\nContent-Type: application/sdp\n\noffer";
        let names = wire.hears(&(inside(method, number, &tag) + body));
        if method == "INVITE" && names.is_empty() {
            wire.does(|ua, now, _| ua.answer(now, dialog, b"answer".to_vec()));
            wire.hears(&inside("ACK", number, &tag));
        } else if names != ["200 INFO"] {
            assert_eq!(names, [format!("500 {method}")]);
            assert!(!wire.last().header(Name::RetryAfter).is_empty());
            refused += 1;
        }
    }
    // The INVITE of the call is one of the hundred.
    assert_eq!(refused, 400 - 99);
    assert_eq!(wire.ua.counts().server_transactions, 100);
    // Half a minute later there is room again, and the call can end at any time.
    wire.waits(Duration::from_secs(33));
    assert_eq!(wire.hears(&inside("INFO", 500, &tag)), ["200 INFO"]);
    assert_eq!(wire.hears(&inside("BYE", 501, &tag)), ["200 BYE"]);
}

#[test]
fn our_requests_of_one_call_are_bounded() {
    let mut wire = Wire::new();
    let (dialog, tag) = wire.is_called(INVITE);
    wire.hears(&inside("ACK", 10, &tag));
    let accepted = PeerAnswer {
        status: "200 OK",
        more: "Content-Type: application/sdp\n\nanswer",
        ..PeerAnswer::default()
    };
    for number in 0..150 {
        wire.does(|ua, now, _| ua.info(now, dialog, "application/dtmf-relay", Vec::new()));
        let names = wire.does(|ua, now, _| ua.offer(now, dialog, b"offer".to_vec()));
        if number < 50 {
            assert_eq!(names, ["INVITE"]);
            wire.is_answered("INVITE", &accepted);
        } else {
            assert_eq!(names, [""; 0]);
            let expect = Event::OfferRefused { dialog, code: 500 };
            assert_eq!(wire.events.last(), Some(&expect));
        }
    }
    assert_eq!(wire.ua.counts().client_transactions, 100);
    let names = wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
    assert_eq!(names, ["BYE"]);
}
