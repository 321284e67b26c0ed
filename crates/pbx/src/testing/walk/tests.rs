//! Walks keep every law, and planted bugs are noticed.

use super::*;
use crate::event::Fact;
use crate::sound::Sound;

const SEEDS: u64 = 100;
const STEPS: u32 = 400;

#[test]
fn random_walks_keep_every_law() {
    let (mut rows, mut messages) = (0, 0);
    for seed in 0..SEEDS {
        let walked = walk(seed, STEPS, &mut |effects| effects).unwrap();
        rows += walked.rows;
        messages += walked.messages_moved;
    }
    assert!(rows > SEEDS, "walks that lead nowhere prove nothing");
    assert!(messages > 0, "nobody came to a message");
}

#[test]
fn the_same_seed_walks_the_same_way() {
    let mut effects = [Vec::new(), Vec::new()];
    for run in &mut effects {
        walk(7, STEPS, &mut |effects| {
            run.extend(effects.iter().cloned());
            effects
        })
        .unwrap();
    }
    let [first, second] = effects;
    assert_eq!(first, second);
}

/// Leaves one effect out, or says it twice, and expects some law to notice.
#[track_caller]
fn check_bites(name: &str, spoil: fn(&Effect) -> usize) {
    let caught = (0..50).any(|seed| {
        walk(seed, STEPS, &mut |effects| {
            let repeat = |effect: Effect| std::iter::repeat_n(effect.clone(), spoil(&effect));
            effects.into_iter().flat_map(repeat).collect()
        })
        .is_err()
    });
    assert!(caught, "no law notices: {name}");
}

fn fact(effect: &Effect) -> Option<&Fact> {
    if let Effect::Emit(event) = effect {
        Some(&event.fact)
    } else {
        None
    }
}

#[test]
fn planted_bugs_are_caught() {
    check_bites("an attempt's end is forgotten", |effect| {
        usize::from(!matches!(fact(effect), Some(Fact::UserEnded { .. })))
    });
    check_bites("an attempt ends twice", |effect| {
        1 + usize::from(matches!(fact(effect), Some(Fact::UserEnded { .. })))
    });
    check_bites("a user answers twice", |effect| {
        1 + usize::from(matches!(fact(effect), Some(Fact::UserAnswered { .. })))
    });
    check_bites("a call's end is forgotten", |effect| {
        usize::from(!matches!(fact(effect), Some(Fact::Ended { .. })))
    });
    check_bites("a user's own call is never closed", |effect| {
        usize::from(!matches!(fact(effect), Some(Fact::OutboundEnded { .. })))
    });
    check_bites("legs are left ringing", |effect| {
        usize::from(!matches!(effect, Effect::HangUp { .. }))
    });
    check_bites("the caller is connected twice", |effect| {
        1 + usize::from(matches!(effect, Effect::Connect { .. }))
    });
    check_bites("the caller is picked up twice", |effect| {
        1 + usize::from(matches!(effect, Effect::PickUp { .. }))
    });
    check_bites("a play goes on under the conversation", |effect| {
        usize::from(!matches!(effect, Effect::StopPlaying { .. }))
    });
    check_bites("a play begins twice", |effect| {
        1 + usize::from(matches!(effect, Effect::Play { .. }))
    });
    check_bites("sounds are played to who was not picked up", |effect| {
        usize::from(!matches!(effect, Effect::PickUp { .. }))
    });
    check_bites("a recording begins untold", |effect| {
        usize::from(!matches!(fact(effect), Some(Fact::RecordingStarted { .. })))
    });
    check_bites("a recording is told twice", |effect| {
        1 + usize::from(matches!(fact(effect), Some(Fact::RecordingStarted { .. })))
    });
    check_bites("somebody in a room is not mixed", |effect| {
        usize::from(!matches!(effect, Effect::JoinRoom { .. }))
    });
    check_bites("somebody is mixed for ever", |effect| {
        usize::from(!matches!(effect, Effect::LeaveRoom { .. }))
    });
    check_bites("a parked call hears nothing", |effect| {
        let music = matches!(effect, Effect::Play { sounds, .. } if *sounds == [Sound::Music]);
        usize::from(!music)
    });
    check_bites("a leg is dialled twice", |effect| {
        1 + usize::from(matches!(effect, Effect::Dial { .. }))
    });
    check_bites("a lamp does not go out", |effect| {
        let goes_out = matches!(effect, Effect::Watched { lines, .. } if lines.is_empty());
        usize::from(!goes_out)
    });
}
