//! Our own side of a call: callers who are picked up, what is played to them, the keys they press.

use clock::Time;
use media::{Command, Description, PathId, VOICES, own_answer};
use pbx::{CallId, HangupCause, LegId, PlayId};

use crate::legs::{Role, Session};
use crate::{Effect, Engine, Work};

impl Engine {
    /// Answers the caller on our own media. Who cannot be answered is lost.
    pub(crate) fn pick_up(&mut self, now: Time, call: CallId, leg: LegId) {
        let Some(dialog) = self.calling(leg) else {
            return;
        };
        if let Some(leg) = self.legs.leg_mut(leg) {
            leg.call = Some(call);
        }
        if self.port_of(leg).is_none() {
            return self.lost(now, leg, HangupCause::Congested);
        }
        let Some(sdp) = self.own_description(leg) else {
            return self.lost(now, leg, HangupCause::Incompatible);
        };
        self.legs.answered(leg, dialog);
        let outputs = self.ua.accept(now, dialog, sdp);
        self.carry_out(outputs);
        self.point(leg);
        self.watch(leg);
    }

    /// What we answer the caller's offer with. What it was told with early media stands: the
    /// answer is given once (RFC 3261 §13.2.1).
    fn own_description(&mut self, leg: LegId) -> Option<Vec<u8>> {
        let media = &self.legs.leg(leg)?.media;
        if let Some(ours) = &media.ours {
            return Some(ours.clone());
        }
        let offer = media.theirs.clone()?;
        self.answer_alone(leg, &offer)
    }

    /// Answers an offer of a leg that talks with nobody. What the answer leaves out is forgotten:
    /// whoever the leg is connected with later has to make do with the rest.
    pub(crate) fn answer_alone(&mut self, leg: LegId, offer: &Description) -> Option<Vec<u8>> {
        let sdp = self.describe(leg, |local| own_answer(&VOICES, offer, local))?;
        let ours = Description::parse(&sdp).ok()?;
        let media = &mut self.legs.leg_mut(leg)?.media;
        media.describes(Session::Audio(offer.narrowed_to(&ours)));
        media.wish = offer.direction();
        self.point(leg);
        Some(sdp)
    }

    /// A called leg that answered and is connected with nobody yet has to be told to its media
    /// path before it can hear anything. A caller was when it was picked up.
    pub(crate) fn hear_us(&mut self, leg: LegId) {
        let role = self.legs.leg(leg).map(|leg| &leg.role);
        if !matches!(role, Some(Role::Caller) | None) {
            self.point(leg);
            self.watch(leg);
        }
    }

    /// Ends what is played to a leg.
    pub(crate) fn stop_playing(&mut self, leg: LegId) {
        if let Some(path) = self.path_of(leg) {
            self.effects.push(Effect::Media(Command::Stop { path }));
        }
    }

    /// A path has heard all of a play.
    pub(crate) fn play_ended(&mut self, path: PathId, play: media::PlayId) {
        if let Some(leg) = self.legs.of_path(path) {
            let play = PlayId(play.0);
            self.tell_account(leg, pbx::Input::Played { leg, play });
        }
    }

    /// Somebody pressed a key.
    pub(crate) fn key_pressed(&mut self, leg: LegId, digit: char) {
        self.tell_account(leg, pbx::Input::Digit { leg, digit });
    }

    fn tell_account(&mut self, leg: LegId, input: pbx::Input) {
        if let Some(account) = self.legs.leg(leg).map(|leg| leg.account) {
            self.work.push_back(Work::Pbx(account, input));
        }
    }

    pub(crate) fn path_of(&self, leg: LegId) -> Option<PathId> {
        Some(self.legs.leg(leg)?.media.port?.path)
    }
}
