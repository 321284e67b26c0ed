//! What is agreed on before a call is answered: provisional answers that arrive for certain, and
//! offers in early dialogs.

use std::time::Duration;

use sip::{Counts, DialogId, EndCause, Event, Name};

use crate::asked::{inside, with};
use crate::wire::{PeerAnswer, Wire};
use crate::world::{World, invite, open};

const SDP: &str = "\nContent-Type: application/sdp\n\n";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The peer's INVITE with more headers rings; our tag in its dialog.
fn rings(more: &str, body: &str) -> (Wire, DialogId, String) {
    let mut wire = Wire::new();
    let more = format!("Max-Forwards: 70{more}");
    let mut invite = with(&[("Max-Forwards: 70", &more)]);
    if body.is_empty() {
        invite = invite.split_once("Content-Type").unwrap().0.to_owned();
    }
    wire.hears(&invite);
    let incoming = wire.incoming();
    let dialog = wire.ua.next_dialog_id();
    wire.does(|ua, now, _| ua.open(now, dialog, &incoming).unwrap());
    wire.does(|ua, now, _| ua.progress(now, dialog, 183, Some(b"early".to_vec())));
    let to = wire.last().header(Name::To);
    let tag = to.split_once(";tag=").unwrap().1.to_owned();
    (wire, dialog, tag)
}

fn named(wire: &Wire, name: &str) -> String {
    let message = wire.last().message();
    let value = message.header_named(name).next().unwrap_or_default();
    String::from_utf8_lossy(value).into_owned()
}

/// The PRACK for our last answer, as it should be.
fn prack(wire: &Wire, number: u32, tag: &str) -> String {
    let rack = format!("\nRAck: {} 10 INVITE", named(wire, "RSeq"));
    inside("PRACK", number, tag) + &rack
}

#[test]
fn who_asks_for_it_gets_provisional_answers_for_certain() {
    for (more, with_sdp, without) in [
        ("", false, false),
        ("\n    Supported: 100rel", true, false),
        ("\n    Require: 100rel", true, true),
    ] {
        let (mut wire, dialog, tag) = rings(more, "offer");
        assert_eq!(wire.last().header(Name::Require) == "100rel", with_sdp);
        if with_sdp {
            let prack = prack(&wire, 11, &tag);
            assert_eq!(wire.hears(&prack), ["200 PRACK"], "{more}");
        }
        wire.does(|ua, now, _| ua.progress(now, dialog, 180, None));
        assert_eq!(wire.last().name(), "180 INVITE");
        assert_eq!(wire.last().header(Name::Require) == "100rel", without);
    }
}

#[test]
fn a_reliable_answer_is_repeated_until_its_prack() {
    let (mut wire, _, tag) = rings("\n    Supported: 100rel", "offer");
    let prack_text = prack(&wire, 12, &tag);
    let wrong = prack(&wire, 11, &tag).replace(" 10 INVITE", " 9 INVITE");
    assert_eq!(wire.waits(seconds(4)), ["183 INVITE"; 3]);
    assert_eq!(wire.hears(&wrong), ["481 PRACK"]);
    assert_eq!(wire.hears(&prack_text), ["200 PRACK"]);
    assert_eq!(wire.hears(&prack_text), ["200 PRACK"]);
    assert_eq!(wire.waits(seconds(50)), [""; 0]);
}

#[test]
fn without_a_prack_the_call_is_refused() {
    let (mut wire, dialog, _) = rings("\n    Supported: 100rel", "offer");
    wire.does(|ua, now, _| ua.accept(now, dialog, b"early".to_vec()));
    assert_eq!(wire.last().name(), "183 INVITE");
    let names = wire.waits(seconds(33));
    assert!(names.contains(&"504 INVITE".to_owned()), "{names:?}");
    let cause = EndCause::NoAck;
    assert_eq!(wire.events[1..], [Event::Ended { dialog, cause }]);
    wire.waits(seconds(60));
    assert_eq!(wire.ua.counts(), Counts::default());
}

#[test]
fn what_the_owner_says_meanwhile_waits_for_the_prack() {
    let (mut wire, dialog, tag) = rings("\n    Require: 100rel", "offer");
    let first = prack(&wire, 11, &tag);
    let names = wire.does(|ua, now, _| ua.progress(now, dialog, 180, None));
    assert_eq!(names, [""; 0]);
    assert_eq!(wire.hears(&first), ["200 PRACK", "180 INVITE"]);
    let second = prack(&wire, 12, &tag);
    // A 180 without a description is no reason to wait with the 200.
    let names = wire.does(|ua, now, _| ua.accept(now, dialog, b"early".to_vec()));
    assert_eq!(names, ["200 INVITE"]);
    assert_eq!(wire.hears(&second), ["200 PRACK"]);
    assert_eq!(
        wire.hears(
            &first
                .replace("PRACK11", "PRACK13")
                .replace("11 PRACK", "13 PRACK")
        ),
        ["481 PRACK"]
    );
}

#[test]
fn a_200_never_overtakes_a_description() {
    let (mut wire, dialog, tag) = rings("\n    Supported: 100rel", "offer");
    let prack = prack(&wire, 11, &tag);
    let names = wire.does(|ua, now, _| ua.accept(now, dialog, b"other".to_vec()));
    assert_eq!(names, [""; 0]);
    assert_eq!(wire.hears(&prack), ["200 PRACK", "200 INVITE"]);
    // What was agreed on stays in force; the other description is offered afterwards.
    assert_eq!(wire.last().message().body(), b"early");
    assert_eq!(wire.hears(&inside("ACK", 10, &tag)), ["INVITE"]);
    assert_eq!(wire.last().message().body(), b"other");
}

#[test]
fn a_description_that_waits_is_stale_once_a_newer_offer_is_answered() {
    let (mut wire, dialog, tag) = rings("\n    Supported: 100rel", "offer");
    let prack = prack(&wire, 11, &tag);
    wire.does(|ua, now, _| ua.accept(now, dialog, b"other".to_vec()));
    wire.hears(&prack);
    assert_eq!(wire.hears(&inside("ACK", 10, &tag)), ["INVITE"]);
    let glare = PeerAnswer {
        status: "491 Request Pending",
        ..PeerAnswer::default()
    };
    wire.is_answered("INVITE", &glare);
    let resumed = format!("{}{SDP}resumed", inside("INVITE", 12, &tag));
    wire.hears(&resumed);
    let names = wire.does(|ua, now, _| ua.answer(now, dialog, b"newest".to_vec()));
    assert_eq!(names, ["200 INVITE"]);
    assert_eq!(wire.hears(&inside("ACK", 12, &tag)), [""; 0]);
    assert_eq!(wire.waits(seconds(10)), [""; 0]);
}

#[test]
fn who_accepts_and_hangs_up_before_the_prack_has_accepted() {
    let (mut wire, dialog, tag) = rings("\n    Supported: 100rel", "offer");
    let prack = prack(&wire, 11, &tag);
    wire.does(|ua, now, _| ua.accept(now, dialog, b"early".to_vec()));
    assert_eq!(
        wire.does(|ua, now, _| ua.hang_up(now, dialog, None)),
        [""; 0]
    );
    let cause = EndCause::HungUp;
    assert_eq!(wire.events[1..], [Event::Ended { dialog, cause }]);
    assert_eq!(wire.hears(&inside("INFO", 12, &tag)), ["481 INFO"]);
    let prack = prack
        .replace("PRACK11", "PRACK13")
        .replace("11 PRACK", "13 PRACK");
    assert_eq!(wire.hears(&prack), ["200 PRACK", "200 INVITE"]);
    assert_eq!(wire.hears(&inside("ACK", 10, &tag)), ["BYE"]);
    wire.waits(seconds(70));
    // Whatever else happens to the call, nothing more is told of it.
    for last in ["CANCEL", "BYE", "silence"] {
        let (mut wire, dialog, tag) = rings("\n    Supported: 100rel", "offer");
        wire.does(|ua, now, _| ua.accept(now, dialog, b"early".to_vec()));
        wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
        match last {
            "CANCEL" => drop(wire.hears(&with(&[("INVITE", "CANCEL"), ("offer", "")]))),
            "BYE" => drop(wire.hears(&inside("BYE", 12, &tag))),
            _ => {}
        }
        wire.waits(seconds(100));
        assert_eq!(wire.events.len(), 2, "{last}");
        assert_eq!(wire.ua.counts(), Counts::default(), "{last}");
    }
}

#[test]
fn an_offer_of_ours_is_answered_by_the_prack() {
    let (mut wire, dialog, tag) = rings("\n    Supported: 100rel", "");
    let prack = prack(&wire, 11, &tag) + SDP + "answer";
    assert_eq!(wire.hears(&prack), ["200 PRACK"]);
    let sdp = b"answer".to_vec();
    assert_eq!(wire.events[1..], [Event::OfferAnswered { dialog, sdp }]);
    wire.does(|ua, now, _| ua.accept(now, dialog, b"early".to_vec()));
    assert_eq!(wire.last().name(), "200 INVITE");
    assert_eq!(wire.last().message().body(), b"");
    assert_eq!(wire.hears(&inside("ACK", 10, &tag)), [""; 0]);
    assert_eq!(wire.events[2..], [Event::Established { dialog }]);
}

#[test]
fn an_offer_that_may_be_lost_is_not_made() {
    let (mut wire, dialog, tag) = rings("", "");
    assert_eq!(wire.last().message().body(), b"");
    wire.does(|ua, now, _| ua.accept(now, dialog, b"mine".to_vec()));
    assert_eq!(wire.last().message().body(), b"mine");
    wire.hears(&(inside("ACK", 10, &tag) + SDP + "answer"));
    let sdp = b"answer".to_vec();
    let told = [
        Event::Established { dialog },
        Event::OfferAnswered { dialog, sdp },
    ];
    assert_eq!(wire.events[1..], told);
}

#[test]
fn a_caller_offers_anew_before_the_answer() {
    for (accepts, answer) in [(true, "200 UPDATE"), (false, "488 UPDATE")] {
        let (mut wire, dialog, tag) = rings("\n    Supported: 100rel", "offer");
        let early = inside("UPDATE", 11, &tag) + SDP + "too soon";
        assert_eq!(wire.hears(&early), ["500 UPDATE"]);
        let prack = prack_of(&wire, 12, &tag);
        wire.hears(&prack);
        let update = inside("UPDATE", 13, &tag) + SDP + "offer 2";
        assert_eq!(wire.hears(&update), [""; 0]);
        let sdp = b"offer 2".to_vec();
        assert_eq!(wire.events[1..], [Event::Offered { dialog, sdp }]);
        let second = inside("UPDATE", 14, &tag) + SDP + "offer 3";
        assert_eq!(wire.hears(&second), ["500 UPDATE"]);
        let names = wire.does(|ua, now, _| {
            if accepts {
                ua.answer(now, dialog, b"mine".to_vec())
            } else {
                ua.refuse(now, dialog, 488)
            }
        });
        assert_eq!(names, [answer]);
    }
}

/// The PRACK for the first reliable answer.
fn prack_of(wire: &Wire, number: u32, tag: &str) -> String {
    let sent = wire.last_named("183 INVITE").message();
    let rseq = sent.header_named("RSeq").next().unwrap_or_default();
    let rack = format!("\nRAck: {} 10 INVITE", String::from_utf8_lossy(rseq));
    inside("PRACK", number, tag) + &rack
}

#[test]
fn an_early_offer_ends_with_its_call() {
    let (mut wire, dialog, tag) = rings("\n    Supported: 100rel", "offer");
    let prack = prack(&wire, 11, &tag);
    wire.hears(&prack);
    let update = inside("UPDATE", 12, &tag) + SDP + "offer 2";
    wire.hears(&update);
    let names = wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
    assert_eq!(names, ["487 INVITE", "487 UPDATE"]);
    // An owner that forgets it refuses it.
    let (mut wire, dialog, tag) = rings("\n    Supported: 100rel", "offer");
    let prack = prack_of(&wire, 11, &tag);
    wire.hears(&prack);
    wire.hears(&update.replace(&tag_of(&update), &tag));
    assert!(wire.waits(seconds(25)).contains(&"500 UPDATE".to_owned()));
    let told = Event::OfferWithdrawn { dialog };
    assert_eq!(wire.events.last(), Some(&told));
}

fn tag_of(text: &str) -> String {
    let line = text.lines().find(|line| line.contains("To:")).unwrap();
    line.split_once(";tag=").unwrap().1.trim().to_owned()
}

/// An INVITE of ours, and what a peer answers it.
fn calling() -> (Wire, DialogId) {
    let mut wire = Wire::new();
    let dialog = wire.ua.next_dialog_id();
    let to = wire.source.into();
    wire.does(|ua, now, _| ua.invite(now, dialog, invite(to)));
    (wire, dialog)
}

fn reliable(wire: &mut Wire, tag: &str, number: u32, sdp: &str) -> Vec<String> {
    let body = if sdp.is_empty() {
        String::new()
    } else {
        format!("{SDP}{sdp}")
    };
    let more = format!(
        "Require: 100rel\nRSeq: {number}\nContact: <sip:{tag}@192.0.2.9:5070>\n\
         Allow: INVITE, UPDATE{body}"
    );
    let status = "183 Session Progress";
    let more = &more;
    wire.is_answered("INVITE", &PeerAnswer { status, tag, more })
}

#[test]
fn each_reliable_answer_is_acknowledged_once_and_in_order() {
    let (mut wire, dialog) = calling();
    for (tag, number, expect) in [
        ("a", 7, &["PRACK"][..]),
        ("a", 7, &[]),
        ("a", 9, &[]),
        ("a", 8, &["PRACK"]),
        ("b", 1, &["PRACK"]),
    ] {
        assert_eq!(
            reliable(&mut wire, tag, number, "answer"),
            expect,
            "{number}"
        );
    }
    assert_eq!(wire.events.len(), 3);
    let sent = wire.last();
    assert_eq!(named(&wire, "RAck"), "1 1 INVITE");
    assert_eq!(sent.uri(), "sip:b@192.0.2.9:5070");
    assert_eq!(sent.header(Name::CSeq), "2 PRACK");
    // The 200 may leave out what was said for certain, and the numbers go on.
    let (status, tag) = ("200 OK", "a");
    let more = "Contact: <sip:a@192.0.2.9:5070>";
    wire.is_answered("INVITE", &PeerAnswer { status, tag, more });
    let sdp = Some(b"answer".to_vec());
    assert_eq!(wire.events.last(), Some(&Event::Accepted { dialog, sdp }));
    wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
    assert_eq!(wire.last().header(Name::CSeq), "4 BYE");
}

#[test]
fn forks_without_end_are_not_kept() {
    let (mut wire, dialog) = calling();
    for fork in 0..50 {
        let names = reliable(&mut wire, &format!("t{fork}"), 1, "answer");
        assert_eq!(names.len(), usize::from(fork < 16));
    }
    assert_eq!(wire.ua.counts().client_transactions, 17);
    wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
    wire.waits(seconds(120));
    assert_eq!(wire.ua.counts(), Counts::default());
}

/// A request of the peer's inside the early dialog of a fork.
fn of_fork(wire: &Wire, number: u32, tag: &str, body: &str) -> String {
    let invite = wire.last_named("INVITE");
    let method = "UPDATE";
    format!(
        "{method} sip:alice@192.0.2.1 SIP/2.0
        Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKu{number}{tag}
        From: {};tag={tag}
        To: {}
        Call-ID: {}
        CSeq: {number} {method}{SDP}{body}",
        invite.header(Name::To),
        invite.header(Name::From),
        invite.header(Name::CallId),
    )
}

#[test]
fn whom_we_call_offers_anew_before_it_answers() {
    let (mut wire, dialog) = calling();
    reliable(&mut wire, "a", 1, "");
    let early = of_fork(&wire, 1, "a", "too soon");
    assert_eq!(wire.hears(&early), ["491 UPDATE"]);
    reliable(&mut wire, "a", 2, "answer");
    reliable(&mut wire, "b", 1, "answer");
    let update = of_fork(&wire, 2, "a", "offer 2");
    assert_eq!(wire.hears(&update), [""; 0]);
    let other = of_fork(&wire, 1, "b", "offer 3");
    assert_eq!(wire.hears(&other), ["500 UPDATE"]);
    let names = wire.does(|ua, now, _| ua.answer(now, dialog, b"mine".to_vec()));
    assert_eq!(names, ["200 UPDATE"]);
    assert_eq!(wire.last().message().body(), b"mine");
    let stale = of_fork(&wire, 2, "a", "offer 2").replace("bKu2a", "bKu9a");
    assert_eq!(wire.hears(&stale), ["500 UPDATE"]);
    let (status, tag, more) = ("200 OK", "a", "");
    wire.is_answered("INVITE", &PeerAnswer { status, tag, more });
    let sdp = Some(b"offer 2".to_vec());
    assert_eq!(wire.events.last(), Some(&Event::Accepted { dialog, sdp }));
}

#[test]
fn two_agents_agree_early_though_everything_is_lost_once() {
    for lost in ["183 INVITE", "PRACK", "200 PRACK"] {
        let mut world = World::new(1, 2);
        world.lose(lost, 1);
        let caller = world.call(0, 1);
        world.run(seconds(1), |world, agent, event| {
            if let Event::Request(incoming) = event {
                let dialog = open(world, agent, &incoming).unwrap();
                world.with(agent, |ua, now| {
                    ua.progress(now, dialog, 183, Some(b"early".to_vec()))
                });
                world.with(agent, |ua, now| ua.accept(now, dialog, b"early".to_vec()));
            }
        });
        world.wait(seconds(5));
        let sdp = Some(b"early".to_vec());
        let told = world.told(0, caller);
        let early = told
            .iter()
            .filter(|it| matches!(it, Event::Provisional { .. }));
        assert_eq!(early.count(), 1, "{lost}");
        let dialog = caller;
        assert_eq!(
            told.last(),
            Some(&&Event::Accepted { dialog, sdp }),
            "{lost}"
        );
        world.with(0, |ua, now| ua.hang_up(now, caller, None));
        world.wait(seconds(80));
        world.assert_ended_once();
    }
}
