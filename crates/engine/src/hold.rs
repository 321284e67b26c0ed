//! Music for whoever is put on hold: who waits hears ours instead of what a phone that does not listen
//! happens to send.

use media::{Command, PlayId};
use pbx::{LegId, Sound, Times};

use crate::legs::{Hears, Leg, State};
use crate::{Effect, Engine, Play};

impl Engine {
    /// What two who talk say of their media has changed: each hears music for as long as the other
    /// one does not listen, unless it does not listen itself.
    pub(crate) fn hold_music(&mut self, one: LegId) {
        let other = self.legs.leg(one).and_then(|leg| leg.other);
        for leg in [Some(one), other].into_iter().flatten() {
            let hears = self.should_hear(leg);
            self.let_hear(leg, hears);
        }
    }

    /// Whoever talks with nobody any more hears no music.
    pub(crate) fn music_over(&mut self, leg: LegId) {
        self.let_hear(leg, Hears::Peer);
    }

    fn let_hear(&mut self, leg: LegId, hears: Hears) {
        let Some(path) = self.path_of(leg) else {
            return;
        };
        let Some(found) = self.legs.leg_mut(leg) else {
            return;
        };
        if std::mem::replace(&mut found.media.hears, hears) == hears {
            return;
        }
        let account = found.account;
        self.effects.push(match hears {
            Hears::Peer => Effect::Media(Command::Stop { path }),
            Hears::Music => Effect::Play(Play {
                account,
                path,
                play: HOLD,
                sounds: vec![Sound::Music],
                times: Times::Forever,
            }),
        });
    }

    fn should_hear(&self, id: LegId) -> Hears {
        let held = self.legs.leg(id).is_some_and(|leg| {
            let other = leg.other.and_then(|other| self.legs.leg(other));
            other.is_some_and(|other| {
                let talk = is_talking(leg) && is_talking(other) && other.other == Some(id);
                talk && !other.media.wish.receives() && listens(leg)
            })
        });
        if held { Hears::Music } else { Hears::Peer }
    }
}

fn is_talking(leg: &Leg) -> bool {
    matches!(leg.state, State::Talking { .. })
}

fn listens(leg: &Leg) -> bool {
    let theirs = leg.media.theirs.as_ref();
    leg.media.wish.receives() && theirs.is_some_and(|theirs| theirs.direction().receives())
}

/// A call numbers its plays from the other end, and never plays to who talks.
const HOLD: PlayId = PlayId(u32::MAX);
