//! How calls end: BYE both ways, CANCEL, loss of the peer, expiry (RFC 3261 §15).

use std::time::Duration;

use clock::Time;

use super::call::{Call, Exchange, First, Intent, LastWord, Leaving, Phase, Rest, Talking};
use super::clients::{Answered, Failure, Owner};
use super::compose;
use super::inside::Outgoing;
use super::referrals::Served;
use super::step::Step;
use super::types::{Answer, DialogId, EndCause, Event, Output, Reason};
use super::{Arrival, Ua};
use crate::dialog::Dialog;
use crate::{Method, Writer};

/// How long a peer may leave the last word of its transfer unanswered before it is hung up.
const LAST_WORD_WITHIN: Duration = Duration::from_secs(2);

impl Ua {
    /// Ends a call in whatever state it is: CANCEL, BYE, or 487 to an INVITE that rings. The owner
    /// hears [`Event::Ended`] at once and nothing after it; what the network still has to be told
    /// is done here.
    pub fn hang_up(&mut self, now: Time, dialog: DialogId, reason: Option<Reason>) -> Vec<Output> {
        let mut step = Step::at(now);
        let Some(mut call) = self.take_call(dialog) else {
            return Vec::new();
        };
        if call.is_over_for_owner() {
            self.keep_call(dialog, call);
            return Vec::new();
        }
        step.event(Event::Ended {
            dialog,
            cause: EndCause::HungUp,
        });
        match call.phase {
            Phase::Inviting(ref mut inviting) => self.withdraw(inviting, reason, &mut step),
            // What the record tells is what the caller sees: an answer, and a BYE.
            Phase::Ringing(ref mut ringing) if ringing.reliable.is_accepted() => {
                ringing.reliable.leave(reason);
                if let Some(theirs) = ringing.theirs.take() {
                    let answer = Answer::code(487);
                    self.answer_inside(theirs.server, &ringing.contact, answer, &mut step);
                }
            }
            Phase::Ringing(ringing) => {
                let mut answer = Answer::code(487);
                if let Some(reason) = reason {
                    answer = answer.header("Reason", &reason.to_string());
                }
                self.end_ringing(&ringing, answer, &mut step);
                return step.finish();
            }
            Phase::Talking(talking) => {
                call.phase = self.leave(*talking, reason, &mut step);
            }
            Phase::Leaving(_) => {}
        }
        self.keep_call(dialog, call);
        step.finish()
    }

    /// Ends a call that talks, at our side's wish.
    pub(super) fn leave(
        &mut self,
        talking: Talking,
        reason: Option<Reason>,
        step: &mut Step,
    ) -> Phase {
        self.abandon_exchange(&talking, step);
        let rest = match (talking.unacknowledged, talking.served) {
            // RFC 3261 §15: the called side sends no BYE before the ACK for its 2xx came.
            (Some(ok), _) if ok.first == First::Call => Rest::Acknowledgement(ok, reason),
            (_, Some(served)) if served.has_last_word() => Rest::LastWord(LastWord {
                contact: talking.contact,
                served: Some(served),
                reason,
                until: step.now + LAST_WORD_WITHIN,
            }),
            _ => return self.send_bye(talking.dialog, reason.as_ref(), step),
        };
        Phase::Leaving(Box::new(Leaving {
            dialog: talking.dialog,
            rest,
        }))
    }

    /// Ends a call that talks because of something that happened here.
    pub(super) fn break_off(
        &mut self,
        talking: Talking,
        cause: EndCause,
        step: &mut Step,
    ) -> Phase {
        let dialog = talking.dialog.tag.dialog;
        self.abandon_exchange(&talking, step);
        step.event(Event::Ended { dialog, cause });
        self.send_bye(talking.dialog, None, step)
    }

    /// Sends BYE; what is left is to wait for its answer.
    pub(super) fn send_bye(
        &mut self,
        mut dialog: Dialog,
        reason: Option<&Reason>,
        step: &mut Step,
    ) -> Phase {
        let owner = Owner::Bye(dialog.tag.dialog);
        self.bye(&mut dialog, reason, owner, step);
        Phase::Leaving(Box::new(Leaving {
            dialog,
            rest: Rest::ByeAnswer,
        }))
    }

    /// Sends BYE. It may exceed the limit of client transactions: each dialog sends one.
    pub(super) fn bye(
        &mut self,
        dialog: &mut Dialog,
        reason: Option<&Reason>,
        owner: Owner,
        step: &mut Step,
    ) {
        let method = Method::Bye;
        let finish = |writer: Writer| compose::with_reason(writer, reason).finish();
        self.send_inside(
            dialog,
            Outgoing {
                method,
                owner,
                finish,
            },
            step,
        );
    }

    /// The answer to our BYE: whatever it says, the call is over, unless it asks for credentials.
    pub(super) fn bye_answered(
        &mut self,
        dialog: DialogId,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) {
        let Some(mut call) = self.take_call(dialog) else {
            return;
        };
        let Phase::Leaving(leaving) = &mut call.phase else {
            return self.keep_call(dialog, call);
        };
        let credentials = call.credentials.as_deref();
        if self
            .inside_again(&mut leaving.dialog, credentials, answered, step)
            .is_some()
        {
            self.keep_call(dialog, call);
        }
    }

    /// The peer hung up.
    pub(super) fn bye_came(
        &mut self,
        dialog: DialogId,
        call: Call,
        arrival: &Arrival<'_, '_>,
        step: &mut Step,
    ) {
        self.answer_once(arrival, Answer::code(200), step);
        let reason = Reason::of(arrival.message);
        match call.phase {
            // RFC 3261 §15: a caller may end an early dialog with BYE; §15.1.2: 487 then.
            Phase::Ringing(ringing) => {
                self.end_ringing(&ringing, Answer::code(487), step);
                if !ringing.reliable.is_left() {
                    step.event(Event::Cancelled { dialog, reason });
                }
            }
            Phase::Talking(talking) => {
                self.abandon_exchange(&talking, step);
                step.event(Event::Ended {
                    dialog,
                    cause: EndCause::Bye { reason },
                });
            }
            // Both hung up at once, or the owner has let go before the ACK came.
            Phase::Leaving(_) => {}
            // A called side ends an early dialog with a final answer, not with BYE (§15.1).
            Phase::Inviting(_) => self.keep_call(dialog, call),
        }
    }

    /// A request inside the dialog found no peer (RFC 3261 §12.2.1.2).
    pub(super) fn call_lost(&mut self, dialog: DialogId, failure: Failure, step: &mut Step) {
        let cause = match failure {
            Failure::TimeOut => EndCause::DialogLost,
            Failure::Unreachable => EndCause::Transport,
        };
        let Some(mut call) = self.take_call(dialog) else {
            return;
        };
        call.phase = match call.phase {
            Phase::Talking(talking) => self.break_off(*talking, cause, step),
            other @ (Phase::Inviting(_) | Phase::Ringing(_) | Phase::Leaving(_)) => other,
        };
        self.keep_call(dialog, call);
    }

    /// What the owner still owed an answer to gets one: 487 (RFC 3261 §15.1.2).
    fn abandon_exchange(&mut self, talking: &Talking, step: &mut Step) {
        if let Exchange::Theirs(theirs) = &talking.exchange {
            self.answer_inside(theirs.server, &talking.contact, Answer::code(487), step);
        }
        if let Some(Served::Asked { server, .. }) = &talking.served {
            self.answer_inside(*server, &talking.contact, Answer::code(487), step);
        }
    }
}

impl Call {
    /// Whether the owner has already been told of the end: it hears of nothing after that.
    pub(super) fn is_over_for_owner(&self) -> bool {
        match &self.phase {
            Phase::Inviting(inviting) => !matches!(inviting.intent, Intent::Wanted),
            Phase::Ringing(ringing) => ringing.reliable.is_left(),
            Phase::Talking(_) => false,
            Phase::Leaving(_) => true,
        }
    }
}
