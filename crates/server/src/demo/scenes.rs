//! The calls of the demo, and what must come of them.

use std::time::Duration;

use super::ladder::Who::{self, Ann, Carrier, Desk, Mobile};
use super::phone::{Ending, News, Order};
use super::stage::Stage;
use super::{REGISTRATION_SECONDS, title};

/// Type and user of the webhooks of each call, in order (contract §2.1).
pub(super) const WEBHOOKS: [&[(&str, &str)]; 4] = [
    &[
        ("user_inbound", "1010"),
        ("user_inbound_answered", "1010"),
        ("user_inbound_completed", "1010"),
    ],
    &[
        ("user_outbound", "1020"),
        ("user_inbound", "1010"),
        ("user_inbound_completed", "1010"),
        ("user_outbound_completed", "1020"),
    ],
    &[
        ("user_outbound", "1010"),
        ("user_outbound_answered", "1010"),
        ("user_outbound_completed", "1010"),
    ],
    &[
        ("user_inbound", "1020"),
        ("user_inbound_completed", "1020"),
        ("user_inbound", "1010"),
        ("user_inbound_answered", "1010"),
        ("user_inbound_completed", "1010"),
        ("queue_call", "1010"),
        ("recording_inbound", ""),
        ("voicemail", ""),
    ],
];

/// Type and user of the API's rows, sorted.
pub(super) const ROWS: [(&str, &str); 6] = [
    ("user_inbound_answered", "1010"),
    ("user_inbound_answered", "1010"),
    ("user_inbound_missed", "1010"),
    ("user_inbound_missed", "1020"),
    ("user_outbound_answered", "1010"),
    ("user_outbound_unanswered", "1020"),
];

/// Plays everything and shows each ladder. What goes wrong is noted, and the next scene played.
pub(super) fn play_all(stage: &mut Stage) -> anyhow::Result<()> {
    let scenes: [(&str, Scene); 5] = [
        ("The phones register", register),
        (
            "Call 1: the carrier calls +61298765432; John's phones ring, the desk answers",
            carrier_calls,
        ),
        (
            "Call 2: Ann calls 1010; the desk is busy, the mobile rings on, Ann gives up",
            ann_gives_up,
        ),
        (
            "Call 3: John's desk calls 0491 570 157 through the carrier",
            john_calls_out,
        ),
        (
            "Call 4: the carrier calls +61298765433: opening hours, a menu, a recorded queue, John, \
             then Ann's mailbox",
            through_the_flow,
        ),
    ];
    for (name, scene) in scenes {
        title(name)?;
        let outcome = scene(stage);
        stage.curtain(outcome)?;
    }
    Ok(())
}

type Scene = fn(&mut Stage) -> anyhow::Result<String>;

fn register(stage: &mut Stage) -> anyhow::Result<String> {
    for who in [Desk, Mobile, Ann] {
        stage.order(
            who,
            Order::Register {
                seconds: REGISTRATION_SECONDS,
            },
        );
        stage.wait(who, &News::Registered(200))?;
    }
    Ok("Three phones are registered; each proved its password to a digest challenge.".to_owned())
}

fn carrier_calls(stage: &mut Stage) -> anyhow::Result<String> {
    stage.order(Carrier, Order::Call("61298765432".to_owned()));
    both_ring(stage)?;
    std::thread::sleep(RING);
    stage.order(Desk, Order::Answer);
    stage.wait(Desk, &News::Talks)?;
    stage.wait(Carrier, &News::Talks)?;
    stage.wait_over(Mobile, Ending::Cancelled)?;
    std::thread::sleep(TALK);
    stage.order(Carrier, Order::HangUp);
    talked(stage, (Carrier, Ending::HungUp), (Desk, Ending::TheyHungUp))
}

fn ann_gives_up(stage: &mut Stage) -> anyhow::Result<String> {
    stage.order(Ann, Order::Call("1010".to_owned()));
    both_ring(stage)?;
    std::thread::sleep(RING);
    stage.order(Desk, Order::Reject(486));
    stage.wait_over(Desk, Ending::HungUp)?;
    stage.wait(Ann, &News::RingsThere)?;
    std::thread::sleep(RING);
    stage.order(Ann, Order::HangUp);
    stage.wait_over(Mobile, Ending::Cancelled)?;
    stage.wait_over(Ann, Ending::HungUp)?;
    Ok("Nobody talked: a missed call for John, an unanswered one for Ann.".to_owned())
}

fn john_calls_out(stage: &mut Stage) -> anyhow::Result<String> {
    stage.order(Desk, Order::Call("0491570157".to_owned()));
    // The trunk wants E.164 without `+`.
    stage.wait(Carrier, &News::Rings("61491570157".to_owned()))?;
    stage.wait(Desk, &News::RingsThere)?;
    std::thread::sleep(RING);
    stage.order(Carrier, Order::Answer);
    stage.wait(Carrier, &News::Talks)?;
    stage.wait(Desk, &News::Talks)?;
    std::thread::sleep(TALK);
    stage.order(Carrier, Order::HangUp);
    talked(stage, (Desk, Ending::TheyHungUp), (Carrier, Ending::HungUp))
}

/// Everything between the caller and the people: who is called is decided by the flow.
fn through_the_flow(stage: &mut Stage) -> anyhow::Result<String> {
    stage.order(Carrier, Order::Call("61298765433".to_owned()));
    stage.wait(Carrier, &News::Talks)?;
    std::thread::sleep(LISTEN);
    stage.order(Carrier, Order::Press('1'));
    // The queue tries one agent after the other.
    stage.wait_ringing(Ann)?;
    stage.order(Ann, Order::Reject(486));
    stage.wait_over(Ann, Ending::HungUp)?;
    both_ring(stage)?;
    std::thread::sleep(RING);
    stage.order(Desk, Order::Answer);
    stage.wait(Desk, &News::Talks)?;
    stage.wait_over(Mobile, Ending::Cancelled)?;
    std::thread::sleep(TALK);
    stage.order(Desk, Order::Transfer("61298765434".to_owned()));
    let heard = stage.wait_over(Desk, Ending::TheyHungUp)?;
    std::thread::sleep(LISTEN);
    // The greeting is known; the tone comes at once.
    stage.order(Carrier, Order::Press('#'));
    std::thread::sleep(MESSAGE);
    stage.order(Carrier, Order::HangUp);
    stage.wait_over(Carrier, Ending::HungUp)?;
    anyhow::ensure!(
        heard >= MIN_PACKETS,
        "John heard {heard} packets, should hear at least {MIN_PACKETS}"
    );
    Ok(
        "The caller pressed 1, waited in line, talked with John, was put through and left a message."
            .to_owned(),
    )
}

fn both_ring(stage: &mut Stage) -> anyhow::Result<()> {
    for who in [Desk, Mobile] {
        stage.wait_ringing(who)?;
    }
    Ok(())
}

fn talked(stage: &mut Stage, one: (Who, Ending), other: (Who, Ending)) -> anyhow::Result<String> {
    let first = stage.wait_over(one.0, one.1)?;
    let second = stage.wait_over(other.0, other.1)?;
    let remark = format!(
        "They talked through the media relay: {} heard {first} RTP packets of 20 ms, {} heard {second}.",
        one.0, other.0
    );
    anyhow::ensure!(
        first.min(second) >= MIN_PACKETS,
        "{remark} Each should hear at least {MIN_PACKETS}."
    );
    Ok(remark)
}

/// How long phones ring.
const RING: Duration = Duration::from_millis(400);
/// How long a caller listens before a key is pressed.
const LISTEN: Duration = Duration::from_secs(1);
/// How long a message is, with the tone before it.
const MESSAGE: Duration = Duration::from_secs(4);
/// How long people talk.
const TALK: Duration = Duration::from_secs(1);
/// What each side must hear of the 50 packets that [`TALK`] holds; a busy machine may be late.
const MIN_PACKETS: u32 = 40;
