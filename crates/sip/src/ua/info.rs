//! INFO inside a dialog (RFC 6086 §4.2.2 without packages): DTMF and the like, both ways.

use clock::Time;

use super::call::Phase;
use super::clients::{Answered, Failure, Owner};
use super::inside::Outgoing;
use super::step::Step;
use super::types::{Answer, DialogId, Event, Output};
use super::{Arrival, Ua};
use crate::{Method, Writer};

impl Ua {
    /// Sends an INFO. Nothing is told of its answer, unless it says that the call is lost. A call
    /// that sends too many loses them.
    pub fn info(
        &mut self,
        now: Time,
        dialog: DialogId,
        content_type: &str,
        body: Vec<u8>,
    ) -> Vec<Output> {
        let finish = |writer: Writer| writer.body(content_type, body);
        self.tell_inside(now, dialog, Method::Info, finish)
    }

    /// Sends a request whose answer nobody waits for.
    pub(super) fn tell_inside(
        &mut self,
        now: Time,
        dialog: DialogId,
        method: Method,
        finish: impl FnOnce(Writer) -> Vec<u8>,
    ) -> Vec<Output> {
        let mut step = Step::at(now);
        if self.is_full_for(dialog) {
            return Vec::new();
        }
        self.in_talk(dialog, |ua, talking| {
            let owner = Owner::Info(dialog);
            let outgoing = Outgoing {
                method,
                owner,
                finish,
            };
            ua.send_inside(&mut talking.dialog, outgoing, &mut step);
        });
        step.finish()
    }

    /// An INFO, which is answered before it is understood.
    pub(super) fn info_came(
        &mut self,
        dialog: DialogId,
        arrival: &Arrival<'_, '_>,
        step: &mut Step,
    ) {
        self.answer_once(arrival, Answer::code(200), step);
        let content_type = arrival.message.content_type().unwrap_or_default();
        let essence = content_type
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default();
        step.event(Event::Info {
            dialog,
            content_type: String::from_utf8_lossy(essence).trim().to_ascii_lowercase(),
            body: arrival.message.body().to_vec(),
        });
    }

    /// The final answer to an INFO of ours.
    pub(super) fn info_answered(
        &mut self,
        dialog: DialogId,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) {
        if matches!(answered.code, 408 | 481) {
            return self.call_lost(dialog, Failure::TimeOut, step);
        }
        let Some(mut call) = self.take_call(dialog) else {
            return;
        };
        let credentials = call.credentials.as_deref();
        if let Phase::Talking(talking) = &mut call.phase {
            self.inside_again(&mut talking.dialog, credentials, answered, step);
        }
        self.keep_call(dialog, call);
    }
}
