//! Calls that a peer wants moved: REFER, what is told of it, and Replaces.

use std::time::Duration;

use sip::{Answer, Counts, DialogId, Event, Name, Referral, ReplaceScope, Replaced, Replaces};

use crate::asked::{INVITE, inside, with};
use crate::wire::{PeerAnswer, Wire};
use crate::world::{Dice, invite};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The peer has called us and talks.
fn talks() -> (Wire, DialogId, String) {
    let mut wire = Wire::new();
    let (dialog, tag) = wire.is_called(INVITE);
    wire.hears(&inside("ACK", 10, &tag));
    (wire, dialog, tag)
}

fn refer(number: u32, tag: &str, more: &str) -> String {
    format!("{}\n{more}", inside("REFER", number, tag))
}

fn notify_is_answered(wire: &mut Wire, status: &str) -> Vec<String> {
    let answer = PeerAnswer {
        status,
        ..PeerAnswer::default()
    };
    wire.is_answered("NOTIFY", &answer)
}

/// What the last NOTIFY says.
fn told(wire: &Wire) -> (String, String) {
    let sent = wire.last_named("NOTIFY");
    let body = String::from_utf8_lossy(sent.message().body()).into_owned();
    (sent.header(Name::SubscriptionState), body)
}

#[test]
fn a_refer_says_whom_to_call() {
    let replaces = Replaces {
        call_id: "c2@h".to_owned(),
        to_tag: "t".to_owned(),
        from_tag: "f".to_owned(),
        scope: ReplaceScope::Any,
    };
    for (more, expect) in [
        ("Refer-To: <sip:1011@h>", Some(("sip:1011@h", None, None))),
        ("r: sip:1011@h", Some(("sip:1011@h", None, None))),
        (
            "Refer-To: <tel:+49301>\nReferred-By: <sip:a@h>",
            Some(("tel:+49301", None, Some("<sip:a@h>"))),
        ),
        (
            "Refer-To: \"M\" <sip:1011@h;user=phone?Replaces=c2%40h%3Bto-tag%3Dt%3Bfrom-tag%3Df>",
            Some(("sip:1011@h;user=phone", Some(replaces), None)),
        ),
        ("Refer-To: <http://h>", None),
        ("Refer-To: <sip:1011@h>\nRefer-To: <sip:1012@h>", None),
        ("X: y", None),
    ] {
        let (mut wire, dialog, tag) = talks();
        let names = wire.hears(&refer(11, &tag, more));
        let Some((refer_to, replaces, referred_by)) = expect else {
            assert_eq!(names, ["400 REFER"], "{more}");
            continue;
        };
        assert_eq!(names, [""; 0], "{more}");
        let referral = Box::new(Referral {
            refer_to: refer_to.to_owned(),
            replaces,
            referred_by: referred_by.map(str::to_owned),
        });
        let expect = Event::Referred { dialog, referral };
        assert_eq!(wire.events.last(), Some(&expect), "{more}");
    }
}

#[test]
fn the_referrer_hears_how_it_goes() {
    let (mut wire, dialog, tag) = talks();
    wire.hears(&refer(11, &tag, "Refer-To: <sip:1011@h>"));
    let names = wire.does(|ua, now, _| ua.accept_referral(now, dialog));
    assert_eq!(names, ["202 REFER", "NOTIFY"]);
    assert_eq!(wire.last().header(Name::Event), "refer");
    let trying = (
        "active;expires=180".to_owned(),
        "SIP/2.0 100 Trying\r\n".to_owned(),
    );
    assert_eq!(told(&wire), trying);
    // One NOTIFY at a time; the newest of what waits is told.
    for code in [180, 183] {
        assert_eq!(
            wire.does(|ua, now, _| ua.tell_referrer(now, dialog, code)),
            [""; 0]
        );
    }
    assert_eq!(notify_is_answered(&mut wire, "200 OK"), ["NOTIFY"]);
    assert_eq!(told(&wire).1, "SIP/2.0 183 Session Progress\r\n");
    notify_is_answered(&mut wire, "200 OK");
    assert_eq!(
        wire.does(|ua, now, _| ua.tell_referrer(now, dialog, 200)),
        ["NOTIFY"]
    );
    let over = (
        "terminated;reason=noresource".to_owned(),
        "SIP/2.0 200 OK\r\n".to_owned(),
    );
    assert_eq!(told(&wire), over);
    notify_is_answered(&mut wire, "200 OK");
    assert_eq!(
        wire.does(|ua, now, _| ua.tell_referrer(now, dialog, 486)),
        [""; 0]
    );
    // A second one is told apart by its number.
    wire.hears(&refer(12, &tag, "Refer-To: <sip:1012@h>"));
    wire.does(|ua, now, _| ua.accept_referral(now, dialog));
    assert_eq!(wire.last().header(Name::Event), "refer;id=12");
}

#[test]
fn a_referrer_that_wants_no_news_gets_none() {
    let (mut wire, dialog, tag) = talks();
    let more = "Require: norefersub\nRefer-Sub: false\nRefer-To: <sip:1011@h>";
    wire.hears(&refer(11, &tag, more));
    let names = wire.does(|ua, now, _| ua.accept_referral(now, dialog));
    assert_eq!(names, ["202 REFER"]);
    assert!(wire.last().text.contains("\r\nRefer-Sub: false\r\n"));
    assert_eq!(
        wire.does(|ua, now, _| ua.tell_referrer(now, dialog, 200)),
        [""; 0]
    );
}

#[test]
fn a_refer_is_refused_by_the_owner_or_in_its_place() {
    let (mut wire, dialog, tag) = talks();
    wire.hears(&refer(11, &tag, "Refer-To: <sip:1011@h>"));
    assert_eq!(
        wire.hears(&refer(12, &tag, "Refer-To: <sip:1012@h>")),
        ["500 REFER"]
    );
    let names = wire.does(|ua, now, _| ua.refuse_referral(now, dialog, Answer::code(603)));
    assert_eq!(names, ["603 REFER"]);
    assert_eq!(
        wire.does(|ua, now, _| ua.accept_referral(now, dialog)),
        [""; 0]
    );
    wire.hears(&refer(13, &tag, "Refer-To: <sip:1011@h>"));
    assert_eq!(wire.waits(seconds(25)), ["500 REFER"]);
    wire.hears(&refer(14, &tag, "Refer-To: <sip:1011@h>"));
    assert_eq!(
        wire.hears(&inside("BYE", 15, &tag)),
        ["200 BYE", "487 REFER"]
    );
    wire.waits(seconds(70));
    assert_eq!(wire.ua.counts(), Counts::default());
}

#[test]
fn a_referrer_that_refuses_news_keeps_its_call() {
    let (mut wire, dialog, tag) = talks();
    wire.hears(&refer(11, &tag, "Refer-To: <sip:1011@h>"));
    wire.does(|ua, now, _| ua.accept_referral(now, dialog));
    notify_is_answered(&mut wire, "481 Gone");
    assert_eq!(
        wire.does(|ua, now, _| ua.tell_referrer(now, dialog, 200)),
        [""; 0]
    );
    assert_eq!(wire.ua.counts().dialogs, 1);
    // Silence is no different.
    wire.hears(&refer(12, &tag, "Refer-To: <sip:1011@h>"));
    wire.does(|ua, now, _| ua.accept_referral(now, dialog));
    wire.waits(seconds(33));
    assert_eq!(
        wire.does(|ua, now, _| ua.tell_referrer(now, dialog, 200)),
        [""; 0]
    );
    assert_eq!(wire.ua.counts().dialogs, 1);
}

#[test]
fn an_owner_that_says_nothing_more_lets_the_news_end() {
    let (mut wire, dialog, tag) = talks();
    wire.hears(&refer(11, &tag, "Refer-To: <sip:1011@h>"));
    wire.does(|ua, now, _| ua.accept_referral(now, dialog));
    notify_is_answered(&mut wire, "200 OK");
    let subscribe = |number, more| inside("SUBSCRIBE", number, &tag) + "\nEvent: refer" + more;
    wire.waits(seconds(100));
    assert_eq!(wire.hears(&subscribe(12, "")), ["200 SUBSCRIBE", "NOTIFY"]);
    notify_is_answered(&mut wire, "200 OK");
    assert_eq!(wire.waits(seconds(179)), [""; 0]);
    assert_eq!(wire.waits(seconds(1)), ["NOTIFY"]);
    assert_eq!(told(&wire).0, "terminated;reason=timeout");
    assert_eq!(
        wire.hears(&subscribe(13, "\nExpires: 0")),
        ["481 SUBSCRIBE"]
    );
    wire.hears(&refer(14, &tag, "Refer-To: <sip:1011@h>"));
    wire.does(|ua, now, _| ua.accept_referral(now, dialog));
    notify_is_answered(&mut wire, "200 OK");
    let names = wire.hears(&subscribe(15, "\nExpires: 0"));
    assert_eq!(names, ["200 SUBSCRIBE", "NOTIFY"]);
    assert_eq!(told(&wire).0, "terminated;reason=timeout");
}

/// A transfer that succeeds while the peer has answered so many NOTIFYs; our side hangs up at once.
fn succeeds(answered: usize) -> (Wire, DialogId, String) {
    let (mut wire, dialog, tag) = talks();
    wire.hears(&refer(11, &tag, "Refer-To: <sip:1011@h>"));
    wire.does(|ua, now, _| ua.accept_referral(now, dialog));
    for _ in 0..answered {
        notify_is_answered(&mut wire, "200 OK");
    }
    wire.does(|ua, now, _| ua.tell_referrer(now, dialog, 200));
    let names = wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
    assert_eq!(names, [""; 0], "the BYE waits");
    (wire, dialog, tag)
}

#[test]
fn the_last_word_of_a_transfer_comes_before_the_bye() {
    // The first NOTIFY is still under way.
    let (mut wire, ..) = succeeds(0);
    assert_eq!(notify_is_answered(&mut wire, "200 OK"), ["NOTIFY"]);
    let (state, body) = told(&wire);
    assert_eq!(state, "terminated;reason=noresource");
    assert!(body.starts_with("SIP/2.0 200"), "{body}");
    assert_eq!(notify_is_answered(&mut wire, "200 OK"), ["BYE"]);
    // Only the last one is.
    for status in ["200 OK", "481 Gone"] {
        let (mut wire, ..) = succeeds(1);
        assert!(told(&wire).1.starts_with("SIP/2.0 200"));
        assert_eq!(notify_is_answered(&mut wire, status), ["BYE"], "{status}");
    }
}

#[test]
fn who_does_not_answer_the_last_word_is_hung_up_all_the_same() {
    for answered in [0, 1] {
        let (mut wire, ..) = succeeds(answered);
        let sent = |wire: &Wire| wire.sent.iter().any(|sent| sent.name() == "BYE");
        wire.waits(Duration::from_millis(1_900));
        assert!(!sent(&wire));
        wire.waits(Duration::from_millis(200));
        assert!(sent(&wire));
        wire.waits(seconds(120));
        assert_eq!(wire.ua.counts(), Counts::default());
    }
}

#[test]
fn who_hangs_up_on_the_last_word_is_sent_no_bye() {
    let (mut wire, _, tag) = succeeds(1);
    assert_eq!(wire.hears(&inside("BYE", 12, &tag)), ["200 BYE"]);
    assert_eq!(notify_is_answered(&mut wire, "200 OK"), [""; 0]);
    wire.waits(seconds(120));
    assert_eq!(wire.ua.counts(), Counts::default());
}

/// An INVITE with that Replaces header, and what it would replace.
fn replacing(wire: &mut Wire, value: &str) -> Replaced {
    let more = format!("Max-Forwards: 70\n    Replaces: {value}");
    let invite = with(&[
        ("call-1", "call-9"),
        ("Max-Forwards: 70", &more),
        ("z9hG4bKa1", "z9hG4bKr1"),
    ]);
    wire.hears(&invite);
    let incoming = wire.incoming();
    wire.ua.replaced_by(&incoming)
}

fn refused(code: u16) -> Replaced {
    Replaced::Refused(Answer::code(code))
}

#[test]
fn an_answered_call_is_replaced_unless_it_must_be_early() {
    let (mut wire, dialog, tag) = talks();
    assert_eq!(wire.ua.replaces_of(dialog).unwrap().to_tag, tag);
    for (value, expect) in [
        (
            format!("call-1;to-tag={tag};from-tag=alice"),
            Replaced::Call(dialog),
        ),
        (
            format!("call-1;from-tag=alice;to-tag={tag};early-only"),
            refused(486),
        ),
        // As a document tells it: the tags as the other side sees them.
        (
            format!("call-1;to-tag=alice;from-tag={tag}"),
            Replaced::Call(dialog),
        ),
        (
            format!("call-1;to-tag=alice;from-tag={tag};early-only"),
            refused(486),
        ),
        (format!("call-1;to-tag={tag};from-tag=bob"), refused(481)),
        (format!("call-2;to-tag={tag};from-tag=alice"), refused(481)),
        ("call-1;to-tag=x;from-tag=alice".to_owned(), refused(481)),
        ("call-1".to_owned(), refused(400)),
        (
            format!("call-1;to-tag={tag};from-tag=alice\n    Replaces: c;to-tag=1;from-tag=2"),
            refused(400),
        ),
    ] {
        assert_eq!(replacing(&mut wire, &value), expect, "{value}");
    }
    let gone = format!("call-1;to-tag={tag};from-tag=alice");
    wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
    assert_eq!(replacing(&mut wire, &gone), refused(603));
    let plain = with(&[("call-1", "call-8"), ("z9hG4bKa1", "z9hG4bKr2")]);
    wire.hears(&plain);
    let incoming = wire.incoming();
    assert_eq!(wire.ua.replaced_by(&incoming), Replaced::Nothing);
}

#[test]
fn whom_we_ring_is_picked_up_and_who_rings_us_is_not() {
    let mut wire = Wire::new();
    let dialog = wire.ua.next_dialog_id();
    let to = wire.source.into();
    wire.does(|ua, now, _| ua.invite(now, dialog, invite(to)));
    assert_eq!(wire.ua.replaces_of(dialog), None);
    let (status, tag, more) = ("180 Ringing", "t", "");
    wire.is_answered("INVITE", &PeerAnswer { status, tag, more });
    let mut replaces = wire.ua.replaces_of(dialog).unwrap();
    replaces.scope = ReplaceScope::EarlyOnly;
    let value = replaces.to_string();
    assert_eq!(replacing(&mut wire, &value), Replaced::Call(dialog));
    wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
    assert_eq!(replacing(&mut wire, &value), refused(603));

    let mut wire = Wire::new();
    wire.hears(INVITE);
    let incoming = wire.incoming();
    let dialog = wire.ua.next_dialog_id();
    wire.does(|ua, now, _| ua.open(now, dialog, &incoming).unwrap());
    let value = wire.ua.replaces_of(dialog).unwrap().to_string();
    assert_eq!(replacing(&mut wire, &value), refused(481));
}

#[test]
fn transfers_in_any_order_leave_nothing_behind() {
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let (mut wire, dialog, tag) = talks();
        let texts: Vec<String> = (11..40)
            .map(|number| match dice.below(5) {
                0 => inside("SUBSCRIBE", number, &tag) + "\nEvent: refer",
                1 => inside("SUBSCRIBE", number, &tag) + "\nEvent: refer\nExpires: 0",
                2 => inside("INFO", number, &tag),
                _ => refer(number, &tag, "Refer-To: <sip:1011@h>"),
            })
            .collect();
        for _ in 0..60 {
            let one = usize::try_from(dice.below(29)).unwrap();
            match dice.below(8) {
                0..3 => wire.hears(&texts[one]),
                3 => wire.does(|ua, now, _| ua.accept_referral(now, dialog)),
                4 => wire.does(|ua, now, _| ua.refuse_referral(now, dialog, Answer::code(603))),
                5 => {
                    let code = 180 + 20 * u16::try_from(dice.below(3)).unwrap();
                    wire.does(|ua, now, _| ua.tell_referrer(now, dialog, code))
                }
                6 if wire.sent.iter().any(|sent| sent.name() == "NOTIFY") => notify_is_answered(
                    &mut wire,
                    ["200 OK", "500 No"][usize::from(dice.percent(10))],
                ),
                _ => wire.waits(dice.millis(0..40_000)),
            };
        }
        assert!(wire.ua.counts().client_transactions <= 100);
        wire.hears(&inside("BYE", 100, &tag));
        let ends = wire
            .events
            .iter()
            .filter(|it| matches!(it, Event::Ended { .. }));
        assert_eq!(ends.count(), 1, "seed {seed}");
        wire.waits(seconds(300));
        assert_eq!(wire.ua.counts(), Counts::default(), "seed {seed}");
    }
}
