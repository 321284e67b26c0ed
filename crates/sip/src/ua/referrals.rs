//! Transfers that a peer asks for: REFER inside a call (RFC 3515), answered by the owner, and what
//! the peer is told of the new call by NOTIFY, unless it wants to hear nothing (RFC 4488).
//!
//! One is served at a time, and what is told of it ends with the call, if not before.

use std::time::Duration;

use clock::Time;

use super::call::{Call, LastWord, Leaving, Phase, Rest, Talking};
use super::clients::{Answered, Failure, Owner};
use super::inside::Outgoing;
use super::keys::ServerKey;
use super::notices::Notices;
use super::step::Step;
use super::types::{Answer, DialogId, Event, Output, Referral, Replaces};
use super::{Arrival, Ua};
use crate::bytes::as_str;
use crate::dialog::Dialog;
use crate::transaction::{LIFETIME, T2};
use crate::{Message, Method, Name, NameAddr, Scheme, Uri, Writer, reason_phrase};

/// How long a peer is told of the call it asked for, at most.
const TOLD_FOR: Duration = Duration::from_mins(3);
/// The type of the body that says how the new call goes (RFC 3420).
const SIPFRAG: &str = "message/sipfrag;version=2.0";

/// A REFER that is being served.
pub(crate) enum Served {
    /// The owner has not decided.
    Asked {
        /// The transaction.
        server: ServerKey,
        /// The number of the REFER.
        number: u32,
        /// What the peer wants to hear.
        hearing: Hearing,
        /// When it is refused in the owner's place.
        give_up_at: Time,
    },
    /// The peer is told how the new call goes.
    Told {
        /// The value of the Event header.
        event: Box<str>,
        /// What is on its way.
        notices: Notices<Stand>,
        /// What it was told last.
        last: u16,
        /// When it is told no more.
        until: Time,
    },
    /// The peer has been told all; its answer to the last NOTIFY is awaited.
    Closing,
}

/// Whether who sent a REFER wants to hear of its success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// By NOTIFY.
    Notify,
    /// Not at all: `Refer-Sub: false` (RFC 4488).
    Nothing,
}

/// How the new call stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stand {
    code: u16,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There will be more to tell.
    Active,
    /// This was the last.
    Over,
    /// Nothing more was heard of the call in time.
    TimeOut,
}

impl Served {
    /// When something must be done about it.
    pub(crate) fn deadline(&self) -> Option<Time> {
        match self {
            Self::Asked { give_up_at, .. } => Some(*give_up_at),
            Self::Told { until, .. } => Some(*until),
            Self::Closing => None,
        }
    }

    /// Whether the last word to the peer is on its way or about to be.
    pub(crate) fn has_last_word(&self) -> bool {
        match self {
            Self::Asked { .. } => false,
            Self::Told { notices, .. } => notices
                .next()
                .is_some_and(|stand| stand.state == State::Over),
            Self::Closing => true,
        }
    }
}

impl Ua {
    /// Accepts what [`Event::Referred`] told of: 202. How the new call goes is told by
    /// [`Self::tell_referrer`].
    pub fn accept_referral(&mut self, now: Time, dialog: DialogId) -> Vec<Output> {
        let mut step = Step::at(now);
        self.in_talk(dialog, |ua, talking| ua.take_referral(talking, &mut step));
        step.finish()
    }

    /// Refuses what [`Event::Referred`] told of, with an answer of 300 or more.
    pub fn refuse_referral(&mut self, now: Time, dialog: DialogId, answer: Answer) -> Vec<Output> {
        let mut step = Step::at(now);
        self.in_talk(dialog, |ua, talking| {
            ua.drop_referral(talking, answer, &mut step);
        });
        step.finish()
    }

    /// Tells the peer how the call it asked for goes, by the status code of its last answer; 200
    /// and more is the last word. Does nothing for a peer that wants to hear nothing.
    pub fn tell_referrer(&mut self, now: Time, dialog: DialogId, code: u16) -> Vec<Output> {
        let mut step = Step::at(now);
        let state = if code < 200 {
            State::Active
        } else {
            State::Over
        };
        self.in_talk(dialog, |ua, talking| {
            ua.tell(talking, Stand { code, state }, &mut step);
        });
        step.finish()
    }

    /// Asks the peer to call `target` in our place, a URI or a name with one (RFC 3515 §2.1), and to
    /// tell us nothing of it (RFC 4488): who is put through hangs up.
    pub fn refer(&mut self, now: Time, dialog: DialogId, target: &str) -> Vec<Output> {
        self.tell_inside(now, dialog, Method::Refer, |writer| {
            writer
                .header("Refer-To", target)
                .header("Refer-Sub", "false")
                .finish()
        })
    }

    /// A REFER.
    pub(super) fn refer_came(
        &mut self,
        call: &mut Call,
        arrival: &Arrival<'_, '_>,
        step: &mut Step,
    ) {
        let busy = match &call.phase {
            Phase::Talking(talking) => match talking.served {
                Some(Served::Asked { .. } | Served::Told { .. }) => true,
                Some(Served::Closing) | None => false,
            },
            Phase::Inviting(_) | Phase::Ringing(_) | Phase::Leaving(_) => true,
        };
        let is_full = self.servers.len() >= self.limits.max_server_transactions;
        let answer = match read(arrival.message) {
            None => Some(Answer::code(400)),
            Some(_) if is_full => Some(Self::busy()),
            Some(_) if busy => Some(self.come_again()),
            Some(_) => None,
        };
        if let Some(answer) = answer {
            return self.answer_once(arrival, answer, step);
        }
        let (Phase::Talking(talking), Some(referral)) = (&mut call.phase, read(arrival.message))
        else {
            return;
        };
        let dialog = talking.dialog.tag.dialog;
        talking.dialog.refresh_target(arrival.message);
        talking.served = Some(Served::Asked {
            server: arrival.key,
            number: arrival.message.cseq().map_or(0, |cseq| cseq.number),
            hearing: Hearing::of(arrival.message),
            // The peer gives up after 64 × T1; the answer needs some time to arrive.
            give_up_at: step.now + LIFETIME.saturating_sub(2 * T2),
        });
        self.open_inside(dialog, arrival, step);
        step.event(Event::Referred {
            dialog,
            referral: Box::new(referral),
        });
    }

    /// A SUBSCRIBE inside a call: it can only prolong or end what a REFER began (RFC 3515 §2.4.4).
    pub(super) fn subscribe_in_call_came(
        &mut self,
        call: &mut Call,
        arrival: &Arrival<'_, '_>,
        step: &mut Step,
    ) {
        let served = match &mut call.phase {
            Phase::Talking(talking) => talking.served.as_mut(),
            Phase::Inviting(_) | Phase::Ringing(_) | Phase::Leaving(_) => None,
        };
        let expires = arrival.message.expires();
        let answer = match served {
            Some(Served::Told { until, .. }) if expires != Some(0) => {
                *until = step.now + TOLD_FOR;
                Answer::code(200).header("Expires", &TOLD_FOR.as_secs().to_string())
            }
            Some(Served::Told { .. }) => Answer::code(200).header("Expires", "0"),
            Some(Served::Asked { .. } | Served::Closing) | None => Answer::code(481),
        };
        let code = answer.code;
        self.answer_once(arrival, answer, step);
        let Phase::Talking(talking) = &mut call.phase else {
            return;
        };
        let Some(Served::Told { last, .. }) = talking.served else {
            return;
        };
        let state = match expires {
            Some(0) => State::TimeOut,
            Some(_) | None => State::Active,
        };
        if code == 200 {
            self.tell(talking, Stand { code: last, state }, step);
        }
    }

    /// The final answer to a NOTIFY about a REFER, or none.
    pub(super) fn notify_answered(
        &mut self,
        id: DialogId,
        outcome: Result<&Answered<'_, '_>, Failure>,
        step: &mut Step,
    ) {
        let Some(mut call) = self.take_call(id) else {
            return;
        };
        let credentials = call.credentials.as_deref();
        let (dialog, contact, served) = match &mut call.phase {
            Phase::Talking(talking) => {
                let Talking {
                    dialog,
                    contact,
                    served,
                    ..
                } = &mut **talking;
                (dialog, &*contact, served)
            }
            Phase::Leaving(leaving) => {
                let Leaving { dialog, rest } = &mut **leaving;
                let Rest::LastWord(LastWord {
                    contact, served, ..
                }) = rest
                else {
                    return self.keep_call(id, call);
                };
                (dialog, &*contact, served)
            }
            Phase::Inviting(_) | Phase::Ringing(_) => return self.keep_call(id, call),
        };
        let is_again = outcome.is_ok_and(|answered| {
            self.inside_again(dialog, credentials, answered, step)
                .is_some()
        });
        if !is_again {
            let is_heard = outcome.is_ok_and(|answered| answered.code < 300);
            match served {
                Some(Served::Told { notices, .. }) if is_heard => {
                    if let Some(next) = notices.answered() {
                        self.send_stand((dialog, contact), served, next, step);
                    }
                }
                // RFC 6665 §4.2.2: who refuses a NOTIFY gets no more of them. The call goes on.
                Some(Served::Told { .. } | Served::Closing) => *served = None,
                Some(Served::Asked { .. }) | None => {}
            }
        }
        call.phase = self.leave_when_told(call.phase, step);
        self.keep_call(id, call);
    }

    /// Who has let go hangs up once the peer has had the last word of its transfer.
    fn leave_when_told(&mut self, phase: Phase, step: &mut Step) -> Phase {
        match phase {
            Phase::Leaving(leaving) => match leaving.rest {
                Rest::LastWord(LastWord {
                    served: None,
                    reason,
                    ..
                }) => self.send_bye(leaving.dialog, reason.as_ref(), step),
                Rest::LastWord(_) | Rest::Acknowledgement(..) | Rest::ByeAnswer => {
                    Phase::Leaving(leaving)
                }
            },
            other @ (Phase::Inviting(_) | Phase::Ringing(_) | Phase::Talking(_)) => other,
        }
    }

    /// What is due about a REFER.
    pub(super) fn wake_referral(&mut self, talking: &mut Talking, step: &mut Step) {
        let due = talking
            .served
            .as_ref()
            .filter(|it| it.deadline().is_some_and(|at| at <= step.now));
        match due {
            Some(Served::Asked { .. }) => {
                let answer = self.come_again();
                self.drop_referral(talking, answer, step);
            }
            Some(Served::Told { last: code, .. }) => {
                let (code, state) = (*code, State::TimeOut);
                let said = (&mut talking.dialog, &*talking.contact);
                self.send_stand(said, &mut talking.served, Stand { code, state }, step);
            }
            Some(Served::Closing) | None => {}
        }
    }

    /// Refuses a REFER that is still undecided.
    pub(super) fn drop_referral(&mut self, talking: &mut Talking, answer: Answer, step: &mut Step) {
        let asked = talking
            .served
            .take_if(|served| matches!(served, Served::Asked { .. }));
        if let Some(Served::Asked { server, .. }) = asked {
            self.answer_inside(server, &talking.contact, answer, step);
        }
    }

    fn take_referral(&mut self, talking: &mut Talking, step: &mut Step) {
        let served = talking.served.take();
        let Some(Served::Asked {
            server,
            number,
            hearing,
            ..
        }) = served
        else {
            talking.served = served;
            return;
        };
        let mut answer = Answer::code(202);
        if hearing == Hearing::Nothing {
            answer = answer.header("Refer-Sub", "false");
            self.answer_inside(server, &talking.contact, answer, step);
            return;
        }
        self.answer_inside(server, &talking.contact, answer, step);
        // RFC 3515 §2.4.6: the number tells a later REFER of a call from its first one.
        let event = if talking.referrals == 0 {
            "refer".into()
        } else {
            format!("refer;id={number}").into()
        };
        talking.referrals = talking.referrals.saturating_add(1);
        talking.served = Some(Served::Told {
            event,
            notices: Notices::Idle,
            last: 100,
            until: step.now + TOLD_FOR,
        });
        let (code, state) = (100, State::Active);
        self.tell(talking, Stand { code, state }, step);
    }

    fn tell(&mut self, talking: &mut Talking, stand: Stand, step: &mut Step) {
        let Some(Served::Told { notices, last, .. }) = &mut talking.served else {
            return;
        };
        *last = stand.code;
        if let Some(stand) = notices.tell(stand) {
            let said = (&mut talking.dialog, &*talking.contact);
            self.send_stand(said, &mut talking.served, stand, step);
        }
    }

    fn send_stand(
        &mut self,
        (dialog, contact): (&mut Dialog, &str),
        served: &mut Option<Served>,
        stand: Stand,
        step: &mut Step,
    ) {
        let Some(Served::Told { event, until, .. }) = &*served else {
            return;
        };
        let id = dialog.tag.dialog;
        if self.is_full_for(id) {
            *served = None;
            return;
        }
        let left = (*until - step.now).as_secs();
        let state = match stand.state {
            State::Active => format!("active;expires={left}"),
            State::Over => "terminated;reason=noresource".to_owned(),
            State::TimeOut => "terminated;reason=timeout".to_owned(),
        };
        let body = format!("SIP/2.0 {} {}\r\n", stand.code, reason_phrase(stand.code));
        let finish = |writer: Writer| {
            writer
                .header("Contact", contact)
                .header("Event", &**event)
                .header("Subscription-State", state)
                .body(SIPFRAG, body)
        };
        let outgoing = Outgoing {
            method: Method::Notify,
            owner: Owner::Notify(id),
            finish,
        };
        self.send_inside(dialog, outgoing, step);
        if stand.state != State::Active {
            *served = Some(Served::Closing);
        }
    }
}

impl Hearing {
    fn of(refer: &Message<'_>) -> Self {
        let wish = refer.header_named("Refer-Sub").next().unwrap_or_default();
        if wish.to_ascii_lowercase().starts_with(b"false") {
            Self::Nothing
        } else {
            Self::Notify
        }
    }
}

/// What a REFER asks for; `None` when it has not exactly one Refer-To that can be called (RFC 3515
/// §2.4.2).
fn read(refer: &Message<'_>) -> Option<Referral> {
    let mut values = refer.headers(Name::ReferTo);
    let target = NameAddr::parse(values.next()?).filter(|_| values.next().is_none())?;
    let uri = Uri::parse(target.uri).filter(|uri| uri.scheme != Scheme::Other)?;
    let address = target.uri.split(|byte| *byte == b'?').next()?;
    let referred_by = refer.header(Name::ReferredBy);
    Some(Referral {
        refer_to: as_str(address)?.to_owned(),
        replaces: Replaces::of_uri(&uri),
        referred_by: referred_by.map(|value| String::from_utf8_lossy(value).into_owned()),
    })
}
