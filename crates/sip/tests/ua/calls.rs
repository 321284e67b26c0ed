//! Calls between user agents over a virtual network, with faults planted one at a time.

use std::time::Duration;

use crate::world::{Fate, World, cause_of, open};
use sip::{Answer, DialogId, EndCause, Event, Reason, Transport};

/// The dialog of the called agent: its first.
const CALLED: DialogId = DialogId(1);
/// Long enough for every transaction to be forgotten.
const LINGER: Duration = Duration::from_secs(70);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The called agent answers at once, and every offer too.
fn answering(world: &mut World, agent: usize, event: Event) {
    match event {
        Event::Request(incoming) => {
            if let Some(dialog) = open(world, agent, &incoming) {
                world.with(agent, |ua, now| ua.progress(now, dialog, 180, None));
                world.with(agent, |ua, now| ua.accept(now, dialog, b"answer".to_vec()));
            }
        }
        Event::Offered { dialog, .. } => {
            world.with(agent, |ua, now| {
                ua.answer(now, dialog, b"answer again".to_vec())
            });
        }
        _ => {}
    }
}

/// A call that is answered; the dialogs of both sides.
fn talking(world: &mut World) -> (DialogId, DialogId) {
    let caller = world.call(0, 1);
    world.run(seconds(1), answering);
    assert!(
        world
            .told(0, caller)
            .iter()
            .any(|event| matches!(event, Event::Accepted { .. }))
    );
    (caller, CALLED)
}

fn names(world: &World) -> Vec<String> {
    let names = world
        .ladder
        .iter()
        .map(|line| line.split_once(' ').unwrap().1);
    names.map(|name| name.replace("192.0.2.", "")).collect()
}

#[test]
fn a_call_is_answered_and_ended_by_the_caller() {
    let mut world = World::new(1, 2);
    let (caller, called) = talking(&mut world);
    let reason = Reason {
        protocol: "Q.850".to_owned(),
        cause: Some(16),
        text: Some("bye".to_owned()),
    };
    world.with(0, |ua, now| ua.hang_up(now, caller, Some(reason.clone())));
    world.run(LINGER, answering);
    assert_eq!(
        world.told(0, caller),
        [
            &Event::Provisional {
                dialog: caller,
                code: 180,
                sdp: None
            },
            &Event::Accepted {
                dialog: caller,
                sdp: Some(b"answer".to_vec())
            },
            &Event::Ended {
                dialog: caller,
                cause: EndCause::HungUp
            },
        ]
    );
    assert_eq!(
        world.told(1, called),
        [
            &Event::Established { dialog: called },
            &Event::Ended {
                dialog: called,
                cause: EndCause::Bye {
                    reason: Some(reason)
                }
            },
        ]
    );
    assert_eq!(
        names(&world),
        [
            "1>2 INVITE",
            "2>1 180 INVITE",
            "2>1 200 INVITE",
            "1>2 ACK",
            "1>2 BYE",
            "2>1 200 BYE"
        ]
    );
    world.assert_ended_once();
}

#[test]
fn the_called_side_hangs_up() {
    let mut world = World::new(2, 2);
    let (caller, called) = talking(&mut world);
    world.with(1, |ua, now| ua.hang_up(now, called, None));
    world.run(LINGER, answering);
    let told = world.told(0, caller);
    assert_eq!(cause_of(&told), Some(EndCause::Bye { reason: None }));
    world.assert_ended_once();
}

#[test]
fn both_hang_up_at_once() {
    let mut world = World::new(3, 2);
    let (caller, called) = talking(&mut world);
    world.with(0, |ua, now| ua.hang_up(now, caller, None));
    world.with(1, |ua, now| ua.hang_up(now, called, None));
    world.run(LINGER, answering);
    world.assert_ended_once();
    assert_eq!(
        names(&world)
            .iter()
            .filter(|name| name.ends_with("200 BYE"))
            .count(),
        2
    );
}

#[test]
fn a_refusal_is_told_with_its_words() {
    let mut world = World::new(4, 2);
    let caller = world.call(0, 1);
    world.run(LINGER, |world, agent, event| {
        if let Event::Request(incoming) = event {
            let dialog = open(world, agent, &incoming).unwrap();
            let answer = Answer::code(486)
                .reason("Busy Now")
                .header("Retry-After", "7");
            world.with(agent, |ua, now| ua.reject(now, dialog, answer));
        }
    });
    let reason = "Busy Now".to_owned();
    assert_eq!(
        world.told(0, caller),
        [&Event::Refused {
            dialog: caller,
            code: 486,
            reason,
            retry_after: Some(7)
        }]
    );
    world.assert_ended_once();
}

#[test]
fn trying_goes_out_when_the_owner_takes_its_time() {
    let mut world = World::new(5, 2);
    let caller = world.call(0, 1);
    world.run(seconds(1), |world, agent, event| {
        if let Event::Request(incoming) = event {
            open(world, agent, &incoming);
        }
    });
    assert_eq!(names(&world), ["1>2 INVITE", "2>1 100 INVITE"]);
    world.with(0, |ua, now| ua.hang_up(now, caller, None));
    world.wait(LINGER);
    world.assert_ended_once();
}

#[test]
fn a_caller_who_gives_up_cancels() {
    let mut world = World::new(6, 2);
    let caller = world.call(0, 1);
    let react = |world: &mut World, agent, event| {
        if let Event::Request(incoming) = event {
            let dialog = open(world, agent, &incoming).unwrap();
            world.with(agent, |ua, now| {
                ua.progress(now, dialog, 180, Some(b"early".to_vec()))
            });
        }
    };
    world.run(seconds(1), react);
    let reason = Reason {
        protocol: "SIP".to_owned(),
        cause: Some(200),
        text: None,
    };
    world.with(0, |ua, now| ua.hang_up(now, caller, Some(reason.clone())));
    world.run(LINGER, react);
    let called = CALLED;
    assert_eq!(
        world.told(1, called),
        [&Event::Cancelled {
            dialog: called,
            reason: Some(reason)
        }]
    );
    assert_eq!(
        names(&world)[4..],
        ["1>2 CANCEL", "2>1 200 CANCEL", "2>1 487 INVITE", "1>2 ACK"]
    );
    world.assert_ended_once();
}

#[test]
fn a_cancel_waits_for_the_first_answer() {
    let mut world = World::new(7, 2);
    let caller = world.call(0, 1);
    world.with(0, |ua, now| ua.hang_up(now, caller, None));
    assert_eq!(names(&world), ["1>2 INVITE"]);
    world.run(LINGER, |world, agent, event| {
        if let Event::Request(incoming) = event {
            open(world, agent, &incoming);
        }
    });
    assert_eq!(
        names(&world)[1..],
        [
            "2>1 100 INVITE",
            "1>2 CANCEL",
            "2>1 200 CANCEL",
            "2>1 487 INVITE",
            "1>2 ACK"
        ]
    );
    world.assert_ended_once();
}

#[test]
fn an_acceptance_that_crosses_the_cancel_is_ended() {
    let mut world = World::new(8, 2);
    let caller = world.call(0, 1);
    world.run(seconds(1), |world, agent, event| {
        if let Event::Request(incoming) = event {
            let dialog = open(world, agent, &incoming).unwrap();
            world.with(agent, |ua, now| ua.progress(now, dialog, 180, None));
        }
    });
    // Both act before either hears of the other.
    let called = CALLED;
    world.with(0, |ua, now| ua.hang_up(now, caller, None));
    world.with(1, |ua, now| ua.accept(now, called, b"answer".to_vec()));
    world.wait(LINGER);
    assert_eq!(
        names(&world)[2..],
        [
            "1>2 CANCEL",
            "2>1 200 INVITE",
            "2>1 200 CANCEL",
            "1>2 ACK",
            "1>2 BYE",
            "2>1 200 BYE"
        ]
    );
    assert_eq!(cause_of(&world.told(0, caller)), Some(EndCause::HungUp));
    assert_eq!(
        cause_of(&world.told(1, called)),
        Some(EndCause::Bye { reason: None })
    );
    world.assert_ended_once();
}

#[test]
fn nobody_there_is_408_after_32_seconds() {
    let mut world = World::new(9, 2);
    world.fault(|_, _| Fate::Lost);
    let caller = world.call(0, 1);
    world.wait(LINGER);
    let reason = "Request Timeout".to_owned();
    let expect = Event::Refused {
        dialog: caller,
        code: 408,
        reason,
        retry_after: None,
    };
    assert_eq!(world.told(0, caller), [&expect]);
    assert_eq!(world.ladder.len(), 7);
    world.assert_ended_once();
}

#[test]
fn an_unreachable_peer_is_503_at_once() {
    let mut world = World::new(10, 2);
    let caller = world.call(0, 1);
    let to = sip::Destination {
        transport: Transport::Udp,
        remote: world.agents[1].address,
        flow: Some(sip::FlowId(3)),
    };
    world.with(0, |ua, now| ua.send_failed(now, to));
    assert!(matches!(
        world.told(0, caller)[..],
        [Event::Refused { code: 503, .. }]
    ));
}

#[test]
fn a_lost_ack_is_sent_again_for_each_200() {
    let mut world = World::new(11, 2);
    world.lose("ACK", 2);
    let (caller, _) = talking(&mut world);
    world.run(seconds(5), answering);
    let count = |name: &str| names(&world).iter().filter(|line| *line == name).count();
    assert_eq!((count("2>1 200 INVITE"), count("1>2 ACK")), (3, 3));
    assert!(matches!(
        world.told(1, CALLED)[..],
        [Event::Established { .. }]
    ));
    world.with(0, |ua, now| ua.hang_up(now, caller, None));
    world.wait(LINGER);
    world.assert_ended_once();
}

#[test]
fn without_any_ack_the_called_side_ends_the_call() {
    let mut world = World::new(12, 2);
    world.lose("ACK", usize::MAX);
    let (_, called) = talking(&mut world);
    world.run(LINGER, answering);
    assert_eq!(cause_of(&world.told(1, called)), Some(EndCause::NoAck));
    world.assert_ended_once();
}

#[test]
fn a_lost_200_is_sent_again() {
    let mut world = World::new(13, 2);
    world.lose("200 INVITE", 3);
    let caller = world.call(0, 1);
    world.run(seconds(10), answering);
    let told = world.told(0, caller);
    assert_eq!(
        told.iter()
            .filter(|event| matches!(event, Event::Accepted { .. }))
            .count(),
        1
    );
    world.with(0, |ua, now| ua.hang_up(now, caller, None));
    world.wait(LINGER);
    world.assert_ended_once();
}

#[test]
fn a_hang_up_before_the_ack_waits_for_it() {
    let mut world = World::new(14, 2);
    world.lose("ACK", 1);
    let caller = world.call(0, 1);
    world.run(Duration::from_millis(100), answering);
    world.with(1, |ua, now| ua.hang_up(now, CALLED, None));
    assert!(!names(&world).iter().any(|name| name.ends_with("BYE")));
    world.run(LINGER, answering);
    assert_eq!(
        cause_of(&world.told(0, caller)),
        Some(EndCause::Bye { reason: None })
    );
    world.assert_ended_once();
}

#[test]
fn a_lost_bye_is_noticed_by_who_refreshes() {
    let mut world = World::new(15, 2);
    let (caller, called) = talking(&mut world);
    world.lose("BYE", usize::MAX);
    world.with(0, |ua, now| ua.hang_up(now, caller, None));
    world.run(seconds(60), answering);
    assert_eq!(world.agents[0].ua.counts(), sip::Counts::default());
    world.run(seconds(1_000), answering);
    assert_eq!(cause_of(&world.told(1, called)), Some(EndCause::DialogLost));
    world.assert_ended_once();
}

#[test]
fn a_lost_bye_of_who_refreshes_ends_the_call_when_the_session_expires() {
    let mut world = World::new(15, 2);
    let (caller, called) = talking(&mut world);
    world.lose("BYE", usize::MAX);
    world.with(1, |ua, now| ua.hang_up(now, called, None));
    world.run(seconds(1_900), answering);
    assert_eq!(
        cause_of(&world.told(0, caller)),
        Some(EndCause::SessionExpired)
    );
    world.assert_ended_once();
}

#[test]
fn calls_work_over_streams_and_leave_nothing() {
    let mut world = World::new(16, 2).over(Transport::Tcp);
    let (caller, _) = talking(&mut world);
    world.with(0, |ua, now| ua.hang_up(now, caller, None));
    world.run(LINGER, answering);
    world.assert_ended_once();
}
