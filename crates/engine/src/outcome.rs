//! What comes of an outgoing leg: it rings, answers, fails, or stays silent while another address is
//! tried.

use std::net::SocketAddr;

use clock::Time;
use media::Description;
use pbx::{Failure, HangupCause, LegId};
use sip::DialogId;

use crate::directory::TrunkRef;
use crate::legs::{Leg, Role, State};
use crate::{Engine, Work};

impl Engine {
    /// A provisional answer: it rings, or it sends audio already.
    pub(crate) fn provisional(&mut self, dialog: DialogId, sdp: Option<Vec<u8>>) {
        let Some(id) = self.legs.of_dialog(dialog) else {
            return;
        };
        let early = sdp.and_then(|sdp| Description::parse(&sdp).ok());
        let Some(leg) = self.legs.leg_mut(id) else {
            return;
        };
        let account = leg.account;
        let input = match (&mut leg.state, early) {
            (State::Dialling(dialling), Some(early))
                if dialling.early.is_none_or(|known| known == dialog) =>
            {
                dialling.early = Some(dialog);
                leg.media.theirs = Some(early);
                leg.is_heard_from(dialog);
                pbx::Input::Progress { leg: id }
            }
            _ => pbx::Input::Ringing { leg: id },
        };
        self.work.push_back(Work::Pbx(account, input));
    }

    /// The first branch to answer is the leg; the others are told so.
    pub(crate) fn accepted(&mut self, now: Time, dialog: DialogId, sdp: Option<Vec<u8>>) {
        let Some(id) = self.legs.of_dialog(dialog) else {
            return;
        };
        let early = self.dialling(id).and_then(|dialling| dialling.early);
        for other in self.legs.answered(id, dialog) {
            let reason = crate::session::reason_of(HangupCause::AnsweredElsewhere);
            let outputs = self.ua.hang_up(now, other, reason);
            self.carry_out(outputs);
        }
        let Some(leg) = self.legs.leg_mut(id) else {
            return;
        };
        let account = leg.account;
        leg.media.theirs = match sdp.map(|sdp| Description::parse(&sdp)) {
            Some(answer) => answer.ok(),
            // The answer came with the provisional response (RFC 3261 §13.2.1).
            None => leg.media.theirs.take().filter(|_| early == Some(dialog)),
        };
        if self.can_be_understood(id) {
            self.meets_us_first(id);
            self.work
                .push_back(Work::Pbx(account, pbx::Input::Answered { leg: id }));
        } else {
            self.hang_up(now, id, HangupCause::Incompatible);
            let failure = Failure::Incompatible;
            self.work
                .push_back(Work::Pbx(account, pbx::Input::Failed { leg: id, failure }));
        }
    }

    /// A leg that was dialled for no caller is heard and spoken to by us, until it talks with
    /// somebody.
    fn meets_us_first(&mut self, leg: LegId) {
        if self.legs.leg(leg).is_some_and(|leg| leg.other.is_none()) {
            self.point(leg);
            self.watch(leg);
        }
    }

    /// A trunk has said nothing at all for long enough, and there is another way.
    pub(crate) fn patience_due(&mut self, now: Time) {
        while let Some(dialog) = self.patience.take_due(now) {
            if self.legs.of_dialog(dialog).is_some() && self.ua.is_unheard(dialog) {
                // The UA goes on to listen: a late answer gets its CANCEL, or ACK and BYE.
                let outputs = self.ua.hang_up(now, dialog, None);
                self.carry_out(outputs);
                self.refused(now, dialog, REQUEST_TIMEOUT);
            }
        }
    }

    /// A branch was refused. The leg has failed when no branch and no other address is left.
    pub(crate) fn refused(&mut self, now: Time, dialog: DialogId, code: u16) {
        let Some(id) = self.legs.of_dialog(dialog) else {
            return;
        };
        let branch = self.legs.drop_branch(dialog);
        let failure = failure_of(code);
        if let Some(branch) = branch.filter(|_| code == REQUEST_TIMEOUT) {
            self.trunk_is_silent(now, id, branch.remote);
        }
        let Some(dialling) = self.dialling(id) else {
            return;
        };
        let telling = dialling
            .failure
            .map_or(failure, |known| more_telling(known, failure));
        dialling.failure = Some(telling);
        if !dialling.branches.is_empty() || self.try_next_address(now, id, failure) {
            return;
        }
        let account = self.legs.leg(id).map(|leg| leg.account);
        self.close_leg(id);
        if let Some(account) = account {
            let input = pbx::Input::Failed {
                leg: id,
                failure: telling,
            };
            self.work.push_back(Work::Pbx(account, input));
        }
    }

    /// The address of a trunk that did not answer is the last to be tried for a while.
    fn trunk_is_silent(&mut self, now: Time, leg: LegId, remote: SocketAddr) {
        if let Some(Leg {
            account,
            role: Role::Trunk(name),
            ..
        }) = self.legs.leg(leg)
        {
            let trunk = TrunkRef {
                account: *account,
                name: name.clone(),
            };
            self.trunks.demote(now, &trunk, remote);
        }
    }

    /// RFC 3263 §4.3: a server that does not answer is followed by the next one.
    fn try_next_address(&mut self, now: Time, leg: LegId, failure: Failure) -> bool {
        if !matches!(
            failure,
            Failure::Unavailable | Failure::Timeout | Failure::Unreachable
        ) {
            return false;
        }
        let Some(retry) = self
            .dialling(leg)
            .and_then(|dialling| dialling.retry.as_mut())
        else {
            return false;
        };
        if retry.addresses.is_empty() {
            return false;
        }
        let remote = retry.addresses.remove(0);
        let mut invite = retry.invite.clone();
        invite.to.remote = remote;
        self.send_invite(now, leg, invite);
        true
    }
}

/// What a status code on our INVITE means to call control.
fn failure_of(code: u16) -> Failure {
    match code {
        486 | 600 => Failure::Busy,
        403 | 603 | 607 => Failure::Declined,
        480 | 487 => Failure::NoAnswer,
        404 | 410 | 484 | 604 => Failure::NotFound,
        415 | 488 | 606 => Failure::Incompatible,
        408 => Failure::Timeout,
        500..=599 => Failure::Unavailable,
        _ => Failure::Rejected,
    }
}

/// Of two branches' failures the one that says more about the person (RFC 3261 §16.7, by meaning).
fn more_telling(one: Failure, other: Failure) -> Failure {
    const ORDER: [Failure; 9] = [
        Failure::Busy,
        Failure::Declined,
        Failure::NoAnswer,
        Failure::NotFound,
        Failure::Incompatible,
        Failure::Rejected,
        Failure::Unavailable,
        Failure::Timeout,
        Failure::Unreachable,
    ];
    ORDER
        .into_iter()
        .find(|failure| *failure == one || *failure == other)
        .unwrap_or(one)
}

/// Nobody answered; made here (RFC 3261 §8.1.3.1).
const REQUEST_TIMEOUT: u16 = 408;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_failure_of_two_branches_counts() {
        use Failure::{Busy, Declined, Timeout, Unavailable, Unreachable};
        for (one, other, expect) in [
            (Busy, Timeout, Busy),
            (Unreachable, Declined, Declined),
            (Timeout, Unavailable, Unavailable),
            (Busy, Busy, Busy),
        ] {
            assert_eq!(more_telling(one, other), expect);
            assert_eq!(more_telling(other, one), expect);
        }
    }
}
