//! Whether the audio of two parties that talk would go where each of them said, and which way.

use std::time::Duration;

use media::{Description, PathId};

use crate::Broken;
use crate::party::{Belief, Party, PartyId, Stage as Call};
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
    /// (RFC 3261 §14.1), even if it comes twice.
    pub(crate) fn offers_are_answered(&self) -> Result<(), Broken> {
        let longest = self.weather.slack() + GLARES;
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
        let settled: Vec<(PartyId, &Belief, PathId)> = self
            .parties
            .iter()
            .flat_map(|party| self.settled_calls(party))
            .collect();
        let mut heard = 0;
        for (party, belief, path) in &settled {
            let bridge = self.shell.path(*path).and_then(|path| path.bridge);
            let other = settled.iter().find(|(_, _, other)| Some(*other) == bridge);
            if let Some((_, other, other_path)) = other {
                heard += 1;
                let name = self.parties.get(party.0).map(|party| &*party.name);
                let with = |broken: String| {
                    Broken::new(format!("{} talks: {broken}", name.unwrap_or_default()))
                };
                hears(&self.shell, *path, belief).map_err(with)?;
                hears(&self.shell, *other_path, other).map_err(with)?;
                agree(belief, other).map_err(with)?;
            } else {
                self.must_be_bridged(belief, *path)?;
            }
        }
        self.audio.heard += heard;
        Ok(())
    }

    fn settled_calls<'a>(
        &'a self,
        party: &'a Party,
    ) -> impl Iterator<Item = (PartyId, &'a Belief, PathId)> {
        let slack = self.weather.slack();
        let calls = party.live_calls().filter_map(move |(_, belief)| {
            let is_settled = belief.is_talking()
                && belief.offering.is_none()
                && self.now - belief.agreed_at > slack;
            let path = belief.paths.last().copied()?;
            is_settled.then_some((party.id, belief, path))
        });
        calls.filter(|(id, ..)| self.story.was_steady(*id))
    }

    /// Who talks for so long talks with somebody.
    fn must_be_bridged(&self, belief: &Belief, path: PathId) -> Result<(), Broken> {
        let slack = self.weather.slack();
        let talks = matches!(belief.stage, Call::Talking { since } if self.now - since > slack);
        let found = self.shell.path(path);
        let is_alone =
            found.is_none_or(|path| path.bridge.is_none() && self.now - path.changed_at > slack);
        Broken::unless(!talks || !is_alone, || {
            format!("somebody talks with nobody: {belief:?} at {found:?}")
        })
    }
}

/// A glare, four seconds of waiting, and a little.
const GLARES: Duration = Duration::from_secs(6);

/// The media thread knows what the party said last.
fn hears(shell: &Shell, path: PathId, belief: &Belief) -> Result<(), String> {
    let remote = shell.path(path).and_then(|path| path.remote.as_ref());
    let (Some(remote), Some(ours)) = (remote, &belief.ours) else {
        return Err("its path leads nowhere".to_owned());
    };
    if remote.rtp == ours.remote().rtp && remote.direction == ours.direction() {
        return Ok(());
    }
    let (rtp, direction) = (ours.remote().rtp, ours.direction());
    Err(format!(
        "it listens at {rtp} {direction:?}, not at {remote:?}"
    ))
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
