//! Whether the audio of two parties that talk would go where each of them said, and which way.

use std::time::Duration;

use media::{Description, Latch, PathId};

use crate::Broken;
use crate::party::{Belief, Party, Stage as Call};
use crate::shell::Shell;
use crate::world::World;

/// What was listened to.
#[derive(Default)]
pub(crate) struct Audio {
    /// Pairs that were found to hear each other.
    pub(crate) heard: u64,
}

impl World {
    /// Nobody waits long for the answer to an offer: a glare is over after a few seconds
    /// (RFC 3261 §14.1), unless every round trip takes long.
    pub(crate) fn offers_are_answered(&self) -> Result<(), Broken> {
        let delay = Duration::from_millis(self.weather.delay_ms.1.into());
        let longest = self.weather.slack() + GLARES + 12 * delay;
        // The answer comes from the other side, which may be gone.
        if !self.story.were_all_steady() {
            return Ok(());
        }
        for party in &self.parties {
            let mut talking = party.live_calls().filter(|(_, belief)| belief.is_talking());
            let waiting = talking.find(|(_, belief)| {
                belief.offering.is_some() && self.now - belief.agreed_at > longest
            });
            Broken::unless(waiting.is_none(), || {
                format!(
                    "{} waits for the answer to an offer: {waiting:?}",
                    party.name
                )
            })?;
        }
        Ok(())
    }

    /// Listens to everybody who talks and has agreed on nothing new for a while.
    pub(crate) fn listen(&mut self) -> Result<(), Broken> {
        let settled: Vec<Talker<'_>> = self
            .parties
            .iter()
            .flat_map(|party| self.settled_calls(party))
            .collect();
        let mut heard = 0;
        for talker in &settled {
            let bridge = self.shell.path(talker.path).and_then(|path| path.bridge);
            let Some(other) = settled.iter().find(|other| Some(other.path) == bridge) else {
                self.must_be_bridged(talker)?;
                continue;
            };
            let have_met = [talker, other].map(|one| self.has_met_for_long(one));
            if have_met.contains(&false) {
                continue;
            }
            heard += 1;
            hears(&self.shell, talker)
                .and_then(|()| agree(talker.belief, other.belief))
                .map_err(|broken| Broken::new(format!("{} talks: {broken}", talker.party.name)))?;
        }
        self.audio.heard += heard;
        Ok(())
    }

    fn settled_calls<'a>(&'a self, party: &'a Party) -> impl Iterator<Item = Talker<'a>> {
        let slack = self.weather.slack();
        let is_steady = self.story.was_steady(party.id);
        let calls = party.live_calls().filter(move |_| is_steady);
        calls.filter_map(move |(_, belief)| {
            let is_settled = belief.is_talking()
                && belief.offering.is_none()
                && self.now - belief.agreed_at > slack;
            let path = belief.paths.last().copied()?;
            is_settled.then_some(Talker {
                party,
                belief,
                path,
            })
        })
    }

    /// Two who have been brought together after they had answered need offers until they know it.
    fn has_met_for_long(&self, talker: &Talker<'_>) -> bool {
        let path = self.shell.path(talker.path);
        path.is_none_or(|path| {
            let others = path.bridges.iter().map(|(_, other)| Some(*other));
            let meets_again = others.into_iter().any(|other| other != path.bridge);
            !meets_again || self.now - path.changed_at > self.weather.slack() + GLARES
        })
    }

    /// Who talks for so long talks with somebody, or with us.
    fn must_be_bridged(&self, talker: &Talker<'_>) -> Result<(), Broken> {
        let slack = self.weather.slack();
        let stage = talker.belief.stage;
        let talks = matches!(stage, Call::Talking { since } if self.now - since > slack);
        let found = self.shell.path(talker.path);
        let is_alone =
            found.is_none_or(|path| path.is_alone() && self.now - path.changed_at > slack);
        // Whoever picked up a program's call waits for the number to answer.
        let waits = self.summoned.contains(&talker.path)
            && found.is_some_and(|path| path.bridges.is_empty());
        // Whoever has handed a call on holds on until somebody takes it.
        let waits = waits || talker.belief.hands_on;
        Broken::unless(!talks || !is_alone || waits, || {
            let Talker { party, belief, .. } = talker;
            format!("{} talks with nobody: {belief:?} at {found:?}", party.name)
        })
    }
}

/// Somebody who talks, and the node's path to it.
struct Talker<'a> {
    party: &'a Party,
    belief: &'a Belief,
    path: PathId,
}

/// A glare, four seconds of waiting, and a little.
const GLARES: Duration = Duration::from_secs(6);

/// The media thread knows what the party said last, whose packets to believe, and that a silence
/// is to be told.
fn hears(shell: &Shell, talker: &Talker<'_>) -> Result<(), String> {
    let path = shell.path(talker.path);
    let remote = path.and_then(|path| path.remote.as_ref());
    let (Some(remote), Some(ours)) = (remote, &talker.belief.ours) else {
        return Err("its path leads nowhere".to_owned());
    };
    let (rtp, direction) = (ours.remote().rtp, ours.direction());
    let latch = if talker.party.is_carrier() {
        Latch::Exact
    } else {
        Latch::Restricted {
            signalling: talker.party.place.outside.ip(),
        }
    };
    if (remote.rtp, remote.direction, remote.latch) != (rtp, direction, latch) {
        return Err(format!(
            "at {rtp} {direction:?} {latch:?}, not at {remote:?}"
        ));
    }
    match path.and_then(|path| path.watch) {
        Some(_) => Ok(()),
        None => Err("nobody would notice its silence".to_owned()),
    }
}

/// Each was told what the other one said.
fn agree(one: &Belief, other: &Belief) -> Result<(), String> {
    let direction =
        |description: &Option<Description>| description.as_ref().map(Description::direction);
    let pairs = [
        (direction(&one.told), direction(&other.ours)),
        (direction(&other.told), direction(&one.ours)),
    ];
    match pairs.iter().find(|(told, said)| told != said) {
        None => Ok(()),
        Some((told, said)) => Err(format!("one says {said:?}, the other is told {told:?}")),
    }
}
