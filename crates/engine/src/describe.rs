//! What we say of a leg's media: ports from the stock, descriptions with their versions.

use media::{Command, Local, answer_from};
use pbx::LegId;

use crate::{Effect, Engine};

impl Engine {
    /// Whether what the peer answered is an answer to what the caller offered, or we did.
    pub(crate) fn can_be_understood(&self, answered: LegId) -> bool {
        let local = Local {
            address: self.settings.media_address,
            rtp_port: 0,
            session: 0,
            version: 0,
        };
        let Some(leg) = self.legs.leg(answered) else {
            return false;
        };
        let offer = match leg.other {
            Some(caller) => self
                .legs
                .leg(caller)
                .and_then(|caller| caller.media.theirs.clone()),
            None => leg.told(),
        };
        match (&leg.media.theirs, offer) {
            (Some(answer), Some(offer)) => answer_from(answer, &offer, local).is_ok(),
            (Some(_), None) | (None, _) => false,
        }
    }

    /// Writes our description of a leg's media with `write`, keeping the version when nothing
    /// changed (RFC 3264 §8). `None` when the leg has no path or the two sides share no codec.
    pub(crate) fn describe(
        &mut self,
        leg: LegId,
        write: impl Fn(Local) -> Result<Vec<u8>, media::Incompatible>,
    ) -> Option<Vec<u8>> {
        let address = self.settings.media_address;
        let media = &mut self.legs.leg_mut(leg)?.media;
        let rtp_port = media.port?.rtp_port;
        let local = |version| Local {
            address,
            rtp_port,
            session: leg.0,
            version,
        };
        let same_version = write(local(media.version)).ok()?;
        if media.ours.as_ref() == Some(&same_version) {
            return Some(same_version);
        }
        media.version += 1;
        let description = write(local(media.version)).ok()?;
        media.ours = Some(description.clone());
        Some(description)
    }

    /// The leg's media path, taken from stock when it has none yet.
    pub(crate) fn port_of(&mut self, leg: LegId) -> Option<media::Port> {
        if let Some(port) = self.legs.leg(leg)?.media.port {
            return Some(port);
        }
        let port = self.ports.take()?;
        self.effects
            .push(Effect::Media(Command::Claim { path: port.path }));
        self.legs.set_port(leg, port);
        Some(port)
    }
}
