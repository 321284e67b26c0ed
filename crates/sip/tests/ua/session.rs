//! What happens while a call talks: offers both ways, glare, refreshes, expiry.

use std::time::Duration;

use sip::{DialogId, EndCause, Event, Name, Withdrawal};

use crate::wire::{PeerAnswer, Wire};
use crate::world::{World, invite, open};

const SDP: &str = "Content-Type: application/sdp\n\nanswer";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Two agents that talk: the first called the second. Offers are answered unless the test does.
fn talking(seed: u64) -> (World, [DialogId; 2]) {
    let mut world = World::new(seed, 2);
    let caller = world.call(0, 1);
    world.run(seconds(1), |world, agent, event| {
        if let Event::Request(incoming) = event {
            let dialog = open(world, agent, &incoming).unwrap();
            world.with(agent, |ua, now| ua.accept(now, dialog, b"answer".to_vec()));
        }
    });
    (world, [caller, DialogId(1)])
}

fn answering(world: &mut World, agent: usize, event: Event) {
    if let Event::Offered { dialog, sdp } = event {
        let answer = [b"answer to ", &sdp[..]].concat();
        world.with(agent, |ua, now| ua.answer(now, dialog, answer));
    }
}

/// The names of the packets after the call was made.
fn since(world: &World, from: usize) -> Vec<&str> {
    world.ladder[from..]
        .iter()
        .map(|line| line.split_once("> ").map_or(&line[..], |(_, n)| n))
        .collect()
}

fn hang_up_all(world: &mut World, dialogs: [DialogId; 2]) {
    for (agent, dialog) in dialogs.into_iter().enumerate() {
        world.with(agent, |ua, now| ua.hang_up(now, dialog, None));
    }
    world.wait(seconds(70));
    world.assert_ended_once();
}

#[test]
fn hold_and_resume_from_either_side() {
    for side in [0, 1] {
        let (mut world, dialogs) = talking(1);
        for sdp in ["hold", "resume"] {
            world.with(side, |ua, now| ua.offer(now, dialogs[side], sdp.into()));
            world.run(seconds(1), answering);
            let answered = format!("answer to {sdp}").into_bytes();
            assert_eq!(
                world.told(side, dialogs[side]).last(),
                Some(&&Event::OfferAnswered {
                    dialog: dialogs[side],
                    sdp: answered
                })
            );
            let other = 1 - side;
            assert_eq!(
                world.told(other, dialogs[other]).last(),
                Some(&&Event::Offered {
                    dialog: dialogs[other],
                    sdp: sdp.into()
                })
            );
        }
        hang_up_all(&mut world, dialogs);
    }
}

#[test]
fn offers_wait_for_the_one_under_way_and_the_last_one_counts() {
    let (mut world, dialogs) = talking(2);
    for sdp in ["one", "two", "three"] {
        world.with(0, |ua, now| ua.offer(now, dialogs[0], sdp.into()));
    }
    world.run(seconds(2), answering);
    let answers: Vec<_> = world
        .told(0, dialogs[0])
        .into_iter()
        .filter_map(|event| match event {
            Event::OfferAnswered { sdp, .. } => Some(String::from_utf8_lossy(sdp).into_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(answers, ["answer to one", "answer to three"]);
    hang_up_all(&mut world, dialogs);
}

#[test]
fn both_sides_offering_at_once_both_succeed_after_a_pause() {
    for seed in 0..50 {
        let (mut world, dialogs) = talking(seed);
        for (side, dialog) in dialogs.into_iter().enumerate() {
            world.with(side, |ua, now| ua.offer(now, dialog, b"mine".to_vec()));
        }
        let refused = |world: &World| {
            world
                .ladder
                .iter()
                .filter(|line| line.contains("491"))
                .count()
        };
        world.run(seconds(1) / 10, answering);
        assert_eq!(refused(&world), 2, "seed {seed}");
        world.run(seconds(10), answering);
        for (side, dialog) in dialogs.into_iter().enumerate() {
            let told = world.told(side, dialog);
            let is_answer = |event: &&&Event| matches!(event, Event::OfferAnswered { .. });
            assert_eq!(
                told.iter().filter(is_answer).count(),
                1,
                "seed {seed} {told:#?}"
            );
        }
        hang_up_all(&mut world, dialogs);
    }
}

#[test]
fn a_refused_offer_leaves_the_session_and_its_refreshes() {
    let (mut world, dialogs) = talking(3);
    world.with(1, |ua, now| ua.offer(now, dialogs[1], b"hold".to_vec()));
    world.run(seconds(1), |world, agent, event| {
        if let Event::Offered { dialog, .. } = event {
            world.with(agent, |ua, now| ua.refuse(now, dialog, 488));
        }
    });
    let dialog = dialogs[1];
    let refused = Event::OfferRefused { dialog, code: 488 };
    assert_eq!(world.told(1, dialog).last(), Some(&&refused));
    let from = world.ladder.len();
    world.run(seconds(4_000), answering);
    let updates = since(&world, from)
        .iter()
        .filter(|name| name.ends_with(" UPDATE"))
        .count();
    assert_eq!(updates, 8); // Four refreshes and their answers.
    hang_up_all(&mut world, dialogs);
}

#[test]
fn an_offer_that_the_owner_forgets_is_refused_in_its_place() {
    let (mut world, dialogs) = talking(4);
    world.with(0, |ua, now| ua.offer(now, dialogs[0], b"hold".to_vec()));
    world.wait(seconds(40));
    let dialog = dialogs[0];
    let refused = Event::OfferRefused { dialog, code: 500 };
    assert_eq!(world.told(0, dialog).last(), Some(&&refused));
    hang_up_all(&mut world, dialogs);
}

#[test]
fn a_lost_ack_of_an_offer_ends_the_call_only_if_none_comes() {
    for (lost, survives) in [(3, true), (usize::MAX, false)] {
        let (mut world, dialogs) = talking(5);
        world.lose("ACK", lost);
        world.with(0, |ua, now| ua.offer(now, dialogs[0], b"hold".to_vec()));
        world.run(seconds(40), answering);
        assert_eq!(world.agents[1].ua.counts().dialogs == 1, survives);
        hang_up_all(&mut world, dialogs);
    }
}

#[test]
fn an_info_arrives_and_is_answered() {
    let (mut world, dialogs) = talking(6);
    let body = b"Signal=5".to_vec();
    world.with(0, |ua, now| {
        ua.info(now, dialogs[0], "Application/DTMF-Relay; x=1", body.clone())
    });
    world.wait(seconds(1));
    let content_type = "application/dtmf-relay".to_owned();
    let expect = Event::Info {
        dialog: dialogs[1],
        content_type,
        body,
    };
    assert_eq!(world.told(1, dialogs[1]).last(), Some(&&expect));
    hang_up_all(&mut world, dialogs);
}

#[test]
fn a_transfer_that_is_asked_for_arrives_and_is_taken() {
    let (mut world, dialogs) = talking(9);
    world.with(0, |ua, now| ua.refer(now, dialogs[0], "<sip:1030@acme>"));
    world.wait(seconds(1));
    let told = world.told(1, dialogs[1]);
    let Some(Event::Referred { referral, .. }) = told.last() else {
        panic!("{told:?}");
    };
    assert_eq!(referral.refer_to, "sip:1030@acme");
    world.with(1, |ua, now| ua.accept_referral(now, dialogs[1]));
    world.with(1, |ua, now| ua.tell_referrer(now, dialogs[1], 200));
    world.wait(seconds(1));
    assert!(world.agents.iter().all(|it| it.ua.counts().dialogs == 1));
    hang_up_all(&mut world, dialogs);
}

#[test]
fn a_long_call_is_refreshed_and_goes_on() {
    let (mut world, dialogs) = talking(7);
    world.run(Duration::from_hours(5), answering);
    assert!(
        world
            .agents
            .iter()
            .all(|agent| agent.ua.counts().dialogs == 1)
    );
    hang_up_all(&mut world, dialogs);
}

#[test]
fn a_silent_peer_ends_the_call_at_the_refresh_or_the_expiry() {
    let (mut world, dialogs) = talking(8);
    world.fault(|_, _| crate::world::Fate::Lost);
    world.wait(seconds(2_000));
    let cause =
        |world: &World, side: usize| crate::world::cause_of(&world.told(side, dialogs[side]));
    assert_eq!(cause(&world, 0), Some(EndCause::SessionExpired));
    assert_eq!(cause(&world, 1), Some(EndCause::DialogLost));
    world.wait(seconds(70));
    world.assert_ended_once();
}

/// A call of ours that the peer's 200 made.
fn made(more: &str) -> (Wire, DialogId) {
    let mut wire = Wire::new();
    let dialog = wire.ua.next_dialog_id();
    let to = wire.source.into();
    wire.does(|ua, now, _| ua.invite(now, dialog, invite(to)));
    let more = format!("Contact: <sip:bob@192.0.2.9:5062>\n{more}{SDP}");
    let answer = PeerAnswer {
        status: "200 OK",
        tag: "t",
        more: &more,
    };
    wire.is_answered("INVITE", &answer);
    (wire, dialog)
}

fn status<'a>(status: &'a str, more: &'a str) -> PeerAnswer<'a> {
    PeerAnswer {
        status,
        tag: "t",
        more,
    }
}

#[test]
fn who_refreshes_how_and_when_follows_the_answer() {
    let update = "Allow: INVITE, UPDATE\n";
    for (more, after, refresh) in [
        ("Session-Expires: 600;refresher=uac\n", 300, "INVITE"),
        (
            "Session-Expires: 600;refresher=uac\nAllow: INVITE, UPDATE\n",
            300,
            "UPDATE",
        ),
        ("", 900, "INVITE"),
        (update, 900, "UPDATE"),
    ] {
        let (mut wire, _) = made(more);
        assert_eq!(wire.waits(seconds(after - 1)), [""; 0], "{more}");
        assert_eq!(wire.waits(seconds(1)), [refresh], "{more}");
        assert!(
            wire.last()
                .header(Name::SessionExpires)
                .ends_with(";refresher=uac")
        );
        let expect = if refresh == "INVITE" { "offer" } else { "" };
        assert_eq!(wire.last().message().body(), expect.as_bytes());
    }
    let (mut wire, dialog) = made("Session-Expires: 600;refresher=uas\n");
    assert_eq!(wire.waits(seconds(568))[..1], ["BYE"]);
    let cause = EndCause::SessionExpired;
    assert_eq!(wire.events[1..], [Event::Ended { dialog, cause }]);
}

#[test]
fn a_refresh_that_fails_is_tried_again_or_ends_the_call() {
    let update = "Allow: UPDATE\n";
    for (answer, seconds_later, next) in [
        (status("200 OK", ""), 900, "UPDATE"),
        (
            status("200 OK", "Session-Expires: 200;refresher=uac"),
            100,
            "UPDATE",
        ),
        (status("500 No", ""), 10, "UPDATE"),
        (status("405 No", ""), 10, "INVITE"),
        (status("422 No", "Min-SE: 3600"), 10, "UPDATE"),
        (status("481 No", ""), 0, "BYE"),
        (status("408 No", ""), 0, "BYE"),
    ] {
        let (mut wire, _) = made(update);
        wire.waits(seconds(900));
        let mut names = wire.is_answered("UPDATE", &answer);
        if seconds_later > 0 {
            assert_eq!(names, [""; 0], "{}", answer.status);
            names = wire.waits(seconds(seconds_later));
        }
        assert_eq!(names, [next], "{}", answer.status);
        if answer.more.starts_with("Min-SE") {
            assert_eq!(wire.last().header(Name::MinSe), "3600");
            assert_eq!(
                wire.last().header(Name::SessionExpires),
                "3600;refresher=uac"
            );
        }
    }
}

/// A request of the peer inside the dialog of [`made`].
fn theirs(wire: &Wire, method: &str, number: u32, more: &str) -> String {
    let invite = wire.last_named("INVITE");
    format!(
        "{method} sip:alice@192.0.2.1:5060 SIP/2.0
        Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK{method}{number}
        From: {};tag=t
        To: {}
        Call-ID: {}
        CSeq: {number} {method}
        {more}",
        invite.header(Name::To),
        invite.header(Name::From),
        invite.header(Name::CallId),
    )
}

#[test]
fn the_peer_refreshes_and_its_terms_are_answered() {
    let (mut wire, dialog) = made("Session-Expires: 600;refresher=uas\n");
    wire.waits(seconds(500));
    let refresh = "Supported: timer\nSession-Expires: 600;refresher=uac";
    assert_eq!(
        wire.hears(&theirs(&wire, "UPDATE", 1, refresh)),
        ["200 UPDATE"]
    );
    assert_eq!(
        wire.last().header(Name::SessionExpires),
        "600;refresher=uac"
    );
    assert_eq!(wire.last().header(Name::Require), "timer");
    let short = "Supported: timer\nSession-Expires: 60";
    assert_eq!(
        wire.hears(&theirs(&wire, "UPDATE", 2, short)),
        ["422 UPDATE"]
    );
    assert_eq!(wire.waits(seconds(567)), [""; 0]);
    assert_eq!(wire.waits(seconds(1))[..1], ["BYE"]);
    let cause = EndCause::SessionExpired;
    assert_eq!(wire.events[1..], [Event::Ended { dialog, cause }]);
}

#[test]
fn a_refresh_by_reinvite_is_an_offer_like_any_other() {
    let (mut wire, dialog) = made("");
    let more = format!("Contact: <sip:bob@192.0.2.9:5099>\n{SDP}");
    assert_eq!(wire.hears(&theirs(&wire, "INVITE", 1, &more)), [""; 0]);
    assert_eq!(
        wire.events[1..],
        [Event::Offered {
            dialog,
            sdp: b"answer".to_vec()
        }]
    );
    assert_eq!(
        wire.does(|ua, now, _| ua.answer(now, dialog, b"mine".to_vec())),
        ["200 INVITE"]
    );
    assert_eq!(
        wire.last().header(Name::SessionExpires),
        "1800;refresher=uas"
    );
    assert_eq!(
        wire.last().header(Name::Contact),
        "<sip:alice@192.0.2.1:5060>"
    );
    assert_eq!(wire.hears(&theirs(&wire, "ACK", 1, "")), [""; 0]);
    assert_eq!(wire.waits(seconds(1)), [""; 0]);
    // The target is refreshed.
    wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
    assert_eq!(wire.last().uri(), "sip:bob@192.0.2.9:5099");
}

#[test]
fn a_reinvite_without_an_offer_gets_one() {
    let (mut wire, dialog) = made("");
    wire.hears(&theirs(&wire, "INVITE", 1, ""));
    assert_eq!(wire.events[1..], [Event::OfferWanted { dialog }]);
    wire.does(|ua, now, _| ua.answer(now, dialog, b"mine".to_vec()));
    // Until its answer comes another offer must wait (RFC 3264 §4).
    assert_eq!(wire.hears(&theirs(&wire, "INVITE", 2, SDP)), ["491 INVITE"]);
    wire.hears(&theirs(&wire, "ACK", 1, SDP));
    assert_eq!(
        wire.events[2..],
        [Event::OfferAnswered {
            dialog,
            sdp: b"answer".to_vec()
        }]
    );
}

#[test]
fn requests_that_overlap_are_told_to_come_again() {
    let (mut wire, dialog) = made("");
    wire.hears(&theirs(&wire, "INVITE", 1, SDP));
    assert_eq!(wire.hears(&theirs(&wire, "INVITE", 2, SDP)), ["500 INVITE"]);
    let retry: u32 = wire.last().header(Name::RetryAfter).parse().unwrap();
    assert!(retry <= 10);
    assert_eq!(wire.hears(&theirs(&wire, "UPDATE", 3, SDP)), ["500 UPDATE"]);
    assert_eq!(wire.hears(&theirs(&wire, "UPDATE", 4, "")), ["200 UPDATE"]);
    // Our own offer waits for the end of theirs.
    assert_eq!(
        wire.does(|ua, now, _| ua.offer(now, dialog, b"hold".to_vec())),
        [""; 0]
    );
    let names = wire.does(|ua, now, _| ua.refuse(now, dialog, 488));
    assert_eq!(names, ["488 INVITE", "INVITE"]);
    assert_eq!(wire.hears(&theirs(&wire, "UPDATE", 5, SDP)), ["491 UPDATE"]);
}

#[test]
fn an_update_carries_an_offer_and_its_answer() {
    let (mut wire, dialog) = made("");
    wire.hears(&theirs(&wire, "UPDATE", 1, SDP));
    assert_eq!(
        wire.does(|ua, now, _| ua.answer(now, dialog, b"mine".to_vec())),
        ["200 UPDATE"]
    );
    assert_eq!(wire.last().message().body(), b"mine");
    assert_eq!(wire.waits(seconds(10)), [""; 0]);
}

#[test]
fn a_cancelled_reinvite_leaves_the_call() {
    let (mut wire, dialog) = made("");
    let reinvite = theirs(&wire, "INVITE", 1, SDP);
    wire.hears(&reinvite);
    let cancel = theirs(&wire, "INVITE", 1, "")
        .replace("INVITE", "CANCEL")
        .replace("bKCANCEL", "bKINVITE");
    assert_eq!(wire.hears(&cancel), ["200 CANCEL", "487 INVITE"]);
    assert_eq!(wire.events[2..], [Event::OfferWithdrawn { dialog }]);
    assert_eq!(
        wire.does(|ua, now, _| ua.answer(now, dialog, b"late".to_vec())),
        [""; 0]
    );
    assert_eq!(wire.ua.counts().dialogs, 1);
}

#[test]
fn an_offer_that_nobody_answers_is_refused_and_forgotten() {
    let (mut wire, dialog) = made("");
    wire.hears(&theirs(&wire, "UPDATE", 1, SDP));
    assert_eq!(wire.waits(seconds(23)), [""; 0]);
    assert_eq!(wire.waits(seconds(2)), ["500 UPDATE"]);
    assert!(!wire.last().header(Name::RetryAfter).is_empty());
    assert_eq!(wire.events[2..], [Event::OfferWithdrawn { dialog }]);
}

#[test]
fn an_offer_is_taken_back_as_long_as_it_waits() {
    let (mut wire, dialog) = made("");
    wire.does(|ua, now, _| ua.offer(now, dialog, b"one".to_vec()));
    assert_eq!(wire.ua.withdraw_offer(dialog), Withdrawal::TooLate);
    wire.does(|ua, now, _| ua.offer(now, dialog, b"two".to_vec()));
    assert_eq!(wire.ua.withdraw_offer(dialog), Withdrawal::Done);
    assert_eq!(wire.ua.withdraw_offer(dialog), Withdrawal::TooLate);
}

#[test]
fn a_bye_refuses_what_was_being_asked() {
    let (mut wire, _) = made("");
    wire.hears(&theirs(&wire, "INVITE", 1, SDP));
    assert_eq!(
        wire.hears(&theirs(&wire, "BYE", 2, "")),
        ["200 BYE", "487 INVITE"]
    );
    let (mut wire, dialog) = made("");
    wire.hears(&theirs(&wire, "INVITE", 1, SDP));
    let names = wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
    assert_eq!(names, ["487 INVITE", "BYE"]);
    assert_eq!(wire.hears(&theirs(&wire, "INFO", 2, "")), ["481 INFO"]);
    assert_eq!(wire.hears(&theirs(&wire, "BYE", 3, "")), ["200 BYE"]);
    wire.waits(seconds(70));
    assert_eq!(wire.ua.counts(), sip::Counts::default());
}
