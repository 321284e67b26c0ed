//! Transfers that phones ask for (RFC 3515, RFC 3891): whom they mean, and what they are told of it.

use clock::Time;
use pbx::{LegId, Progress, TransferTo};
use sip::{Answer, DialogId, Referral};

use crate::front::user_of;
use crate::legs::Leg;
use crate::{Engine, Work};

impl Engine {
    /// A peer asks that whom it talks with talks with somebody else. Its account decides.
    pub(crate) fn referred(&mut self, now: Time, dialog: DialogId, referral: &Referral) {
        let found = self.leg_of(dialog).map(|(leg, found)| (leg, found.account));
        let to = match &referral.replaces {
            None => user_of(referral.refer_to.as_bytes()).map(TransferTo::Number),
            Some(replaces) => {
                let other = self.ua.call_to_replace(replaces).ok();
                let other = other.and_then(|other| self.legs.of_dialog(other));
                other.map(TransferTo::PeerOf)
            }
        };
        if let (Some((leg, account)), Some(to)) = (found, to) {
            let input = pbx::Input::Transfer { leg, to };
            self.work.push_back(Work::Pbx(account, input));
            return;
        }
        let answer = Answer::code(NOBODY_THERE);
        let outputs = self.ua.refuse_referral(now, dialog, answer);
        self.carry_out(outputs);
    }

    /// Tells who asked for a transfer what becomes of it.
    pub(crate) fn referral(&mut self, now: Time, leg: LegId, progress: Progress) {
        let Some(dialog) = self.legs.leg(leg).and_then(Leg::dialog) else {
            return;
        };
        let outputs = match progress {
            Progress::Refused(cause) => {
                self.ua
                    .refuse_referral(now, dialog, Answer::code(cause.status()))
            }
            Progress::Accepted => self.ua.accept_referral(now, dialog),
            Progress::Ringing => self.ua.tell_referrer(now, dialog, RINGING),
            Progress::Done => self.ua.tell_referrer(now, dialog, OK),
            Progress::Failed(cause) => self.ua.tell_referrer(now, dialog, cause.status()),
        };
        self.carry_out(outputs);
    }
}

const RINGING: u16 = 180;
const OK: u16 = 200;
const NOBODY_THERE: u16 = 404;
