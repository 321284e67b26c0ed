//! Conference rooms: who is mixed where.

use std::collections::BTreeSet;

use media::Speech;

use super::*;

const CALLS: [&str; 4] = ["one", "two", "three", "four"];

/// Four callers in a room, whose media are on two threads.
fn meeting() -> World {
    let mut world = World::with_flow(&serde_json::json!([
        {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
         "exits": {"next": "room"}},
        {"id": "room", "kind": "conference", "settings": {"room": "weekly"}}
    ]));
    let ports = (0..8).map(|slot| Port {
        path: PathId::new(ThreadId(1), slot, 0),
        rtp_port: 21_000 + 2 * u16::try_from(slot).unwrap(),
    });
    world.tell(Input::Media(MediaEvent::Ports {
        ports: ports.collect(),
    }));
    for call in CALLS {
        world.tell(Input::Packet {
            source: source(carrier()),
            bytes: invite(call, &sdp("8")).as_bytes(),
        });
    }
    world
}

impl World {
    /// Every path that was told to join a room, and how.
    fn joins(&self) -> Vec<(PathId, media::RoomId, Speech)> {
        let joins = self.effects.iter().filter_map(|effect| match effect {
            Effect::Media(Command::Join { path, room, speech }) => Some((*path, *room, *speech)),
            _ => None,
        });
        joins.collect()
    }

    fn paths(&self, wanted: impl Fn(&Command) -> bool) -> BTreeSet<PathId> {
        let commands = self.effects.iter().filter_map(|effect| match effect {
            Effect::Media(command) if wanted(command) => Some(command.path()),
            _ => None,
        });
        commands.collect()
    }
}

#[test]
fn all_are_mixed_on_one_thread_and_those_of_another_come_in_over_tie_lines() {
    let world = meeting();
    let joins = world.joins();
    assert_eq!(joins.len(), CALLS.len());
    let rooms: BTreeSet<_> = joins.iter().map(|(_, room, _)| *room).collect();
    assert_eq!(rooms.len(), 1);
    let threads: BTreeSet<_> = joins.iter().map(|(path, _, _)| path.thread()).collect();
    assert_eq!(threads.len(), 1);
    let legs = world.engine.legs.of_account(ACCOUNT).into_iter();
    let legs: BTreeSet<_> = legs.filter_map(|leg| world.engine.path_of(leg)).collect();
    let own = joins.iter().filter(|(path, _, _)| legs.contains(path));
    assert_eq!(own.count(), 2, "two legs are there, two come in");
    let bridged = world.paths(|command| matches!(command, Command::Bridge { .. }));
    assert_eq!(bridged.len(), 2);
    assert!(bridged.iter().all(|path| !threads.contains(&path.thread())));
}

#[test]
fn nothing_is_left_of_a_room_when_all_are_gone() {
    let mut world = meeting();
    assert_eq!(world.engine.counts().rooms, 1);
    world.tell(Input::HangUpAll);
    let counts = world.engine.counts();
    assert_eq!((counts.calls, counts.legs, counts.rooms), (0, 0, 0));
    let claimed = world.paths(|command| matches!(command, Command::Claim { .. }));
    let released = world.paths(|command| matches!(command, Command::Release { .. }));
    assert_eq!(claimed, released);
    let joined: BTreeSet<_> = world.joins().iter().map(|(path, _, _)| *path).collect();
    let left = world.paths(|command| matches!(command, Command::Leave { .. }));
    assert_eq!(joined, left);
}

#[test]
fn who_cannot_be_brought_to_the_room_is_lost() {
    let mut world = meeting();
    let there = world.joins().first().unwrap().0.thread();
    // The room's thread has no port for the far end of a tie line.
    while world.engine.ports.take_on(there).is_some() {}
    let before = world.joins().len();
    world.tell(Input::Packet {
        source: source(carrier()),
        bytes: invite("five", &sdp("8")).as_bytes(),
    });
    assert_eq!(world.joins().len(), before);
    assert_eq!(world.engine.counts().legs, CALLS.len());
}

#[test]
fn what_a_phone_plays_to_whom_it_holds_is_not_heard_in_the_room() {
    let mut world = meeting();
    let leg = *world.engine.legs.of_account(ACCOUNT).first().unwrap();
    let hears = |world: &mut World, direction| {
        world.engine.legs.leg_mut(leg).unwrap().media.wish = direction;
        world.effects.clear();
        world.engine.seat_again(world.now, leg);
        world.effects = std::mem::take(&mut world.engine.effects);
        world.joins().last().unwrap().2
    };
    assert_eq!(hears(&mut world, media::Direction::SendOnly), Speech::Muted);
    assert_eq!(hears(&mut world, media::Direction::SendRecv), Speech::Heard);
}
