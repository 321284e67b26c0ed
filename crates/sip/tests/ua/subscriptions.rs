//! Those who are told of a state: how they begin, go on, and end.

use std::time::Duration;

use sip::documents::MessageSummary;
use sip::{
    Aor, Counts, Event, Method, Name, OutRequest, Package, Party, RequestId, SubscriptionEnd,
    SubscriptionId, SubscriptionNews, Termination,
};

use crate::wire::{PeerAnswer, Wire};
use crate::world::Dice;

const ALICE: Aor = Aor(7);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A SUBSCRIBE of a phone to the lamp of `user`; `to_tag` is empty for a new one.
fn subscribe(user: &str, number: u32, to_tag: &str, more: &str) -> String {
    let tag = if to_tag.is_empty() {
        String::new()
    } else {
        format!(";tag={to_tag}")
    };
    let event = if more.contains("Event:") {
        ""
    } else {
        "\nEvent: dialog"
    };
    format!(
        "SUBSCRIBE sip:{user}@192.0.2.1 SIP/2.0
        Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK{user}{number}{to_tag}
        Max-Forwards: 70
        From: <sip:alice@a.example>;tag=alice
        To: <sip:{user}@a.example>{tag}
        Call-ID: sub-{user}
        CSeq: {number} SUBSCRIBE
        Contact: <sip:alice@192.0.2.9:5062>{event}\n{more}"
    )
}

/// A subscription has been taken on.
fn subscribed(wire: &mut Wire, user: &str, more: &str) -> (SubscriptionId, String) {
    wire.hears(&subscribe(user, 1, "", more));
    let incoming = wire.incoming();
    let mut made = None;
    wire.does(|ua, now, _| {
        let (id, outputs) = ua.subscribe(now, &incoming, ALICE).unwrap();
        made = Some(id);
        outputs
    });
    let to = wire.last().header(Name::To);
    (made.unwrap(), to.split_once(";tag=").unwrap().1.to_owned())
}

fn is_answered(wire: &mut Wire, status: &str) -> Vec<String> {
    let answer = PeerAnswer {
        status,
        ..PeerAnswer::default()
    };
    wire.is_answered("NOTIFY", &answer)
}

fn state(wire: &Wire) -> String {
    wire.last_named("NOTIFY").header(Name::SubscriptionState)
}

fn ended(subscription: SubscriptionId, why: SubscriptionEnd) -> Event {
    let news = SubscriptionNews::Ended(why);
    Event::Subscription { subscription, news }
}

#[test]
fn what_is_not_told_is_refused() {
    for (more, code, name, value) in [
        (
            "Event: conference",
            489,
            "Allow-Events",
            Package::ALLOW_EVENTS,
        ),
        ("Event: dialog\nExpires: 10", 423, "Min-Expires", "60"),
    ] {
        let mut wire = Wire::new();
        wire.hears(&subscribe("bob", 1, "", more));
        let incoming = wire.incoming();
        let refusal = wire.ua.subscribe(wire.now, &incoming, ALICE).unwrap_err();
        assert_eq!(refusal.answer.code, code);
        assert_eq!(
            refusal.answer.headers,
            [(name.to_owned(), value.to_owned())]
        );
    }
}

#[test]
fn a_subscriber_is_told_every_change() {
    let mut wire = Wire::new();
    let (id, tag) = subscribed(&mut wire, "bob", "Event: dialog;id=3\nExpires: 7200");
    assert_eq!(wire.last().name(), "200 SUBSCRIBE");
    assert_eq!(wire.last().header(Name::Expires), "3600");
    assert_eq!(
        wire.last().header(Name::Contact),
        "<sip:bob@192.0.2.1:5060>"
    );
    assert_eq!(
        wire.does(|ua, now, _| ua.notify(now, id, b"one".to_vec())),
        ["NOTIFY"]
    );
    let sent = wire.last();
    assert_eq!(sent.uri(), "sip:alice@192.0.2.9:5062");
    assert_eq!(sent.header(Name::Event), "dialog;id=3");
    assert_eq!(
        sent.header(Name::ContentType),
        "application/dialog-info+xml"
    );
    assert!(sent.header(Name::From).ends_with(&tag));
    assert_eq!(state(&wire), "active;expires=3600");
    // One at a time; the newest of what waits is told.
    for body in ["two", "three"] {
        assert_eq!(
            wire.does(|ua, now, _| ua.notify(now, id, body.into())),
            [""; 0]
        );
    }
    assert_eq!(is_answered(&mut wire, "200 OK"), ["NOTIFY"]);
    assert_eq!(wire.last().message().body(), b"three");
}

#[test]
fn it_is_prolonged_asked_again_and_ended_by_its_subscriber() {
    let mut wire = Wire::new();
    let (id, tag) = subscribed(&mut wire, "bob", "Expires: 600");
    wire.waits(seconds(500));
    assert_eq!(
        wire.hears(&subscribe("bob", 2, &tag, "Expires: 600")),
        ["200 SUBSCRIBE"]
    );
    let news = SubscriptionNews::Refreshed;
    let subscription = id;
    assert_eq!(
        wire.events.last(),
        Some(&Event::Subscription { subscription, news })
    );
    for (number, more, expect) in [
        (2, "X: y", "500 SUBSCRIBE"),
        (3, "Expires: 5", "423 SUBSCRIBE"),
        (4, "Event: presence", "489 SUBSCRIBE"),
    ] {
        let text = subscribe("bob", number, &tag, more).replace("bKbob", &format!("bKx{number}"));
        assert_eq!(wire.hears(&text), [expect]);
    }
    assert_eq!(wire.waits(seconds(599)), [""; 0]);
    let names = wire.hears(&subscribe("bob", 5, &tag, "Expires: 0"));
    assert_eq!(names, ["200 SUBSCRIBE", "NOTIFY"]);
    assert_eq!(state(&wire), "terminated;reason=timeout");
    assert_eq!(
        wire.events.last(),
        Some(&ended(id, SubscriptionEnd::Unsubscribed))
    );
    assert_eq!(
        wire.hears(&subscribe("bob", 6, &tag, "")),
        ["481 SUBSCRIBE"]
    );
    wire.waits(seconds(70));
    assert_eq!(wire.ua.counts(), Counts::default());
}

#[test]
fn it_expires_is_lost_or_is_taken_away() {
    let mut wire = Wire::new();
    let (id, _) = subscribed(&mut wire, "bob", "Expires: 600");
    assert_eq!(wire.waits(seconds(600)), ["NOTIFY"]);
    assert_eq!(state(&wire), "terminated;reason=timeout");
    assert_eq!(
        wire.events.last(),
        Some(&ended(id, SubscriptionEnd::Expired))
    );

    for (status, is_lost) in [
        ("481 Gone", true),
        ("408 Late", true),
        ("500 Not now", false),
        ("200 OK", false),
    ] {
        let mut wire = Wire::new();
        let (id, _) = subscribed(&mut wire, "bob", "");
        wire.does(|ua, now, _| ua.notify(now, id, b"one".to_vec()));
        is_answered(&mut wire, status);
        assert_eq!(wire.ua.counts().subscriptions == 0, is_lost, "{status}");
        let expect = ended(id, SubscriptionEnd::Lost);
        assert_eq!(wire.events.last() == Some(&expect), is_lost, "{status}");
    }

    let mut wire = Wire::new();
    let (id, _) = subscribed(&mut wire, "bob", "");
    wire.does(|ua, now, _| ua.notify(now, id, b"one".to_vec()));
    wire.waits(seconds(33));
    assert_eq!(wire.events.last(), Some(&ended(id, SubscriptionEnd::Lost)));

    let mut wire = Wire::new();
    let (id, _) = subscribed(&mut wire, "bob", "");
    let why = Termination::Deactivated;
    assert_eq!(
        wire.does(|ua, now, _| ua.end_subscription(now, id, why)),
        ["NOTIFY"]
    );
    assert_eq!(state(&wire), "terminated;reason=deactivated");
    assert_eq!(
        wire.does(|ua, now, _| ua.notify(now, id, b"one".to_vec())),
        [""; 0]
    );
    assert_eq!(wire.events.len(), 1);
}

#[test]
fn a_phone_that_never_subscribed_can_be_told_too() {
    let mut wire = Wire::new();
    let summary = MessageSummary {
        account: None,
        new: 1,
        old: 0,
    };
    let package = Package::MessageSummary;
    let party = Party {
        display: None,
        uri: "sip:alice@a.example".to_owned(),
    };
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let request = OutRequest {
        method: Method::Notify,
        to: wire.source.into(),
        uri: "sip:alice@192.0.2.9:5062".to_owned(),
        from: party.clone(),
        to_party: party,
        contact_user: Some("alice".to_owned()),
        headers: vec![
            header("Event", package.name()),
            header("Subscription-State", "active"),
        ],
        body: Some((package.content_type().to_owned(), summary.to_text().into())),
        credentials: None,
        series: None,
    };
    let names = wire.does(|ua, now, _| ua.request(now, RequestId(1), request));
    assert_eq!(names, ["NOTIFY"]);
    assert!(wire.last().text.contains("\r\nEvent: message-summary\r\n"));
    is_answered(&mut wire, "200 OK");
    let answered = matches!(wire.events.last(), Some(Event::Response { code: 200, .. }));
    assert!(answered);
}

#[test]
fn who_asks_once_is_told_once() {
    let mut wire = Wire::new();
    let (id, _) = subscribed(&mut wire, "bob", "Expires: 0");
    assert_eq!(
        wire.does(|ua, now, _| ua.notify(now, id, b"one".to_vec())),
        ["NOTIFY"]
    );
    assert_eq!(state(&wire), "terminated;reason=timeout");
    assert_eq!(wire.last().message().body(), b"one");
    assert_eq!(wire.ua.counts().subscriptions, 0);
}

#[test]
fn a_phone_that_restarts_does_not_subscribe_twice_and_nobody_without_end() {
    let mut wire = Wire::new();
    let (first, _) = subscribed(&mut wire, "bob", "");
    wire.hears(
        &subscribe("bob", 1, "", "")
            .replace("sub-bob", "again")
            .replace("bKbob", "bKb"),
    );
    let incoming = wire.incoming();
    wire.does(|ua, now, _| ua.subscribe(now, &incoming, ALICE).unwrap().1);
    assert_eq!(
        wire.events.last(),
        Some(&ended(first, SubscriptionEnd::Displaced))
    );
    assert_eq!(wire.ua.counts().subscriptions, 1);
    for number in 0..300 {
        subscribed(&mut wire, &format!("u{number}"), "");
    }
    assert_eq!(wire.ua.counts().subscriptions, 200);
}

#[test]
fn a_state_that_changes_all_the_time_fills_no_table_and_the_last_one_is_told() {
    let mut wire = Wire::new();
    let (id, _) = subscribed(&mut wire, "bob", "");
    for number in 0..500 {
        let body = number.to_string().into_bytes();
        let names = wire.does(|ua, now, _| ua.notify(now, id, body));
        if names == ["NOTIFY"] {
            is_answered(&mut wire, "200 OK");
        }
    }
    assert_eq!(wire.ua.counts().client_transactions, 100);
    wire.waits(seconds(10));
    assert_eq!(wire.last_named("NOTIFY").message().body(), b"499");
}

#[test]
fn any_order_of_messages_leaves_nothing_behind() {
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let mut wire = Wire::new();
        let (id, tag) = subscribed(&mut wire, "bob", "Expires: 120");
        for _ in 0..40 {
            let number = 2 + u32::try_from(dice.below(30)).unwrap();
            match dice.below(8) {
                0..2 => wire.hears(&subscribe("bob", number, &tag, "Expires: 120")),
                2 if dice.percent(20) => wire.hears(&subscribe("bob", number, &tag, "Expires: 0")),
                3 if wire.sent.iter().any(|sent| sent.name() == "NOTIFY") => {
                    let status = ["200 OK", "481 Gone"][usize::from(dice.percent(5))];
                    is_answered(&mut wire, status)
                }
                4 => wire.waits(dice.millis(0..30_000)),
                _ => wire.does(|ua, now, _| ua.notify(now, id, number.to_string().into())),
            };
        }
        wire.waits(seconds(300));
        let is_end = |event: &&Event| {
            matches!(
                event,
                Event::Subscription {
                    news: SubscriptionNews::Ended(_),
                    ..
                }
            )
        };
        assert_eq!(wire.events.iter().filter(is_end).count(), 1, "seed {seed}");
        assert!(is_end(&wire.events.last().unwrap()), "seed {seed}");
        assert_eq!(wire.ua.counts(), Counts::default(), "seed {seed}");
    }
}
