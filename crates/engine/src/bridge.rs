//! The media between two legs: bridged on one thread, or over a tie line between two.

use clock::Time;
use media::{Carries, Codec, Command, Description, Local, Port, ThreadId, Way, own_offer, tie};
use pbx::LegId;

use crate::legs::Tie;
use crate::offers::REQUEST_PENDING;
use crate::{Effect, Engine};

impl Engine {
    /// Tells the media threads where both peers are and that they talk. `None`: there is no way
    /// between their threads now.
    pub(crate) fn connect(&mut self, one: LegId, other: LegId) -> Option<()> {
        let (a, b) = (self.speaker(one)?, self.speaker(other)?);
        self.untie(one);
        self.untie(other);
        self.point(one);
        self.point(other);
        if a.0.path.thread() == b.0.path.thread() {
            self.bridge(&a, &b);
        } else {
            let thread = b.0.path.thread();
            let (near, far) = self.tie_line(&a, thread, self.carries(one))?;
            self.bridge(&a, &near);
            self.bridge(&far, &b);
            let ends = [near.0.path, far.0.path];
            if let Some(leg) = self.legs.leg_mut(one) {
                leg.media.tie = Some(Tie { ends });
            }
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

    /// A port beside `a` and one on another thread, and what is spoken between them: what `a` speaks
    /// first.
    pub(crate) fn tie_line(
        &mut self,
        a: &(Port, Description),
        thread: ThreadId,
        carries: Carries,
    ) -> Option<((Port, Description), (Port, Description))> {
        let mut voices = a.1.formats().iter().map(|format| format.codec);
        let codec = voices.find(|codec| codec.is_voice())?;
        let near = self.ports.take_beside(a.0)?;
        let Some(far) = self.ports.take_on(thread) else {
            self.ports.add(vec![near]);
            return None;
        };
        let address = self.settings.media_address;
        let at = |port: Port| (port, (address, port.rtp_port).into());
        let claims = [near, far].map(|port| Command::Claim { path: port.path });
        let spoken = match carries {
            Carries::Audio => Some(codec),
            Carries::Fax => None,
        };
        let commands = claims.into_iter().chain(tie(at(near), at(far), spoken));
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
            .extend(ends.map(|path| Effect::Media(Command::Release { path })));
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
