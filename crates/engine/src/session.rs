//! What happens between two legs: early media, the answer, offers passed on, the end.

use clock::Time;
use media::{Command, Description, Incompatible, MediaEvent, Remote, answer_fax, answer_from};
use pbx::{HangupCause, LegId};
use sip::{Answer, DialogId, EndCause, Reason};

use crate::legs::{Session, State};
use crate::offers::ROUNDS;
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
            sip::Event::Established { .. } => {}
            sip::Event::Subscription { subscription, news } => {
                self.subscription_news(now, subscription, &news);
            }
            sip::Event::Referred { dialog, referral } => self.referred(now, dialog, &referral),
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
                    self.emit_leg_closed(now, closed, report_of(&report));
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
            // A phone makes its own tone once no early media come any more (RFC 3960 §3.2).
            if self.legs.leg(leg).is_some_and(|leg| leg.other.is_some()) {
                self.part(now, leg);
            }
            let outputs = self.ua.progress(now, dialog, RINGING, None);
            self.carry_out(outputs);
        }
    }

    /// Lets the caller hear `from` before it answers.
    pub(crate) fn early_media(&mut self, now: Time, leg: LegId, from: LegId) {
        let Some(dialog) = self.calling(leg) else {
            self.connect(leg, from);
            return;
        };
        let Some(sdp) = self.answer_for(leg, from) else {
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
        let call = self.legs.leg(leg).and_then(|leg| leg.call);
        if let Some(with) = self.legs.leg_mut(with) {
            with.call = call.or(with.call);
        }
        if self.connect(leg, with).is_none() {
            return self.lost(now, with, HangupCause::Congested);
        }
        self.watch(with);
        self.agree(now, leg, with, ROUNDS);
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
        self.leave_room(id);
        self.untie(id);
        let Some((leg, dialogs)) = self.legs.remove(id) else {
            return Vec::new();
        };
        // Whoever it was heard by is alone now.
        let mut alone = None;
        if let Some(other) = leg.other.and_then(|other| self.legs.leg_mut(other))
            && other.other == Some(id)
        {
            other.other = None;
            alone = leg.other;
        }
        if let Some(alone) = alone {
            self.music_over(alone);
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
    pub(crate) fn answer_for(&mut self, leg: LegId, chosen_by: LegId) -> Option<Vec<u8>> {
        let chosen = self.legs.leg(chosen_by)?.media.session()?;
        let offer = self.legs.leg(leg)?.media.session()?;
        self.describe(leg, |local| match (&chosen, &offer) {
            (Session::Audio(chosen), Session::Audio(offer)) => answer_from(chosen, offer, local),
            (Session::Fax(chosen), Session::Fax(offer)) => Ok(answer_fax(chosen, offer, local)),
            (Session::Audio(_), Session::Fax(_)) | (Session::Fax(_), Session::Audio(_)) => {
                Err(Incompatible)
            }
        })
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
        let remote = match (&media.fax, ours) {
            (Some(fax), _) => Remote::of_fax(fax, media.latch),
            (None, Some(Ok(ours))) => Remote::agreed(&theirs, &ours, media.latch),
            (None, Some(Err(_)) | None) => Remote::of(&theirs, media.latch),
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

fn report_of(report: &media::LegReport) -> pbx::LegReport {
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
        // A PIN or the number of a card is keyed too, and what is kept may be read.
        dtmf: report
            .dtmf
            .chars()
            .map(|_| pbx::LegReport::SOME_KEY)
            .collect(),
    }
}

const RINGING: u16 = 180;
const SESSION_PROGRESS: u16 = 183;
/// When a caller who was turned away may try again.
pub(crate) const RETRY_AFTER_SECONDS: &str = "5";
