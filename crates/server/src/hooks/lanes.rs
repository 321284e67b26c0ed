//! Which delivery is tried when: a pure state machine, `handle(now, input) → effects`.
//!
//! A lane is one (endpoint, call): one delivery in flight, in the order things happened. A head that
//! cannot be delivered holds its lane for two minutes at most, then goes on alone as *late*. An
//! endpoint has a window of deliveries in flight that opens with success and closes with failure, so
//! that a hanging one holds few sockets. Memory is bounded: beyond [`MAX_HELD`] deliveries an endpoint
//! works from the store. What is lost here is never lost there.

mod endpoint;
mod retry;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use pbx::{AccountId, CallId};
use store::{Delivery, DeliveryId, Fate, Part, Place};

use endpoint::{Backlog, Endpoint, Held, Lane, Late, State};
use retry::fate;

/// Deliveries of one endpoint held in memory, besides late ones.
pub const MAX_HELD: usize = 1_000;
/// Late deliveries of one endpoint held in memory.
pub const MAX_LATE_HELD: usize = 100;
/// Deliveries in flight to everybody.
pub const MAX_IN_FLIGHT: usize = 2_048;
/// An endpoint of an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointKey {
    /// The account.
    pub account: AccountId,
    /// The endpoint's name in the account.
    pub name: Arc<str>,
}

impl EndpointKey {
    /// The endpoint that a delivery is for.
    pub fn of(delivery: &Delivery) -> Self {
        Self {
            account: delivery.account,
            name: Arc::clone(&delivery.endpoint),
        }
    }
}

/// What the scheduler is told.
#[derive(Debug)]
pub enum Input {
    /// A delivery was committed just now.
    Arrived(Delivery),
    /// At start: the store holds deliveries of this endpoint.
    Backlog {
        /// The endpoint.
        endpoint: EndpointKey,
        /// When its first late one is due.
        next_late: Option<Time>,
    },
    /// The answer to [`Effect::Fetch`].
    Fetched {
        /// The endpoint.
        endpoint: EndpointKey,
        /// What was asked for.
        part: Part,
        /// In order of their ids; fewer than asked for means that there are no more.
        deliveries: Vec<Delivery>,
        /// When the first late one behind these is due.
        next_late: Option<Time>,
    },
    /// An attempt is over.
    Finished {
        /// The endpoint.
        endpoint: EndpointKey,
        /// The call.
        call: CallId,
        /// Which delivery.
        id: DeliveryId,
        /// How it went.
        outcome: Outcome,
    },
    /// A deadline has come.
    Wake,
}

/// How an attempt went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// It may work later.
    Retry {
        /// The receiver's wish.
        after: Option<Duration>,
    },
    /// It will never work.
    Rejected,
}

/// What the shell must do.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Try this delivery.
    Post(Delivery),
    /// Write down how an attempt went.
    Record {
        /// Which delivery.
        id: DeliveryId,
        /// What becomes of it.
        fate: Fate,
    },
    /// Read from the store, behind everything recorded before.
    Fetch {
        /// The endpoint.
        endpoint: EndpointKey,
        /// What of it.
        part: Part,
        /// How many.
        limit: usize,
    },
}

/// The scheduler.
#[derive(Debug, Default)]
pub struct Lanes {
    endpoints: BTreeMap<EndpointKey, Endpoint>,
    /// Lanes that wait for an instant.
    timers: BTreeSet<(Time, EndpointKey, CallId)>,
    /// Endpoints that wait for their late ones.
    late_timers: BTreeSet<(Time, EndpointKey)>,
    /// Endpoints that could send now.
    turn: BTreeSet<EndpointKey>,
    /// The endpoint that sent last: the next one's turn comes behind it.
    last_served: Option<EndpointKey>,
    in_flight: usize,
}

impl Lanes {
    /// Takes an input in and says what must be done.
    pub fn handle(&mut self, now: Time, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Arrived(delivery) => self.arrived(delivery),
            Input::Backlog {
                endpoint,
                next_late,
            } => {
                self.found(&endpoint, next_late);
                effects.extend(self.fetch_backlog(&endpoint));
            }
            Input::Fetched {
                endpoint,
                part,
                deliveries,
                next_late,
            } => {
                self.fetched(&endpoint, part, deliveries, next_late);
                effects.extend(self.fetch_backlog(&endpoint));
            }
            Input::Finished {
                endpoint,
                call,
                id,
                outcome,
            } => {
                effects.extend(self.finished(now, &endpoint, call, (id, outcome)));
                effects.extend(self.fetch_backlog(&endpoint));
            }
            Input::Wake => {}
        }
        self.fire_timers(now);
        self.fetch_late(now, &mut effects);
        self.send(now, &mut effects);
        effects
    }

    /// When [`Input::Wake`] is wanted.
    pub fn deadline(&self) -> Option<Time> {
        let lane = self.timers.first().map(|(time, ..)| *time);
        let late = self.late_timers.first().map(|(time, _)| *time);
        lane.into_iter().chain(late).min()
    }

    /// Deliveries in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Deliveries held in memory, late ones included.
    pub fn held(&self) -> usize {
        self.endpoints
            .values()
            .map(|endpoint| endpoint.held + endpoint.late.held())
            .sum()
    }

    fn endpoint(&mut self, key: &EndpointKey) -> &mut Endpoint {
        self.endpoints
            .entry(key.clone())
            .or_insert_with(Endpoint::new)
    }

    fn arrived(&mut self, delivery: Delivery) {
        let endpoint = self.endpoint(&EndpointKey::of(&delivery));
        match endpoint.backlog {
            // It is in the store and will be fetched in its turn.
            Backlog::Behind(_) | Backlog::Asked(_) => {}
            Backlog::None(newest) if endpoint.held >= MAX_HELD => {
                endpoint.backlog = Backlog::Behind(newest);
            }
            Backlog::None(_) => {
                endpoint.backlog = Backlog::None(delivery.id);
                self.hold(delivery);
            }
        }
    }

    fn found(&mut self, key: &EndpointKey, next_late: Option<Time>) {
        let endpoint = self.endpoint(key);
        endpoint.backlog = Backlog::Behind(DeliveryId(0));
        endpoint.late = Late::Stored(next_late);
        self.late_timers
            .extend(next_late.map(|due| (due, key.clone())));
    }

    fn fetched(
        &mut self,
        key: &EndpointKey,
        part: Part,
        deliveries: Vec<Delivery>,
        next_late: Option<Time>,
    ) {
        let endpoint = self.endpoint(key);
        match part {
            Part::After(after) => {
                let newest = deliveries.last().map_or(after, |last| last.id);
                let exhausted = deliveries.is_empty();
                endpoint.backlog = if exhausted {
                    Backlog::None(newest)
                } else {
                    Backlog::Behind(newest)
                };
                for delivery in deliveries {
                    self.hold(delivery);
                }
            }
            Part::LateUntil(_) => {
                let next = endpoint.late.next().into_iter().chain(next_late).min();
                let none = deliveries.is_empty();
                endpoint.late = if none {
                    Late::Stored(next)
                } else {
                    Late::Held(deliveries.len(), next)
                };
                if none {
                    self.late_timers.extend(next.map(|due| (due, key.clone())));
                }
                for delivery in deliveries {
                    self.hold(delivery);
                }
            }
        }
    }

    fn hold(&mut self, delivery: Delivery) {
        let (key, call) = (EndpointKey::of(&delivery), delivery.call);
        let endpoint = self.endpoint(&key);
        let lane = endpoint.lanes.entry(call).or_insert_with(Lane::new);
        let held = Held {
            delivery,
            first_tried_at: None,
        };
        match held.delivery.place {
            Place::InLane => {
                endpoint.held += 1;
                lane.queue.push_back(held);
            }
            Place::Late => {
                lane.late.insert(held.delivery.id, held);
            }
        }
        self.settle(&key, call);
    }

    /// Gives a lane that is not in flight the timer that its deliveries want, or forgets it.
    fn settle(&mut self, key: &EndpointKey, call: CallId) {
        let Some(endpoint) = self.endpoints.get_mut(key) else {
            return;
        };
        let Some(lane) = endpoint.lanes.get_mut(&call) else {
            return;
        };
        let State::Waiting(before) = lane.state else {
            return;
        };
        self.timers.remove(&(before, key.clone(), call));
        match lane.due() {
            None => {
                endpoint.lanes.remove(&call);
            }
            Some(due) => {
                lane.state = State::Waiting(due);
                self.timers.insert((due, key.clone(), call));
            }
        }
    }

    fn finished(
        &mut self,
        now: Time,
        key: &EndpointKey,
        call: CallId,
        (id, outcome): (DeliveryId, Outcome),
    ) -> Option<Effect> {
        let endpoint = self.endpoints.get_mut(key)?;
        let lane = endpoint.lanes.get_mut(&call)?;
        if lane.state != State::Busy(id) {
            return None;
        }
        lane.state = State::Waiting(Time::ZERO);
        self.in_flight -= 1;
        endpoint.in_flight -= 1;
        endpoint.adapt(outcome);
        let mut held = endpoint.take(call, id)?;
        held.delivery.attempts += 1;
        let fate = fate(now, &held, outcome);
        if let Some(due) = endpoint.put_back(held, fate) {
            self.late_timers.insert((due, key.clone()));
        }
        self.offer_turn(key);
        self.settle(key, call);
        Some(Effect::Record { id, fate })
    }

    fn offer_turn(&mut self, key: &EndpointKey) {
        let can_send = |endpoint: &Endpoint| endpoint.can_send();
        if self.endpoints.get(key).is_some_and(can_send) {
            self.turn.insert(key.clone());
        }
    }

    fn fire_timers(&mut self, now: Time) {
        while let Some((due, key, call)) = self.timers.first().cloned() {
            if due > now {
                break;
            }
            self.timers.pop_first();
            let Some(endpoint) = self.endpoints.get_mut(&key) else {
                continue;
            };
            let Some(lane) = endpoint.lanes.get_mut(&call) else {
                continue;
            };
            lane.state = State::Ready;
            endpoint.ready.push_back(call);
            self.offer_turn(&key);
        }
    }

    fn fetch_late(&mut self, now: Time, effects: &mut Vec<Effect>) {
        while let Some((due, key)) = self.late_timers.first().cloned() {
            if due > now {
                break;
            }
            self.late_timers.pop_first();
            let Some(endpoint) = self.endpoints.get_mut(&key) else {
                continue;
            };
            // Asked or held: the answer, or the last of the held ones, sets the timer again.
            if let Late::Stored(_) = endpoint.late {
                endpoint.late = Late::Asked(None);
                let part = Part::LateUntil(now);
                effects.push(Effect::Fetch {
                    endpoint: key,
                    part,
                    limit: MAX_LATE_HELD,
                });
            }
        }
    }

    /// Asks for more of what only the store holds, once half of what is held has gone.
    fn fetch_backlog(&mut self, key: &EndpointKey) -> Option<Effect> {
        let endpoint = self.endpoints.get_mut(key)?;
        let Backlog::Behind(after) = endpoint.backlog else {
            return None;
        };
        if endpoint.held > MAX_HELD / 2 {
            return None;
        }
        endpoint.backlog = Backlog::Asked(after);
        let part = Part::After(after);
        Some(Effect::Fetch {
            endpoint: key.clone(),
            part,
            limit: MAX_HELD / 2,
        })
    }

    /// Sends while there is room, one delivery per endpoint in turn.
    fn send(&mut self, now: Time, effects: &mut Vec<Effect>) {
        while self.in_flight < MAX_IN_FLIGHT {
            let Some(key) = self.next_turn() else { return };
            let Some(endpoint) = self.endpoints.get_mut(&key) else {
                return;
            };
            if let Some(delivery) = endpoint.send_next(now) {
                self.in_flight += 1;
                effects.push(Effect::Post(delivery));
            }
            self.offer_turn(&key);
            self.last_served = Some(key);
        }
    }

    fn next_turn(&mut self) -> Option<EndpointKey> {
        let behind = self.last_served.as_ref().and_then(|last| {
            self.turn
                .range::<EndpointKey, _>((Excluded(last), Unbounded))
                .next()
        });
        let key = behind.or_else(|| self.turn.first())?.clone();
        self.turn.take(&key)
    }
}

#[cfg(test)]
mod tests;
