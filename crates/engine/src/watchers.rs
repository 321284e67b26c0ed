//! Phones that watch: lamps that show whether a colleague talks (RFC 4235), and whether messages
//! wait (RFC 3842).
//!
//! `sip` keeps the subscriptions and paces their NOTIFYs, `pbx` says how a watched name is. Here is
//! who watches what. All state is told whole, so that a document that was overtaken is no loss.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clock::Time;
use pbx::{AccountId, Line, LineDirection, LineState, Plan};
use sip::documents::{DialogInfo, DialogLine, MessageSummary};
use sip::{Answer, Incoming, Package, Replaces, SubscriptionId, SubscriptionNews, Termination};

use crate::auth::DeviceRef;
use crate::dial::escape_user;
use crate::front::user_of;
use crate::{Engine, Work};

/// Everybody who watches, and what.
#[derive(Default)]
pub(crate) struct Watchers {
    all: BTreeMap<SubscriptionId, Watcher>,
    watched: BTreeMap<Watched, State>,
}

/// One subscription of one phone.
struct Watcher {
    device: Arc<str>,
    watched: Watched,
    /// Documents it was told.
    version: u32,
}

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Watched {
    account: AccountId,
    what: What,
    /// An internal number.
    name: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Calls,
    Mailbox,
}

/// How it is, and who wants to know.
#[derive(Default)]
struct State {
    watchers: BTreeSet<SubscriptionId>,
    /// The calls; `None` until the account has told of them.
    lines: Option<Vec<Line>>,
}

impl What {
    fn of(incoming: &Incoming) -> Option<Self> {
        match Package::of(&incoming.message())? {
            Package::Dialog => Some(Self::Calls),
            Package::MessageSummary => Some(Self::Mailbox),
            Package::Presence => None,
        }
    }
}

impl Watchers {
    /// How many names and mailboxes are watched.
    pub(crate) fn watched_len(&self) -> usize {
        self.watched.len()
    }

    fn of(&self, watched: &Watched) -> Vec<SubscriptionId> {
        let state = self.watched.get(watched);
        state.map_or_else(Vec::new, |state| state.watchers.iter().copied().collect())
    }

    /// Takes a watcher out. Gives what nobody watches any more.
    fn remove(&mut self, id: SubscriptionId) -> Option<Watched> {
        let Watcher { watched, .. } = self.all.remove(&id)?;
        let state = self.watched.get_mut(&watched)?;
        state.watchers.remove(&id);
        if !state.watchers.is_empty() {
            return None;
        }
        self.watched.remove(&watched);
        Some(watched)
    }

    /// The watchers of an account for whom there is a reason to end.
    fn to_end(
        &self,
        account: AccountId,
        reason: impl Fn(&Watcher) -> Option<Termination>,
    ) -> Vec<(SubscriptionId, Termination)> {
        let its = self
            .all
            .iter()
            .filter(|(_, of)| of.watched.account == account);
        its.filter_map(|(id, watcher)| Some((*id, reason(watcher)?)))
            .collect()
    }
}

impl Engine {
    /// Answers a SUBSCRIBE outside dialogs (RFC 6665 §4.2.1).
    pub(crate) fn subscribe(&mut self, now: Time, incoming: &Incoming) {
        let asked = self
            .authenticate(now, &incoming.message(), incoming.source.remote)
            .and_then(|device| Ok((self.wanted(&device, incoming)?, device)));
        let (watched, device) = match asked {
            Ok(asked) => asked,
            Err(answer) => return self.reply(incoming, answer),
        };
        let subscriber = self.directory.aor(device.account, &device.username);
        let id = match self.ua.subscribe(now, incoming, subscriber) {
            Ok((id, outputs)) => {
                self.carry_out(outputs);
                id
            }
            Err(refusal) => return self.reply(incoming, refusal.answer),
        };
        let state = self.watchers.watched.entry(watched.clone()).or_default();
        let is_first = state.watchers.is_empty();
        state.watchers.insert(id);
        let watcher = Watcher {
            device: device.username,
            watched: watched.clone(),
            version: 0,
        };
        self.watchers.all.insert(id, watcher);
        if is_first && watched.what == What::Calls {
            self.ask_account(watched);
        } else {
            self.tell_watcher(now, id);
        }
    }

    /// What a device wants to watch, if it may.
    fn wanted(&self, device: &DeviceRef, incoming: &Incoming) -> Result<Watched, Answer> {
        let what = What::of(incoming)
            .ok_or_else(|| Answer::code(489).header("Allow-Events", ALLOW_EVENTS))?;
        let message = incoming.message();
        let asked = message.request_line().and_then(|line| user_of(line.uri));
        let plan = self.plan(device.account);
        let name = plan
            .zip(asked)
            .and_then(|(plan, asked)| watchable(plan, &asked));
        let name = name.ok_or_else(|| Answer::code(404))?;
        let watched = Watched {
            account: device.account,
            what,
            name,
        };
        let may = plan.is_some_and(|plan| may_watch(plan, &device.username, &watched));
        may.then_some(watched).ok_or_else(|| Answer::code(403))
    }

    /// News of a subscription.
    pub(crate) fn subscription_news(
        &mut self,
        now: Time,
        id: SubscriptionId,
        news: &SubscriptionNews,
    ) {
        match news {
            SubscriptionNews::Refreshed => self.tell_watcher(now, id),
            SubscriptionNews::Ended(_) => self.watcher_gone(id),
        }
    }

    /// The account says how a name is from now on.
    pub(crate) fn lamp_changed(
        &mut self,
        now: Time,
        account: AccountId,
        name: Arc<str>,
        lines: Vec<Line>,
    ) {
        let what = What::Calls;
        let watched = Watched {
            account,
            what,
            name,
        };
        if let Some(state) = self.watchers.watched.get_mut(&watched) {
            state.lines = Some(lines);
        }
        for id in self.watchers.of(&watched) {
            self.tell_watcher(now, id);
        }
    }

    /// A mailbox holds another number of messages.
    pub(crate) fn mailbox_changed(
        &mut self,
        now: Time,
        account: AccountId,
        user: Arc<str>,
        counts: pbx::MailboxCounts,
    ) {
        let name = Arc::clone(&user);
        self.pbx_input(now, account, pbx::Input::Mailbox { user, counts });
        let what = What::Mailbox;
        let watched = Watched {
            account,
            what,
            name,
        };
        for id in self.watchers.of(&watched) {
            self.tell_watcher(now, id);
        }
    }

    /// Another plan is in force: nobody watches whom there is not any more, nor from a device that
    /// is no more.
    pub(crate) fn review_watchers(&mut self, now: Time, plan: &Plan) {
        let over = self.watchers.to_end(plan.account, |watcher| {
            if !may_watch(plan, &watcher.device, &watcher.watched) {
                return Some(Termination::Rejected);
            }
            let is_there = watchable(plan, &watcher.watched.name).is_some();
            (!is_there).then_some(Termination::NoResource)
        });
        self.end_watchers(now, over);
    }

    /// The account is no more.
    pub(crate) fn watchers_removed(&mut self, now: Time, account: AccountId) {
        let over = self
            .watchers
            .to_end(account, |_| Some(Termination::NoResource));
        self.end_watchers(now, over);
    }

    /// The account has lost what it knew, by a fault: it is asked anew.
    pub(crate) fn watch_again(&mut self, account: AccountId) {
        let names = self.watchers.watched.keys();
        let its = names.filter(|one| one.account == account && one.what == What::Calls);
        let again: Vec<Watched> = its.cloned().collect();
        for watched in again {
            self.ask_account(watched);
        }
    }

    fn ask_account(&mut self, Watched { account, name, .. }: Watched) {
        let input = pbx::Input::Watch { name };
        self.work.push_back(Work::Pbx(account, input));
    }

    fn end_watchers(&mut self, now: Time, over: Vec<(SubscriptionId, Termination)>) {
        for (id, why) in over {
            let outputs = self.ua.end_subscription(now, id, why);
            self.carry_out(outputs);
            self.watcher_gone(id);
        }
    }

    fn watcher_gone(&mut self, id: SubscriptionId) {
        if let Some(Watched {
            account,
            what: What::Calls,
            name,
        }) = self.watchers.remove(id)
        {
            let input = pbx::Input::Unwatch { name };
            self.work.push_back(Work::Pbx(account, input));
        }
    }

    /// Tells one watcher the whole state, if it is known yet.
    fn tell_watcher(&mut self, now: Time, id: SubscriptionId) {
        let Some(body) = self.document(id) else {
            return;
        };
        if let Some(watcher) = self.watchers.all.get_mut(&id) {
            watcher.version = watcher.version.wrapping_add(1);
        }
        let outputs = self.ua.notify(now, id, body.into_bytes());
        self.carry_out(outputs);
    }

    fn document(&self, id: SubscriptionId) -> Option<String> {
        let Watcher {
            watched, version, ..
        } = self.watchers.all.get(&id)?;
        let plan = self.plan(watched.account)?;
        let uri = |user: &str| format!("sip:{}@{}", escape_user(user), plan.domain);
        match watched.what {
            What::Calls => {
                let lines = self.watchers.watched.get(watched)?.lines.as_ref()?;
                let dialogs = lines.iter().map(|line| self.dialog_line(line, uri));
                let info = DialogInfo {
                    entity: uri(&watched.name),
                    version: *version,
                    dialogs: dialogs.collect(),
                };
                Some(info.to_xml())
            }
            What::Mailbox => {
                let account = self.accounts.get(&watched.account)?;
                let counts = account.mailbox(&watched.name);
                let summary = MessageSummary {
                    account: None,
                    new: counts.new,
                    old: counts.saved,
                };
                Some(summary.to_text())
            }
        }
    }

    fn dialog_line(&self, line: &Line, uri: impl Fn(&str) -> String) -> DialogLine {
        let other = line.other.as_ref();
        let number = other.and_then(|other| other.number.as_deref());
        DialogLine {
            id: format!("{}-{}", line.call, line.part),
            direction: match line.direction {
                LineDirection::Calls => sip::documents::LineDirection::Initiator,
                LineDirection::IsCalled => sip::documents::LineDirection::Recipient,
            },
            state: match line.state {
                LineState::Trying => sip::documents::LineState::Trying,
                LineState::Ringing => sip::documents::LineState::Early,
                LineState::Talking => sip::documents::LineState::Confirmed,
            },
            names: line.rings.and_then(|leg| self.name_to_replace(leg)),
            remote: number.map(|number| (uri(number), other.and_then(|other| other.name.clone()))),
        }
    }

    /// How a phone names a leg that rings, to take its call over. Only those are named to others: who
    /// knows the name of a call that is answered was told it by one of the two.
    fn name_to_replace(&self, leg: pbx::LegId) -> Option<Replaces> {
        let dialogs = self.legs.leg(leg)?.dialogs();
        dialogs
            .into_iter()
            .find_map(|dialog| self.ua.replaces_of(dialog))
    }
}

/// The internal number that an address means: by itself, or as the name of a device; or a slot for
/// parked calls.
fn watchable(plan: &Plan, asked: &str) -> Option<Arc<str>> {
    let by_number = plan.user_by_number(asked).map(|(_, user)| user);
    let by_device = || plan.device(asked).map(|(_, user, _)| user);
    let user = by_number.or_else(by_device);
    let user = user.map(|user| &user.who.number);
    user.or_else(|| plan.park_slot(asked)).map(Arc::clone)
}

/// Whether a device may watch that. How many messages somebody has is nobody else's business.
fn may_watch(plan: &Plan, device: &str, watched: &Watched) -> bool {
    let Some((_, user, _)) = plan.device(device) else {
        return false;
    };
    match watched.what {
        What::Calls => true,
        What::Mailbox => user.who.number == watched.name,
    }
}

/// What can be watched.
const ALLOW_EVENTS: &str = "dialog, message-summary";
