//! What calls do when their time has come: repeat a 200 or a 180, refresh a session, give up.

use super::Ua;
use super::call::{
    Call, Exchange, Intent, Next, Phase, RING_AGAIN, Rest, Ringing, Talking, Unacknowledged, What,
};
use super::ours::REFRESH_AGAIN;
use super::reliable::Patience;
use super::step::Step;
use super::types::{DialogId, EndCause};
use crate::session_timer::Due;
use crate::transaction::server_invite::Input;

impl Ua {
    /// A call's deadline has come.
    pub(super) fn wake_call(&mut self, dialog: DialogId, step: &mut Step) {
        if let Some(call) = self.calls.get_mut(&dialog) {
            call.armed = None;
        }
        let Some(mut call) = self.take_call(dialog) else {
            return;
        };
        self.wake_early(&mut call, step);
        let Call {
            credentials,
            phase,
            armed,
        } = call;
        let phase = match phase {
            Phase::Inviting(inviting) => match inviting.intent {
                Intent::Cancelled { until } if until <= step.now => {
                    // RFC 3261 §9.1: without a final answer the INVITE counts as cancelled.
                    return self.forget_client(inviting.client);
                }
                Intent::Wanted | Intent::CancelWaits(_) | Intent::Cancelled { .. } => {
                    Phase::Inviting(inviting)
                }
            },
            Phase::Ringing(mut ringing) => {
                if self.wake_reliable(&mut ringing, step) == Patience::IsOver {
                    return;
                }
                self.ring_again(&mut ringing, step);
                Phase::Ringing(ringing)
            }
            Phase::Talking(talking) => self.wake_talking(talking, step),
            Phase::Leaving(mut leaving) => match leaving.rest {
                Rest::Acknowledgement(ok, reason) if ok.give_up_at <= step.now => {
                    self.send_bye(leaving.dialog, reason.as_ref(), step)
                }
                Rest::Acknowledgement(ref mut ok, _) => {
                    repeat(ok, step);
                    Phase::Leaving(leaving)
                }
                Rest::LastWord(word) if word.until <= step.now => {
                    self.send_bye(leaving.dialog, word.reason.as_ref(), step)
                }
                Rest::LastWord(_) | Rest::ByeAnswer => Phase::Leaving(leaving),
            },
        };
        self.keep_call(
            dialog,
            Call {
                credentials,
                phase,
                armed,
            },
        );
    }

    /// RFC 3261 §13.3.1.1: a provisional answer is repeated every minute.
    fn ring_again(&mut self, ringing: &mut Ringing, step: &mut Step) {
        if ringing.repeat_at.is_some_and(|at| at <= step.now) {
            ringing.repeat_at = Some(step.now + RING_AGAIN);
            // The INVITE coming again would have the same effect.
            self.meet_server(ringing.server, Input::Request, step);
        }
    }

    fn wake_talking(&mut self, mut talking: Box<Talking>, step: &mut Step) -> Phase {
        if let Some(ok) = &mut talking.unacknowledged {
            if ok.give_up_at <= step.now {
                // RFC 3261 §13.3.1.4 and §14.2.
                return self.break_off(*talking, EndCause::NoAck, step);
            }
            repeat(ok, step);
        }
        match talking.session.due(step.now) {
            Due::End => return self.break_off(*talking, EndCause::SessionExpired, step),
            Due::Refresh if talking.is_quiet() && talking.next.is_none() => {
                talking.session = talking.session.refresh_sent();
                talking.next = Some(Next {
                    what: What::Refresh,
                    not_before: step.now,
                });
            }
            // What is under way is a refresh too, if it succeeds.
            Due::Refresh => {
                talking.session = talking.session.refresh_failed(step.now + REFRESH_AGAIN);
            }
            Due::Nothing => {}
        }
        if let Exchange::Theirs(theirs) = &talking.exchange
            && theirs.give_up_at <= step.now
        {
            let answer = self.come_again();
            self.withdrawn(&mut talking, answer, step);
        }
        self.wake_referral(&mut talking, step);
        self.go_on(&mut talking, step);
        Phase::Talking(talking)
    }
}

/// Sends a 200 again until its ACK comes (RFC 3261 §13.3.1.4), over streams too.
fn repeat(ok: &mut Unacknowledged, step: &mut Step) {
    if ok.resend.at <= step.now {
        ok.resend = ok.resend.doubled_to_t2(step.now);
        step.send(ok.to, ok.bytes.to_vec());
    }
}
