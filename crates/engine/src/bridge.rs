//! The media between two legs: bridged on one thread, or over a tie line between two.

use clock::Time;
use media::{Carries, Codec, Command, Description, Local, Port, ThreadId, Way, own_offer};
use pbx::LegId;

use crate::legs::Tie;
use crate::offers::REQUEST_PENDING;
use crate::{Effect, Engine};

impl Engine {
    /// Tells the media threads where both peers are and that they talk. `None`: there is no way
    /// between their threads now.
    pub(crate) fn connect(&mut self, one: LegId, other: LegId) -> Option<()> {
        let (a, b) = (self.speaker(one)?, self.speaker(other)?);
        let kept = self.tie_between(one, other);
        self.untie(one);
        self.untie(other);
        self.point(one);
        self.point(other);
        if a.0.path.thread() == b.0.path.thread() {
            self.release_tie(kept);
            self.bridge(&a, &b);
        } else {
            let tie = kept.or_else(|| self.new_tie(a.0, b.0.path.thread()))?;
            if let Some(leg) = self.legs.leg_mut(one) {
                leg.media.tie = Some(tie);
            }
            let (near, far) = self.tie_line(&a, tie, self.carries(one))?;
            self.bridge(&a, &near);
            self.bridge(&far, &b);
        }
        for (leg, peer) in [(one, other), (other, one)] {
            if let Some(leg) = self.legs.leg_mut(leg) {
                leg.other = Some(peer);
            }
        }
        self.hold_music(one);
        Some(())
    }

    pub(crate) fn bridge(&mut self, a: &(Port, Description), b: &(Port, Description)) {
        let bridge = Command::Bridge {
            a: a.0.path,
            b: b.0.path,
            a_to_b: Way::between(&a.1, &b.1),
            b_to_a: Way::between(&b.1, &a.1),
        };
        self.effects.push(Effect::Media(bridge));
    }

    fn carries(&self, leg: LegId) -> Carries {
        let fax = self.legs.leg(leg).and_then(|leg| leg.media.fax.as_ref());
        fax.map_or(Carries::Audio, |_| Carries::Fax)
    }

    /// Takes out the tie line between two who talk already, seen from `one`: what they agree on anew
    /// needs no other ports, of which there may be none.
    fn tie_between(&mut self, one: LegId, other: LegId) -> Option<Tie> {
        let talk = self.legs.leg(one)?.other == Some(other);
        let mut tie_of = |leg| self.legs.leg_mut(leg).filter(|_| talk)?.media.tie.take();
        let near_first = tie_of(one);
        near_first.or_else(|| {
            let Tie { ends: [far, near] } = tie_of(other)?;
            Some(Tie { ends: [near, far] })
        })
    }

    /// A port beside `a` and one on another thread.
    pub(crate) fn new_tie(&mut self, a: Port, thread: ThreadId) -> Option<Tie> {
        let near = self.ports.take_beside(a)?;
        let Some(far) = self.ports.take_on(thread) else {
            self.ports.add(vec![near]);
            return None;
        };
        let ends = [near, far];
        let claims = ends.map(|port| Command::Claim { path: port.path });
        self.effects.extend(claims.map(Effect::Media));
        Some(Tie { ends })
    }

    /// What is spoken over a tie line, seen from its ends: what `a` speaks first.
    pub(crate) fn tie_line(
        &mut self,
        a: &(Port, Description),
        tie: Tie,
        carries: Carries,
    ) -> Option<((Port, Description), (Port, Description))> {
        let Tie { ends: [near, far] } = tie;
        let mut voices = a.1.formats().iter().map(|format| format.codec);
        let codec = voices.find(|codec| codec.is_voice())?;
        let address = self.settings.media_address;
        let at = |port: Port| (port, (address, port.rtp_port).into());
        let spoken = match carries {
            Carries::Audio => Some(codec),
            Carries::Fax => None,
        };
        let commands = media::tie(at(near), at(far), spoken);
        self.effects.extend(commands.map(Effect::Media));
        let end = |port: Port| {
            let local = Local {
                address,
                rtp_port: port.rtp_port,
                session: 0,
                version: 0,
            };
            let described = own_offer(&[codec, Codec::TelephoneEvent], local);
            let described = Description::parse(&described).ok()?;
            Some((port, described))
        };
        Some((end(near)?, end(far)?))
    }

    /// The tie line that a leg talks over is free again.
    pub(crate) fn untie(&mut self, leg: LegId) {
        let other = self.legs.leg(leg).and_then(|leg| leg.other);
        for leg in [Some(leg), other].into_iter().flatten() {
            let tie = self.legs.leg_mut(leg).and_then(|leg| leg.media.tie.take());
            self.release_tie(tie);
        }
    }

    pub(crate) fn release_tie(&mut self, tie: Option<Tie>) {
        let ends = tie.into_iter().flat_map(|tie| tie.ends);
        self.effects
            .extend(ends.map(|Port { path, .. }| Effect::Media(Command::Release { path })));
    }

    /// Two who talk do so no more; both are still there, and each may be offered another's media.
    pub(crate) fn part(&mut self, now: Time, leg: LegId) {
        self.untie(leg);
        let other = self.legs.leg_mut(leg).and_then(|leg| leg.other.take());
        for leg in [Some(leg), other].into_iter().flatten() {
            self.music_over(leg);
        }
        if let Some(path) = self.path_of(leg) {
            self.effects.push(Effect::Media(Command::Unbridge { path }));
        }
        for leg in [Some(leg), other].into_iter().flatten() {
            // Nobody is there any more to answer what was passed on.
            let asked = self.take_asked(leg);
            self.refuse_asker(now, asked, REQUEST_PENDING);
        }
        if let Some(other) = other.and_then(|other| self.legs.leg_mut(other)) {
            other.other = None;
        }
    }

    pub(crate) fn speaker(&self, leg: LegId) -> Option<(Port, Description)> {
        let media = &self.legs.leg(leg)?.media;
        Some((media.port?, media.theirs.clone()?))
    }
}
