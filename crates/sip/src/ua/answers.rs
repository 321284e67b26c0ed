//! Answers to our requests, handed to who asked.

use super::Ua;
use super::call::Phase;
use super::clients::{Answered, Client, Failure, Owner};
use super::requests::request_failed;
use super::step::Step;

impl Ua {
    /// An answer has come that the transaction passes on.
    pub(super) fn deliver(&mut self, answered: &Answered<'_, '_>, step: &mut Step) {
        let Some(client) = self.clients.find(answered.key) else {
            return;
        };
        let owner = client.owner.clone();
        let is_provisional = answered.code < 200;
        match owner {
            Owner::Invite(dialog) => match answered.code {
                ..200 => self.invite_proceeds(dialog, answered, step),
                200..300 => self.invite_accepted(dialog, answered, step),
                300.. => self.invite_refused(dialog, answered, step),
            },
            _ if is_provisional => {}
            Owner::Reinvite(dialog) => self.reinvite_answered(dialog, answered, step),
            Owner::Update(dialog) => self.update_answered(dialog, answered, step),
            Owner::Info(dialog) => self.info_answered(dialog, answered, step),
            Owner::Prack(dialog) => self.prack_answered(dialog, answered, step),
            Owner::Notify(dialog) => self.notify_answered(dialog, Ok(answered), step),
            Owner::Notification(subscription) => {
                self.notification_answered(subscription, Ok(answered), step);
            }
            Owner::Bye(dialog) => self.bye_answered(dialog, answered, step),
            Owner::Request(id, credentials) => {
                self.request_answered(id, credentials.as_deref(), answered, step);
            }
            Owner::Nobody => {}
        }
    }

    /// No answer came; the transaction is gone already.
    pub(super) fn no_answer(&mut self, client: &Client, failure: Failure, step: &mut Step) {
        match &client.owner {
            Owner::Invite(dialog) => self.invite_failed(*dialog, failure, step),
            Owner::Request(id, _) => request_failed(*id, &client.bytes, failure, step),
            // The INVITE itself tells whether the peer is there.
            Owner::Nobody | Owner::Prack(_) => {}
            Owner::Notify(dialog) => self.notify_answered(*dialog, Err(failure), step),
            Owner::Notification(subscription) => {
                self.notification_answered(*subscription, Err(failure), step);
            }
            // The BYE has gone: nothing that was sent before it matters any more.
            Owner::Reinvite(dialog) | Owner::Update(dialog) | Owner::Info(dialog)
                if self.is_leaving(*dialog) => {}
            Owner::Reinvite(dialog)
            | Owner::Update(dialog)
            | Owner::Info(dialog)
            | Owner::Bye(dialog)
                if failure == Failure::Unreachable
                    && self.by_detour(*dialog, client, step).is_some() => {}
            Owner::Reinvite(dialog) | Owner::Update(dialog) | Owner::Info(dialog) => {
                self.call_lost(*dialog, failure, step);
            }
            // RFC 3261 §15.1.1: the call was over when the BYE was sent.
            Owner::Bye(dialog) => self.forget_leaving(*dialog),
        }
    }

    fn is_leaving(&self, dialog: super::DialogId) -> bool {
        let call = self.calls.get(&dialog);
        call.is_some_and(|call| matches!(call.phase, Phase::Leaving(_)))
    }

    fn forget_leaving(&mut self, dialog: super::DialogId) {
        let Some(call) = self.take_call(dialog) else {
            return;
        };
        if !matches!(call.phase, Phase::Leaving(_)) {
            self.keep_call(dialog, call);
        }
    }
}
