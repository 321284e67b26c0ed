//! Changes of a session that goes on: what one side offers is decided by the other (RFC 3264 §8).

use clock::Time;
use media::{Description, Direction, offer_again, offer_fax};
use pbx::LegId;
use sip::{DialogId, Withdrawal};

use crate::Engine;
use crate::legs::{Asked, Leg, Role, Session, Standing, State};

impl Engine {
    /// A peer offers a changed session: hold, resume, another address or codec. Its other leg
    /// decides; a mere refresh is answered at once.
    pub(crate) fn offered(&mut self, now: Time, dialog: DialogId, sdp: &[u8]) {
        let outputs = match self.pass_offer_on(now, dialog, sdp) {
            Passed::On => return,
            Passed::Known(answer) => self.ua.answer(now, dialog, answer),
            Passed::Refused(code) => self.ua.refuse(now, dialog, code),
        };
        self.carry_out(outputs);
        if let Some(leg) = self.legs.of_dialog(dialog) {
            self.seat_again(now, leg);
        }
    }

    fn pass_offer_on(&mut self, now: Time, dialog: DialogId, sdp: &[u8]) -> Passed {
        let Some(offer) = Session::parse(sdp) else {
            return Passed::Refused(NOT_ACCEPTABLE_HERE);
        };
        let Some((id, leg)) = self.leg_of(dialog) else {
            return Passed::Refused(NOT_ACCEPTABLE_HERE);
        };
        if leg.media.session().as_ref() == Some(&offer)
            && let Some(ours) = leg.agreed()
        {
            return Passed::Known(ours.to_vec());
        }
        let Some(other) = leg.other.filter(|other| !self.is_before((id, leg), *other)) else {
            // We have no fax machine.
            let answer = match &offer {
                Session::Audio(offer) => self.answer_alone(id, offer),
                Session::Fax(_) => None,
            };
            return answer.map_or(Passed::Refused(NOT_ACCEPTABLE_HERE), Passed::Known);
        };
        // It has been asked itself: two offers have met, and would wait for one another. After a
        // glare a caller waits longer than who was called (RFC 3261 §14.1), so the offer of the
        // called side comes through and that of the caller is made again.
        if leg.is_asked() {
            if matches!(leg.role, Role::Caller) {
                return Passed::Refused(REQUEST_PENDING);
            }
            // The peer's offer came through, so ours is not on its way: it is taken back in time.
            let _done = self.ua.withdraw_offer(dialog);
            let asked = self.drop_asked(id);
            self.refuse_asker(now, asked, REQUEST_PENDING);
        }
        let asked = Asked {
            by: id,
            offer,
            standing: Standing::Open,
            before: None,
        };
        match self.ask(now, other, asked) {
            Some(()) => Passed::On,
            None => Passed::Refused(REQUEST_PENDING),
        }
    }

    /// Whether a leg has answered and waits to be connected with the other, which cannot decide
    /// anything for it yet: who is asked for a key, for one.
    fn is_before(&self, (id, leg): (LegId, &Leg), other: LegId) -> bool {
        let other = self.legs.leg(other);
        let is_connected = other.is_some_and(|other| {
            matches!(other.state, State::Talking { .. }) && other.other == Some(id)
        });
        matches!(leg.state, State::Talking { .. }) && !is_connected
    }

    /// Offers `asked` to the other leg. `None` when it cannot be asked now.
    fn ask(&mut self, now: Time, other: LegId, mut asked: Asked) -> Option<()> {
        let leg = self.legs.leg(other)?;
        let State::Talking {
            dialog,
            asked: None,
        } = leg.state
        else {
            return None;
        };
        asked.before.clone_from(&leg.media.ours);
        let told = match &asked.offer {
            Session::Audio(offer) => Session::Audio(offer.directed(told_as(offer.direction()))),
            Session::Fax(fax) => Session::Fax(fax.clone()),
        };
        let sdp = self.offer_of(other, &told)?;
        if let State::Talking { asked: place, .. } = &mut self.legs.leg_mut(other)?.state {
            *place = Some(asked);
        }
        let outputs = self.ua.offer(now, dialog, sdp);
        self.carry_out(outputs);
        Some(())
    }

    /// Our description for a leg whose other leg wants this.
    fn offer_of(&mut self, leg: LegId, wanted: &Session) -> Option<Vec<u8>> {
        let previous = self.legs.leg(leg)?.media.audio()?;
        match wanted {
            Session::Audio(audio) => {
                self.describe(leg, |local| Ok(offer_again(audio, &previous, local)))
            }
            Session::Fax(fax) => self.describe(leg, |local| Ok(offer_fax(fax, &previous, local))),
        }
    }

    pub(crate) fn leg_of(&self, dialog: DialogId) -> Option<(LegId, &crate::legs::Leg)> {
        let id = self.legs.of_dialog(dialog)?;
        Some((id, self.legs.leg(id)?))
    }

    pub(crate) fn take_asked(&mut self, leg: LegId) -> Option<Asked> {
        match &mut self.legs.leg_mut(leg)?.state {
            State::Talking { asked, .. } => asked.take(),
            State::Calling(_) | State::Dialling(_) => None,
        }
    }

    /// The leg will not answer what it was asked: what we described before stands.
    pub(crate) fn drop_asked(&mut self, leg: LegId) -> Option<Asked> {
        let asked = self.take_asked(leg)?;
        let media = &mut self.legs.leg_mut(leg)?.media;
        media.ours.clone_from(&asked.before);
        Some(asked)
    }

    pub(crate) fn offer_answered(&mut self, now: Time, dialog: DialogId, sdp: &[u8]) {
        let Some(id) = self.legs.of_dialog(dialog) else {
            return;
        };
        let asked = self.take_asked(id);
        let Some(answer) = Session::parse(sdp) else {
            return self.answered_in_vain(now, id, asked);
        };
        if let Some(leg) = self.legs.leg_mut(id) {
            leg.media.describes(answer);
        }
        let Some(asked) = asked else {
            // The answer to an offer that the peer had asked us for.
            self.point(id);
            return self.seat_again(now, id);
        };
        match asked.standing {
            Standing::Open => self.answer_asker(now, id, asked),
            Standing::Withdrawn => {
                let agreed = self.legs.leg(asked.by);
                let agreed = agreed.and_then(|leg| leg.media.theirs.as_ref());
                if let Some(direction) = agreed.map(Description::direction) {
                    self.offer_present(now, id, direction, ROUNDS);
                }
            }
            Standing::Ours { rounds } => {
                self.point(id);
                self.hold_music(id);
                self.agree(now, id, asked.by, rounds);
            }
        }
    }

    /// An answer that accepts nothing. Who was offered a fax instead of its audio is left with
    /// neither, and is offered the audio again.
    fn answered_in_vain(&mut self, now: Time, leg: LegId, asked: Option<Asked>) {
        let fax = asked
            .as_ref()
            .filter(|asked| matches!(asked.offer, Session::Fax(_)));
        let by = fax.and_then(|fax| self.legs.leg(fax.by)?.media.theirs.clone());
        self.refuse_asker(now, asked, NOT_ACCEPTABLE_HERE);
        if let Some(by) = by {
            self.offer_present(now, leg, by.direction(), ROUNDS);
        }
    }

    /// A peer took its offer back. Its other leg is not asked any more, or asked in vain.
    pub(crate) fn offer_withdrawn(&mut self, dialog: DialogId) {
        let Some((id, leg)) = self.leg_of(dialog) else {
            return;
        };
        let Some(other) = leg.other else { return };
        let Some(Leg {
            state:
                State::Talking {
                    dialog,
                    asked: place @ Some(_),
                },
            ..
        }) = self.legs.leg_mut(other)
        else {
            return;
        };
        let dialog = *dialog;
        let is_theirs = |asked: &&mut Asked| asked.by == id && asked.standing == Standing::Open;
        if let Some(asked) = place.as_mut().filter(is_theirs) {
            match self.ua.withdraw_offer(dialog) {
                Withdrawal::Done => {
                    let _taken = self.drop_asked(other);
                }
                Withdrawal::TooLate => asked.standing = Standing::Withdrawn,
            }
        }
    }

    /// Two legs that meet when both have been answered know of one another what was true before.
    /// Each is offered what the other one has agreed on, until they know the same.
    pub(crate) fn agree(&mut self, now: Time, one: LegId, other: LegId, rounds: u8) {
        let Some(rounds) = rounds.checked_sub(1) else {
            return;
        };
        let pairs = [(other, one), (one, other)];
        // Who was in a fax with somebody else comes back to audio first.
        let is_in_fax = |leg| {
            self.legs
                .leg(leg)
                .is_some_and(|leg| leg.media.fax.is_some())
        };
        let left = pairs
            .into_iter()
            .find(|(leg, peer)| is_in_fax(*leg) && !is_in_fax(*peer));
        if let Some((leg, peer)) = left {
            let theirs = self
                .legs
                .leg(peer)
                .and_then(|peer| peer.media.theirs.as_ref());
            let direction = theirs.map(Description::direction).unwrap_or_default();
            return self.offer_present(now, leg, direction, rounds);
        }
        let wrong = pairs.map(|(leg, peer)| (leg, self.to_be_told(leg, peer)));
        // What a peer wants comes before what it has agreed to, which may be an answer to the other
        // one's hold of long ago.
        let wanted = wrong.iter().find_map(|(leg, news)| match news {
            Some(News::Wanted(direction)) => Some((*leg, *direction)),
            Some(News::Agreed(_)) | None => None,
        });
        let agreed = wrong.iter().find_map(|(leg, news)| match news {
            Some(News::Agreed(direction)) => Some((*leg, *direction)),
            Some(News::Wanted(_)) | None => None,
        });
        if let Some((leg, direction)) = wanted.or(agreed) {
            self.offer_present(now, leg, direction, rounds);
        }
    }

    /// What a leg has to be told of its other leg, if that is not what it was told last.
    fn to_be_told(&self, leg: LegId, peer: LegId) -> Option<News> {
        let told = self.legs.leg(leg)?.told()?.direction();
        let peer = &self.legs.leg(peer)?.media;
        let wish = told_as(peer.wish);
        let said = peer.theirs.as_ref()?.direction();
        let holds = peer.wish == said && told == wish;
        if told == said || holds {
            return None;
        }
        Some(if told == wish {
            News::Agreed(said)
        } else {
            News::Wanted(wish)
        })
    }

    /// Offers a leg what its other leg has agreed on. Nobody waits for the answer.
    fn offer_present(&mut self, now: Time, id: LegId, direction: Direction, rounds: u8) {
        let present = self.legs.leg(id).and_then(|leg| {
            let by = leg.other?;
            let offer = self.legs.leg(by)?.media.theirs.as_ref()?;
            let before = leg.media.ours.clone();
            Some((leg.media.audio()?, by, offer.directed(direction), before))
        });
        let Some((theirs, by, offer, before)) = present else {
            return;
        };
        self.point(id);
        let sdp = self.describe(id, |local| Ok(offer_again(&offer, &theirs, local)));
        let Some(State::Talking {
            dialog,
            asked: place @ None,
        }) = self.legs.leg_mut(id).map(|leg| &mut leg.state)
        else {
            return;
        };
        let dialog = *dialog;
        if let Some(sdp) = sdp {
            let standing = Standing::Ours { rounds };
            let offer = Session::Audio(offer);
            *place = Some(Asked {
                by,
                offer,
                standing,
                before,
            });
            let outputs = self.ua.offer(now, dialog, sdp);
            self.carry_out(outputs);
        }
    }

    fn answer_asker(&mut self, now: Time, answered: LegId, asked: Asked) {
        let Asked { by, offer, .. } = asked;
        let wish = match &offer {
            Session::Audio(offer) => offer.direction(),
            Session::Fax(_) => Direction::SendRecv,
        };
        let Some(media) = self.legs.leg_mut(by).map(|leg| &mut leg.media) else {
            return;
        };
        let before = media.describes(offer);
        let (dialog, sdp) = (
            self.legs.leg(by).and_then(crate::legs::Leg::dialog),
            self.answer_for(by, answered),
        );
        let outputs = match (dialog, sdp) {
            (Some(dialog), Some(sdp)) => {
                if let Some(leg) = self.legs.leg_mut(by) {
                    leg.media.wish = wish;
                }
                self.ua.answer(now, dialog, sdp)
            }
            (Some(dialog), None) => {
                if let Some(leg) = self.legs.leg_mut(by) {
                    (leg.media.theirs, leg.media.fax) = before;
                }
                self.ua.refuse(now, dialog, NOT_ACCEPTABLE_HERE)
            }
            (None, _) => return,
        };
        self.carry_out(outputs);
        self.connect(by, answered);
    }

    pub(crate) fn offer_refused(&mut self, now: Time, dialog: DialogId, code: u16) {
        let asked = self
            .legs
            .of_dialog(dialog)
            .and_then(|leg| self.drop_asked(leg));
        let code = if (400..700).contains(&code) {
            code
        } else {
            NOT_ACCEPTABLE_HERE
        };
        self.refuse_asker(now, asked, code);
    }

    pub(crate) fn refuse_asker(&mut self, now: Time, asked: Option<Asked>, code: u16) {
        let open = asked.filter(|asked| asked.standing == Standing::Open);
        let asker = open.and_then(|asked| self.legs.leg(asked.by)?.dialog());
        if let Some(dialog) = asker {
            // 401, 407 and 481 concern the other dialog only.
            let code = if matches!(code, 401 | 407 | 408 | 481) {
                NOT_ACCEPTABLE_HERE
            } else {
                code
            };
            let outputs = self.ua.refuse(now, dialog, code);
            self.carry_out(outputs);
        }
    }

    /// A peer asks for an offer: it gets what its other leg wants.
    pub(crate) fn offer_wanted(&mut self, now: Time, dialog: DialogId) {
        let offer = self
            .leg_of(dialog)
            .and_then(|(id, leg)| Some((id, self.legs.leg(leg.other?)?.media.session()?)));
        let sdp = offer.and_then(|(id, wanted)| self.offer_of(id, &wanted));
        let outputs = match sdp {
            Some(sdp) => self.ua.answer(now, dialog, sdp),
            None => self.ua.refuse(now, dialog, NOT_ACCEPTABLE_HERE),
        };
        self.carry_out(outputs);
    }
}

/// How a leg is told what its other leg wants. Who holds and sends nothing itself lets us send: the
/// other one hears music.
fn told_as(wish: Direction) -> Direction {
    match wish {
        Direction::Inactive => Direction::SendOnly,
        Direction::SendRecv | Direction::SendOnly | Direction::RecvOnly => wish,
    }
}

/// What a leg has to be told.
enum News {
    /// Which way its other leg wants audio to flow.
    Wanted(Direction),
    /// Which way its other leg has agreed to, when that is less.
    Agreed(Direction),
}

/// What became of an offer.
enum Passed {
    On,
    Known(Vec<u8>),
    Refused(u16),
}

/// Offers of ours that two legs which meet may need until they know the same: one that holds and one
/// that holds too need three.
pub(crate) const ROUNDS: u8 = 4;
const NOT_ACCEPTABLE_HERE: u16 = 488;
pub(crate) const REQUEST_PENDING: u16 = 491;
