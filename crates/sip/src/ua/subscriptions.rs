//! Those who want to be told of a state: SUBSCRIBE, answered by the owner, and the NOTIFYs that
//! follow (RFC 6665), for lamps, mailboxes and presence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::Time;

use super::clients::{Answered, Failure, Owner};
use super::compose::{self, Head};
use super::inside::Outgoing;
use super::keys::{ServerKey, server_key};
use super::notices::Notices;
use super::outside::destination;
use super::servers::{Composed, Opening};
use super::step::Step;
use super::timers::Timer;
use super::types::{
    Answer, DialogId, Event, Incoming, Output, Refusal, SubscriptionEnd, SubscriptionId,
    SubscriptionNews,
};
use super::{Arrival, Ua};
use crate::bytes::{split_at_option, trim};
use crate::dialog::{Dialog, Tag};
use crate::{Aor, Message, Method, Name, Uri, Writer};

/// Subscriptions of one subscriber: a desk phone with every extension module has fewer lamps.
/// Beyond it the oldest is displaced.
pub(crate) const MAX_PER_SUBSCRIBER: usize = 200;
/// Subscriptions in all; beyond it new ones are refused with 503.
const MAX_SUBSCRIPTIONS: usize = 100_000;
/// The shortest time that is granted, in seconds; shorter wishes are answered 423.
const MIN_EXPIRES_SECONDS: u32 = 60;
/// The longest, and what is granted to who asks for no time (RFC 4235 §3.4, RFC 3842 §3.3).
const MAX_EXPIRES_SECONDS: u32 = 3_600;
/// How long the owner may take to tell the state to who asks only once.
const ONCE_PATIENCE: Duration = Duration::from_secs(10);
/// The pause after more was told than can be remembered.
const NOTIFY_AGAIN: Duration = Duration::from_secs(1);

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Package {
    /// The calls of somebody (RFC 4235): lamps.
    Dialog,
    /// The messages in a mailbox (RFC 3842).
    MessageSummary,
    /// Whether somebody can be reached (RFC 3856).
    Presence,
}

impl Package {
    const ALL: [Self; 3] = [Self::Dialog, Self::MessageSummary, Self::Presence];

    /// The one that a SUBSCRIBE asks for.
    pub fn of(subscribe: &Message<'_>) -> Option<Self> {
        let value = subscribe.header(Name::Event)?;
        let semicolon = value.iter().position(|byte| *byte == b';');
        let name = trim(split_at_option(value, semicolon).0);
        let mut all = Self::ALL.into_iter();
        all.find(|package| package.name().as_bytes() == name)
    }

    /// The value of the Event header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dialog => "dialog",
            Self::MessageSummary => "message-summary",
            Self::Presence => "presence",
        }
    }

    /// The type of the document that tells the state.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Dialog => "application/dialog-info+xml",
            Self::MessageSummary => "application/simple-message-summary",
            Self::Presence => "application/pidf+xml",
        }
    }

    /// All of them, as the value of Allow-Events.
    pub const ALLOW_EVENTS: &str = "dialog, message-summary, presence";
}

/// Why the owner ends a subscription (RFC 6665 §4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Termination {
    /// The subscriber shall subscribe anew at once.
    Deactivated,
    /// It may not know the state any more.
    Rejected,
    /// What it subscribed to is no more.
    NoResource,
}

impl Termination {
    const fn state(self) -> &'static str {
        match self {
            Self::Deactivated => "terminated;reason=deactivated",
            Self::Rejected => "terminated;reason=rejected",
            Self::NoResource => "terminated;reason=noresource",
        }
    }
}

/// What is told when the time has run out or nothing more is wanted.
const TIMED_OUT: &str = "terminated;reason=timeout";

/// Somebody who is told of a state.
pub(crate) struct Subscription {
    dialog: Dialog,
    contact: Box<str>,
    subscriber: Aor,
    package: Package,
    /// What it subscribed to, as its Request-URI says.
    resource: Box<[u8]>,
    /// The value of the Event header, with its id.
    event: Box<str>,
    wish: Wish,
    expires_at: Time,
    notices: Notices<Vec<u8>>,
    /// When what could not be sent is tried again.
    again: Option<(Time, Vec<u8>)>,
    armed: Option<Time>,
}

/// What makes a subscription, besides its SUBSCRIBE.
struct Asked {
    subscriber: Aor,
    package: Package,
    tag: Tag,
    seconds: u32,
}

/// What a subscriber wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// To hear of every change.
    Lasting,
    /// The state, once: `Expires: 0`.
    Once,
}

impl SubscriptionId {
    /// Its dialog, which is no call.
    pub(super) fn dialog(self) -> DialogId {
        DialogId(self.0)
    }
}

/// All who are told of something.
#[derive(Default)]
pub(crate) struct Subscriptions {
    table: BTreeMap<SubscriptionId, Subscription>,
    of_subscriber: BTreeSet<(Aor, SubscriptionId)>,
}

impl Subscriptions {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    fn of(&self, subscriber: Aor) -> Vec<SubscriptionId> {
        let (low, high) = (SubscriptionId(0), SubscriptionId(u64::MAX));
        let range = (subscriber, low)..=(subscriber, high);
        self.of_subscriber.range(range).map(|(_, id)| *id).collect()
    }
}

impl Ua {
    /// Takes a SUBSCRIBE on that [`Event::Request`] told of. The owner has seen who it is from,
    /// and tells the whole state by [`Self::notify`] next, and whenever it changes.
    pub fn subscribe(
        &mut self,
        now: Time,
        incoming: &Incoming,
        subscriber: Aor,
    ) -> Result<(SubscriptionId, Vec<Output>), Refusal> {
        let message = incoming.message();
        let refused = |answer| Err(Refusal { answer });
        let Some(package) = Package::of(&message) else {
            let answer = Answer::code(489).header("Allow-Events", Package::ALLOW_EVENTS);
            return refused(answer);
        };
        let seconds = match granted(&message) {
            Ok(seconds) => seconds,
            Err(answer) => return refused(answer),
        };
        let key = server_key(self.key, &message).filter(|key| {
            self.servers.find(*key).is_none()
                && self.servers.len() < self.limits.max_server_transactions
                && self.subscriptions.len() < MAX_SUBSCRIPTIONS
        });
        let Some(key) = key else {
            return refused(Self::busy());
        };
        let mut step = Step::at(now);
        let id = SubscriptionId(self.next_dialog_id().0);
        let tag = Tag {
            dialog: id.dialog(),
            secret: self.random.next(),
        };
        let asked = Asked {
            subscriber,
            package,
            tag,
            seconds,
        };
        let subscription = self.subscription(incoming, &asked, now);
        self.make_room(&subscription, &mut step);
        self.accept_subscribe((key, incoming), &subscription, &asked, &mut step);
        self.subscriptions.of_subscriber.insert((subscriber, id));
        self.keep_subscription(id, subscription);
        Ok((id, step.finish()))
    }

    /// Tells a subscriber the state. What waits for the answer to an earlier NOTIFY is replaced.
    pub fn notify(&mut self, now: Time, id: SubscriptionId, body: Vec<u8>) -> Vec<Output> {
        let mut step = Step::at(now);
        let Some(mut subscription) = self.take_subscription(id) else {
            return Vec::new();
        };
        if subscription.wish == Wish::Once {
            self.tell_last(id, &mut subscription, (TIMED_OUT, Some(body)), &mut step);
            self.ended(id, &subscription, SubscriptionEnd::Unsubscribed, &mut step);
            return step.finish();
        }
        subscription.again = None;
        if let Some(body) = subscription.notices.tell(body) {
            self.tell_state(id, &mut subscription, body, &mut step);
        }
        self.keep_subscription(id, subscription);
        step.finish()
    }

    /// Ends a subscription; nothing is told of it any more.
    pub fn end_subscription(
        &mut self,
        now: Time,
        id: SubscriptionId,
        why: Termination,
    ) -> Vec<Output> {
        let mut step = Step::at(now);
        if let Some(mut subscription) = self.take_subscription(id) {
            self.tell_last(id, &mut subscription, (why.state(), None), &mut step);
            self.forget_subscription(id, &subscription);
        }
        step.finish()
    }

    /// The subscription that a request is inside of.
    pub(super) fn subscription_of(&self, request: &Message<'_>) -> Option<SubscriptionId> {
        let tag = Tag::parse(request.to()?.tag()?)?;
        let id = SubscriptionId(tag.dialog.0);
        let subscription = self.subscriptions.table.get(&id)?;
        subscription.dialog.has(tag, request).then_some(id)
    }

    /// A request inside a subscription: it is prolonged, or ended.
    pub(super) fn subscribe_inside_came(
        &mut self,
        id: SubscriptionId,
        arrival: &Arrival<'_, '_>,
        step: &mut Step,
    ) {
        let arrival = &Arrival {
            inside: Some(id.dialog()),
            ..*arrival
        };
        let Some(mut subscription) = self.take_subscription(id) else {
            return;
        };
        if let Some(answer) = subscription.refusal(arrival) {
            self.answer_once(arrival, answer, step);
            return self.keep_subscription(id, subscription);
        }
        if self.servers.is_full_for(id.dialog()) {
            let answer = self.come_again();
            self.answer_stateless(arrival.message, arrival.source, answer, step);
            return self.keep_subscription(id, subscription);
        }
        let seconds = match granted(arrival.message) {
            Ok(seconds) => seconds,
            Err(answer) => {
                self.answer_once(arrival, answer, step);
                return self.keep_subscription(id, subscription);
            }
        };
        subscription.dialog.refresh_target(arrival.message);
        self.answer_once(arrival, subscription.accepted(seconds), step);
        if seconds == 0 {
            self.tell_last(id, &mut subscription, (TIMED_OUT, None), step);
            return self.ended(id, &subscription, SubscriptionEnd::Unsubscribed, step);
        }
        subscription.expires_at = step.now + Duration::from_secs(seconds.into());
        self.keep_subscription(id, subscription);
        step.event(Event::Subscription {
            subscription: id,
            news: SubscriptionNews::Refreshed,
        });
    }

    /// The final answer to a NOTIFY, or none (RFC 6665 §4.2.2).
    pub(super) fn notification_answered(
        &mut self,
        id: SubscriptionId,
        outcome: Result<&Answered<'_, '_>, Failure>,
        step: &mut Step,
    ) {
        let Some(mut subscription) = self.take_subscription(id) else {
            return;
        };
        if outcome.map_or(true, |answered| is_gone(answered.code)) {
            return self.ended(id, &subscription, SubscriptionEnd::Lost, step);
        }
        if let Some(body) = subscription.notices.answered() {
            self.tell_state(id, &mut subscription, body, step);
        }
        self.keep_subscription(id, subscription);
    }

    /// The time of a subscription has come.
    pub(super) fn wake_subscription(&mut self, id: SubscriptionId, step: &mut Step) {
        if let Some(subscription) = self.subscriptions.table.get_mut(&id) {
            subscription.armed = None;
        }
        let Some(mut subscription) = self.take_subscription(id) else {
            return;
        };
        if subscription.expires_at <= step.now {
            self.tell_last(id, &mut subscription, (TIMED_OUT, None), step);
            return self.ended(id, &subscription, SubscriptionEnd::Expired, step);
        }
        if let Some((_, body)) = subscription.again.take_if(|(at, _)| *at <= step.now)
            && let Some(body) = subscription.notices.tell(body)
        {
            self.tell_state(id, &mut subscription, body, step);
        }
        self.keep_subscription(id, subscription);
    }

    fn subscription(&self, incoming: &Incoming, asked: &Asked, now: Time) -> Subscription {
        let message = incoming.message();
        let line = message.request_line();
        let resource = line.map(|line| line.uri).unwrap_or_default();
        let user = Uri::parse(resource).and_then(|uri| uri.user_decoded());
        let user = user.map(|user| String::from_utf8_lossy(&user).into_owned());
        let event = message.header(Name::Event).unwrap_or_default();
        let (wish, lasts) = match asked.seconds {
            0 => (Wish::Once, ONCE_PATIENCE),
            seconds => (Wish::Lasting, Duration::from_secs(seconds.into())),
        };
        let contact = self
            .identity
            .contact(incoming.source.transport, user.as_deref());
        Subscription {
            dialog: Dialog::called(&message, incoming.source, asked.tag),
            contact: contact.into(),
            subscriber: asked.subscriber,
            package: asked.package,
            resource: resource.into(),
            event: String::from_utf8_lossy(event).into(),
            wish,
            expires_at: now + lasts,
            notices: Notices::Idle,
            again: None,
            armed: None,
        }
    }

    /// Answers the SUBSCRIBE that makes a subscription.
    fn accept_subscribe(
        &mut self,
        (key, incoming): (ServerKey, &Incoming),
        subscription: &Subscription,
        asked: &Asked,
        step: &mut Step,
    ) {
        let message = incoming.message();
        let head = Head::of_call(&message, incoming.source, &asked.tag.to_string());
        let answer = subscription.accepted(asked.seconds);
        let code = answer.code;
        let bytes = compose::finish_answer(self.identity.answer(&head, &answer), answer);
        let opening = Opening {
            key,
            method: Method::Subscribe,
            to: destination(&message, incoming.source),
            head: Head::default(),
            call: Some(asked.tag.dialog),
            merge: None,
        };
        self.open_server(opening, step);
        self.answer_server(key, Composed { code, bytes }, step);
    }

    /// The same phone that asks again after a restart, and the oldest of too many, make room.
    fn make_room(&mut self, new: &Subscription, step: &mut Step) {
        let mut all = self.subscriptions.of(new.subscriber);
        let same = all.iter().position(|id| {
            let old = self.subscriptions.table.get(id);
            old.is_some_and(|old| new.replaces(old))
        });
        if let Some(place) = same {
            let id = all.remove(place);
            if let Some(old) = self.take_subscription(id) {
                self.ended(id, &old, SubscriptionEnd::Displaced, step);
            }
        }
        if let Some(oldest) = all.first().filter(|_| all.len() >= MAX_PER_SUBSCRIBER)
            && let Some(mut old) = self.take_subscription(*oldest)
        {
            let state = Termination::Rejected.state();
            self.tell_last(*oldest, &mut old, (state, None), step);
            self.ended(*oldest, &old, SubscriptionEnd::Displaced, step);
        }
    }

    fn tell_state(
        &mut self,
        id: SubscriptionId,
        subscription: &mut Subscription,
        body: Vec<u8>,
        step: &mut Step,
    ) {
        if self.is_full_for(id.dialog()) {
            let _idle = subscription.notices.answered();
            subscription.again = Some((step.now + NOTIFY_AGAIN, body));
            return;
        }
        let left = (subscription.expires_at - step.now).as_secs();
        let state = format!("active;expires={left}");
        let owner = Owner::Notification(id);
        self.send_notify(subscription, (&state, Some(body)), owner, step);
    }

    /// The last word. Nobody cares for its answer.
    fn tell_last(
        &mut self,
        id: SubscriptionId,
        subscription: &mut Subscription,
        words: (&str, Option<Vec<u8>>),
        step: &mut Step,
    ) {
        if !self.is_full_for(id.dialog()) {
            self.send_notify(subscription, words, Owner::Nobody, step);
        }
    }

    fn send_notify(
        &mut self,
        subscription: &mut Subscription,
        (state, body): (&str, Option<Vec<u8>>),
        owner: Owner,
        step: &mut Step,
    ) {
        let Subscription {
            dialog,
            contact,
            package,
            event,
            ..
        } = subscription;
        let finish = |writer: Writer| {
            let writer = writer
                .header("Contact", &**contact)
                .header("Event", &**event)
                .header("Subscription-State", state);
            compose::finish(
                writer,
                body.map(|body| (package.content_type().to_owned(), body)),
            )
        };
        let outgoing = Outgoing {
            method: Method::Notify,
            owner,
            finish,
        };
        self.send_inside(dialog, outgoing, step);
    }

    fn ended(
        &mut self,
        id: SubscriptionId,
        subscription: &Subscription,
        why: SubscriptionEnd,
        step: &mut Step,
    ) {
        self.forget_subscription(id, subscription);
        step.event(Event::Subscription {
            subscription: id,
            news: SubscriptionNews::Ended(why),
        });
    }

    fn forget_subscription(&mut self, id: SubscriptionId, subscription: &Subscription) {
        let entry = (subscription.subscriber, id);
        self.subscriptions.of_subscriber.remove(&entry);
    }

    /// Takes a subscription out of the table; [`Self::keep_subscription`] puts it back.
    fn take_subscription(&mut self, id: SubscriptionId) -> Option<Subscription> {
        let mut subscription = self.subscriptions.table.remove(&id)?;
        self.timers
            .arm(Timer::Subscription(id), &mut subscription.armed, None);
        Some(subscription)
    }

    fn keep_subscription(&mut self, id: SubscriptionId, mut subscription: Subscription) {
        let again = subscription.again.as_ref().map(|(at, _)| *at);
        let next = again.map_or(subscription.expires_at, |at| {
            at.min(subscription.expires_at)
        });
        self.timers
            .arm(Timer::Subscription(id), &mut subscription.armed, Some(next));
        self.subscriptions.table.insert(id, subscription);
    }
}

impl Subscription {
    /// Whether it is the same phone that wants to know the same.
    fn replaces(&self, old: &Self) -> bool {
        self.package == old.package
            && self.resource == old.resource
            && self.dialog.target() == old.dialog.target()
    }

    fn accepted(&self, seconds: u32) -> Answer {
        Answer::code(200)
            .header("Contact", &self.contact)
            .header("Expires", &seconds.to_string())
    }

    /// What is answered to a request inside it before its wish is looked at.
    fn refusal(&mut self, arrival: &Arrival<'_, '_>) -> Option<Answer> {
        let message = arrival.message;
        let number = message.cseq().map_or(0, |cseq| cseq.number);
        if self.dialog.advance(number).is_err() {
            return Some(Answer::code(500));
        }
        self.dialog.saw(arrival.source);
        if message.method() != Method::Subscribe {
            return Some(Answer::code(405).header("Allow", Method::Subscribe.as_str()));
        }
        let is_other = Package::of(message) != Some(self.package);
        is_other.then(|| Answer::code(489).header("Allow-Events", Package::ALLOW_EVENTS))
    }
}

/// The seconds that a SUBSCRIBE is granted, or why it is refused.
fn granted(subscribe: &Message<'_>) -> Result<u32, Answer> {
    match subscribe.expires().unwrap_or(MAX_EXPIRES_SECONDS) {
        0 => Ok(0),
        1..MIN_EXPIRES_SECONDS => {
            Err(Answer::code(423).header("Min-Expires", &MIN_EXPIRES_SECONDS.to_string()))
        }
        seconds => Ok(seconds.min(MAX_EXPIRES_SECONDS)),
    }
}

/// Whether an answer to NOTIFY says that there is no subscription any more (RFC 6665 §4.2.2).
fn is_gone(code: u16) -> bool {
    matches!(
        code,
        404 | 405 | 408 | 410 | 416 | 480..=485 | 489 | 501 | 604
    )
}
