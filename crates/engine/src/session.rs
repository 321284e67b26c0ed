//! What happens between two legs: early media, the answer, offers passed on, the end.

use clock::Time;
use media::{Command, Description, MediaEvent, Port, Remote, Way, answer_from, offer_again};
use pbx::{HangupCause, LegId};
use sip::{Answer, DialogId, EndCause, Reason, Withdrawal};

use crate::legs::{Asked, Leg, Role, Standing, State};
use crate::{Effect, Engine, Work};

impl Engine {
    /// News from the user agent.
    pub(crate) fn sip_event(&mut self, now: Time, event: sip::Event) {
        match event {
            sip::Event::Request(incoming) => self.request(now, &incoming),
            sip::Event::Provisional {
                dialog,
                sdp,
                code: _,
            } => self.provisional(dialog, sdp),
            sip::Event::Accepted { dialog, sdp } => self.accepted(now, dialog, sdp),
            sip::Event::Refused {
                dialog,
                code,
                reason: _,
                retry_after: _,
            } => {
                self.refused(now, dialog, code);
            }
            sip::Event::Cancelled { dialog, reason: _ } => self.over(dialog, HangupCause::GaveUp),
            sip::Event::Ended { dialog, cause } => self.over(dialog, cause_of(&cause)),
            sip::Event::Established { .. } | sip::Event::Subscription { .. } => {}
            sip::Event::Referred { dialog, .. } => {
                let outputs = self.ua.refuse_referral(now, dialog, Answer::code(DECLINE));
                self.carry_out(outputs);
            }
            sip::Event::Offered { dialog, sdp } => self.offered(now, dialog, &sdp),
            sip::Event::OfferWanted { dialog } => self.offer_wanted(now, dialog),
            sip::Event::OfferAnswered { dialog, sdp } => self.offer_answered(now, dialog, &sdp),
            sip::Event::OfferRefused { dialog, code } => self.offer_refused(now, dialog, code),
            sip::Event::OfferWithdrawn { dialog } => self.offer_withdrawn(dialog),
            sip::Event::Info {
                dialog,
                content_type,
                body,
            } => {
                self.info(now, dialog, &content_type, body);
            }
            sip::Event::Response { id, code, answer } => self.response(now, id, code, &answer),
        }
    }

    /// News from a media thread.
    pub(crate) fn media_event(&mut self, now: Time, event: MediaEvent) {
        match event {
            MediaEvent::Ports { ports } => self.ports.add(ports),
            MediaEvent::Silent { path } => {
                if let Some(leg) = self.legs.of_path(path) {
                    self.lost(now, leg, HangupCause::MediaLost);
                }
            }
            MediaEvent::Closed { path, report } => {
                if let Some(closed) = self.legs.closed(path) {
                    self.emit_leg_closed(now, closed, report_of(report));
                }
            }
            MediaEvent::PlayEnded { path, play } => self.play_ended(path, play),
            MediaEvent::Dtmf { path, digit, .. } => {
                if let Some(leg) = self.legs.of_path(path) {
                    self.key_pressed(leg, digit);
                }
            }
            MediaEvent::RecordClosed {
                recording,
                seconds,
                reason,
            } => self.record_closed(now, recording, (seconds, reason)),
            MediaEvent::FirstPacket { .. }
            | MediaEvent::Latched { .. }
            | MediaEvent::Rejected { .. } => {}
        }
    }

    /// Tells the caller that it rings.
    pub(crate) fn ring(&mut self, now: Time, leg: LegId) {
        if let Some(dialog) = self.calling(leg) {
            let outputs = self.ua.progress(now, dialog, RINGING, None);
            self.carry_out(outputs);
        }
    }

    /// Lets the caller hear `from` before it answers.
    pub(crate) fn early_media(&mut self, now: Time, leg: LegId, from: LegId) {
        let (Some(dialog), Some(sdp)) = (self.calling(leg), self.answer_for(leg, from)) else {
            return self.ring(now, leg);
        };
        let outputs = self.ua.progress(now, dialog, SESSION_PROGRESS, Some(sdp));
        self.carry_out(outputs);
        self.connect(leg, from);
    }

    /// Connects the caller with `with`, answering it unless that was done before.
    pub(crate) fn connect_caller(&mut self, now: Time, leg: LegId, with: LegId) {
        if self.calling(leg).is_some() {
            return self.answer(now, leg, with);
        }
        self.connect(leg, with);
        self.watch(with);
    }

    /// Answers the caller with what `with` answered.
    fn answer(&mut self, now: Time, leg: LegId, with: LegId) {
        let Some(dialog) = self.calling(leg) else {
            return;
        };
        let Some(sdp) = self.answer_for(leg, with) else {
            // The called party chose nothing of what the caller offered.
            self.lost(now, with, HangupCause::Incompatible);
            return;
        };
        self.legs.answered(leg, dialog);
        let outputs = self.ua.accept(now, dialog, sdp);
        self.carry_out(outputs);
        self.connect(leg, with);
        self.watch(leg);
        self.watch(with);
    }

    /// Ends a leg because the account says so.
    pub(crate) fn hang_up(&mut self, now: Time, leg: LegId, cause: HangupCause) {
        let is_calling = self.calling(leg).is_some();
        for dialog in self.close_leg(leg) {
            let outputs = if is_calling {
                self.ua.reject(now, dialog, refusal(cause))
            } else {
                self.ua.hang_up(now, dialog, reason_of(cause))
            };
            self.carry_out(outputs);
        }
    }

    /// A leg is over for a reason that the peer does not know of.
    pub(crate) fn lost(&mut self, now: Time, leg: LegId, cause: HangupCause) {
        let Some(account) = self.legs.leg(leg).map(|leg| leg.account) else {
            return;
        };
        self.hang_up(now, leg, cause);
        self.work
            .push_back(Work::Pbx(account, pbx::Input::HungUp { leg, cause }));
    }

    /// A dialog is over. Of a leg that ended before, nobody needs to hear.
    fn over(&mut self, dialog: DialogId, cause: HangupCause) {
        let Some(leg) = self.legs.of_dialog(dialog) else {
            return;
        };
        let Some(account) = self.legs.leg(leg).map(|leg| leg.account) else {
            return;
        };
        self.close_leg(leg);
        self.work
            .push_back(Work::Pbx(account, pbx::Input::HungUp { leg, cause }));
    }

    /// Takes a leg out of all tables and gives its media path back. Gives its dialogs.
    pub(crate) fn close_leg(&mut self, id: LegId) -> Vec<DialogId> {
        let Some((leg, dialogs)) = self.legs.remove(id) else {
            return Vec::new();
        };
        // Whoever it was heard by is alone now.
        if let Some(other) = leg.other.and_then(|other| self.legs.leg_mut(other))
            && other.other == Some(id)
        {
            other.other = None;
        }
        if let Some(port) = leg.media.port {
            self.effects
                .push(Effect::Media(Command::Release { path: port.path }));
        }
        dialogs
    }

    pub(crate) fn calling(&self, leg: LegId) -> Option<DialogId> {
        match self.legs.leg(leg)?.state {
            State::Calling(dialog) => Some(dialog),
            State::Dialling(_) | State::Talking { .. } => None,
        }
    }

    /// Our answer to the caller's offer, with what the other leg chose.
    fn answer_for(&mut self, leg: LegId, chosen_by: LegId) -> Option<Vec<u8>> {
        let chosen = self.legs.leg(chosen_by)?.media.theirs.clone()?;
        let offer = self.legs.leg(leg)?.media.theirs.clone()?;
        self.describe(leg, |local| answer_from(&chosen, &offer, local))
    }

    /// Tells the media thread where both peers are and that they talk.
    fn connect(&mut self, one: LegId, other: LegId) {
        let (Some(a), Some(b)) = (self.speaker(one), self.speaker(other)) else {
            return;
        };
        self.point(one);
        self.point(other);
        let bridge = Command::Bridge {
            a: a.0.path,
            b: b.0.path,
            a_to_b: Way::between(&a.1, &b.1),
            b_to_a: Way::between(&b.1, &a.1),
        };
        self.effects.push(Effect::Media(bridge));
        for (leg, peer) in [(one, other), (other, one)] {
            if let Some(leg) = self.legs.leg_mut(leg) {
                leg.other = Some(peer);
            }
        }
    }

    fn speaker(&self, leg: LegId) -> Option<(Port, Description)> {
        let media = &self.legs.leg(leg)?.media;
        Some((media.port?, media.theirs.clone()?))
    }

    /// Tells the media thread what the leg's peer described last.
    pub(crate) fn point(&mut self, leg: LegId) {
        let Some((port, theirs)) = self.speaker(leg) else {
            return;
        };
        let Some(media) = self.legs.leg(leg).map(|leg| &leg.media) else {
            return;
        };
        let ours = media.ours.as_deref().map(Description::parse);
        let remote = match ours {
            Some(Ok(ours)) => Remote::agreed(&theirs, &ours, media.latch),
            Some(Err(_)) | None => Remote::of(&theirs, media.latch),
        };
        self.effects.push(Effect::Media(Command::Remote {
            path: port.path,
            remote,
        }));
    }

    pub(crate) fn watch(&mut self, leg: LegId) {
        if let Some((port, _)) = self.speaker(leg) {
            let silence = self.settings.silence;
            self.effects.push(Effect::Media(Command::Watch {
                path: port.path,
                silence,
            }));
        }
    }

    /// A peer offers a changed session: hold, resume, another address or codec. Its other leg
    /// decides; a mere refresh is answered at once.
    fn offered(&mut self, now: Time, dialog: DialogId, sdp: &[u8]) {
        let outputs = match self.pass_offer_on(now, dialog, sdp) {
            Passed::On => return,
            Passed::Known(answer) => self.ua.answer(now, dialog, answer),
            Passed::Refused(code) => self.ua.refuse(now, dialog, code),
        };
        self.carry_out(outputs);
    }

    fn pass_offer_on(&mut self, now: Time, dialog: DialogId, sdp: &[u8]) -> Passed {
        let Ok(offer) = Description::parse(sdp) else {
            return Passed::Refused(NOT_ACCEPTABLE_HERE);
        };
        let Some((id, leg)) = self.leg_of(dialog) else {
            return Passed::Refused(NOT_ACCEPTABLE_HERE);
        };
        if leg.media.theirs.as_ref() == Some(&offer)
            && let Some(ours) = &leg.media.ours
        {
            return Passed::Known(ours.clone());
        }
        let Some(other) = leg.other else {
            return match self.answer_alone(id, &offer) {
                Some(answer) => Passed::Known(answer),
                None => Passed::Refused(NOT_ACCEPTABLE_HERE),
            };
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
            let asked = self.take_asked(id);
            self.refuse_asker(now, asked, REQUEST_PENDING);
        }
        let asked = Asked {
            by: id,
            offer,
            standing: Standing::Open,
        };
        match self.ask(now, other, asked) {
            Some(()) => Passed::On,
            None => Passed::Refused(REQUEST_PENDING),
        }
    }

    /// Offers `asked` to the other leg. `None` when it cannot be asked now.
    fn ask(&mut self, now: Time, other: LegId, asked: Asked) -> Option<()> {
        let leg = self.legs.leg(other)?;
        let State::Talking {
            dialog,
            asked: None,
        } = leg.state
        else {
            return None;
        };
        let previous = leg.media.theirs.clone()?;
        let sdp = self.describe(other, |local| {
            Ok(offer_again(&asked.offer, &previous, local))
        })?;
        if let State::Talking { asked: place, .. } = &mut self.legs.leg_mut(other)?.state {
            *place = Some(asked);
        }
        let outputs = self.ua.offer(now, dialog, sdp);
        self.carry_out(outputs);
        Some(())
    }

    fn leg_of(&self, dialog: DialogId) -> Option<(LegId, &crate::legs::Leg)> {
        let id = self.legs.of_dialog(dialog)?;
        Some((id, self.legs.leg(id)?))
    }

    fn take_asked(&mut self, leg: LegId) -> Option<Asked> {
        match &mut self.legs.leg_mut(leg)?.state {
            State::Talking { asked, .. } => asked.take(),
            State::Calling(_) | State::Dialling(_) => None,
        }
    }

    fn offer_answered(&mut self, now: Time, dialog: DialogId, sdp: &[u8]) {
        let Some(id) = self.legs.of_dialog(dialog) else {
            return;
        };
        let asked = self.take_asked(id);
        let Ok(answer) = Description::parse(sdp) else {
            return self.refuse_asker(now, asked, NOT_ACCEPTABLE_HERE);
        };
        if let Some(leg) = self.legs.leg_mut(id) {
            leg.media.theirs = Some(answer);
        }
        match asked {
            Some(asked) if asked.standing == Standing::Open => self.answer_asker(now, id, asked),
            Some(_) => self.offer_present(now, id),
            // The answer to an offer that the peer had asked us for.
            None => self.point(id),
        }
    }

    /// A peer took its offer back. Its other leg is not asked any more, or asked in vain.
    fn offer_withdrawn(&mut self, dialog: DialogId) {
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
        if let Some(asked) = place.as_mut().filter(|asked| asked.by == id) {
            match self.ua.withdraw_offer(dialog) {
                Withdrawal::Done => *place = None,
                Withdrawal::TooLate => asked.standing = Standing::Withdrawn,
            }
        }
    }

    /// A leg accepted what its other leg has taken back meanwhile: it is offered what that leg has
    /// agreed on before.
    fn offer_present(&mut self, now: Time, id: LegId) {
        let present = self.legs.leg(id).and_then(|leg| {
            let theirs = leg.media.theirs.clone()?;
            let other = self.legs.leg(leg.other?)?.media.theirs.clone()?;
            Some((leg.dialog()?, theirs, other))
        });
        let Some((dialog, theirs, other)) = present else {
            return;
        };
        self.point(id);
        let sdp = self.describe(id, |local| Ok(offer_again(&other, &theirs, local)));
        if let Some(sdp) = sdp {
            let outputs = self.ua.offer(now, dialog, sdp);
            self.carry_out(outputs);
        }
    }

    fn answer_asker(&mut self, now: Time, answered: LegId, asked: Asked) {
        let Asked { by, offer, .. } = asked;
        let before = match self.legs.leg_mut(by) {
            Some(leg) => leg.media.theirs.replace(offer),
            None => return,
        };
        let (dialog, sdp) = (
            self.legs.leg(by).and_then(crate::legs::Leg::dialog),
            self.answer_for(by, answered),
        );
        let outputs = match (dialog, sdp) {
            (Some(dialog), Some(sdp)) => self.ua.answer(now, dialog, sdp),
            (Some(dialog), None) => {
                if let Some(leg) = self.legs.leg_mut(by) {
                    leg.media.theirs = before;
                }
                self.ua.refuse(now, dialog, NOT_ACCEPTABLE_HERE)
            }
            (None, _) => return,
        };
        self.carry_out(outputs);
        self.connect(by, answered);
    }

    fn offer_refused(&mut self, now: Time, dialog: DialogId, code: u16) {
        let asked = self
            .legs
            .of_dialog(dialog)
            .and_then(|leg| self.take_asked(leg));
        let code = if (400..700).contains(&code) {
            code
        } else {
            NOT_ACCEPTABLE_HERE
        };
        self.refuse_asker(now, asked, code);
    }

    fn refuse_asker(&mut self, now: Time, asked: Option<Asked>, code: u16) {
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
    fn offer_wanted(&mut self, now: Time, dialog: DialogId) {
        let offer = self.leg_of(dialog).and_then(|(id, leg)| {
            let theirs = leg.media.theirs.clone()?;
            let wanted = self.legs.leg(leg.other?)?.media.theirs.clone()?;
            Some((id, theirs, wanted))
        });
        let sdp = offer.and_then(|(id, theirs, wanted)| {
            self.describe(id, |local| Ok(offer_again(&wanted, &theirs, local)))
        });
        let outputs = match sdp {
            Some(sdp) => self.ua.answer(now, dialog, sdp),
            None => self.ua.refuse(now, dialog, NOT_ACCEPTABLE_HERE),
        };
        self.carry_out(outputs);
    }

    /// Passes an INFO (DTMF of old phones) on to the other leg. A key in it means what it means.
    fn info(&mut self, now: Time, dialog: DialogId, content_type: &str, body: Vec<u8>) {
        let Some((id, leg)) = self.leg_of(dialog) else {
            return;
        };
        let other = leg.other;
        if let Some(key) = sip::KeyPress::of_info(content_type, &body) {
            self.key_pressed(id, key.key);
        }
        let other = other.and_then(|other| self.legs.leg(other)?.dialog());
        if let Some(other) = other {
            let outputs = self.ua.info(now, other, content_type, body);
            self.carry_out(outputs);
        }
    }
}

/// What became of an offer.
enum Passed {
    On,
    Known(Vec<u8>),
    Refused(u16),
}

/// The final response to a caller who was not answered.
fn refusal(cause: HangupCause) -> Answer {
    let answer = Answer::code(cause.status());
    match cause.status() {
        503 => answer.header("Retry-After", RETRY_AFTER_SECONDS),
        _ => answer,
    }
}

/// The Reason header that a CANCEL or BYE carries (RFC 3326).
pub(crate) fn reason_of(cause: HangupCause) -> Option<Reason> {
    let (code, text) = match cause {
        // A phone that knows this does not count a missed call.
        HangupCause::AnsweredElsewhere => (200, "Call completed elsewhere"),
        HangupCause::MediaLost => (408, "No audio was received"),
        HangupCause::TooLong => (408, "Maximum call length reached"),
        HangupCause::Incompatible => (488, "No common codec"),
        HangupCause::AccountFault | HangupCause::NodeLost => (500, "Internal error"),
        HangupCause::Shutdown => (503, "Server is stopping"),
        HangupCause::Normal
        | HangupCause::GaveUp
        | HangupCause::NoAnswer
        | HangupCause::Busy
        | HangupCause::Declined
        | HangupCause::Unavailable
        | HangupCause::NotFound
        | HangupCause::Forbidden
        | HangupCause::Congested
        | HangupCause::LimitReached
        | HangupCause::TooManyHops
        | HangupCause::SessionExpired
        | HangupCause::ConnectionLost => return None,
    };
    Some(Reason {
        protocol: "SIP".to_owned(),
        cause: Some(code),
        text: Some(text.to_owned()),
    })
}

fn cause_of(cause: &EndCause) -> HangupCause {
    match cause {
        EndCause::Bye { .. } | EndCause::HungUp => HangupCause::Normal,
        EndCause::SessionExpired => HangupCause::SessionExpired,
        EndCause::NoAck | EndCause::DialogLost | EndCause::Transport => HangupCause::ConnectionLost,
    }
}

fn report_of(report: media::LegReport) -> pbx::LegReport {
    pbx::LegReport {
        packets_received: report.packets_received,
        packets_sent: report.packets_sent,
        packets_lost: report.packets_lost,
        bytes_received: report.bytes_received,
        bytes_sent: report.bytes_sent,
        jitter_us: u64::from(report.jitter_us),
        codec: report
            .codec
            .map(|codec| codec.name().to_owned())
            .unwrap_or_default(),
        dtmf: report.dtmf,
    }
}

const RINGING: u16 = 180;
const SESSION_PROGRESS: u16 = 183;
const NOT_ACCEPTABLE_HERE: u16 = 488;
const REQUEST_PENDING: u16 = 491;
const DECLINE: u16 = 603;
/// When a caller who was turned away may try again.
pub(crate) const RETRY_AFTER_SECONDS: &str = "5";
