//! One endpoint's lanes, its window, and where the deliveries are that memory does not hold.

use std::collections::{BTreeMap, VecDeque};

use clock::Time;
use pbx::CallId;

use store::{Delivery, DeliveryId, Fate, Place};

use super::Outcome;

/// Deliveries in flight to one endpoint: at first, at most, and when it does not answer.
pub(super) const FIRST_WINDOW: usize = 8;
pub(super) const WIDEST_WINDOW: usize = 64;
pub(super) const NARROWEST_WINDOW: usize = 2;

#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) lanes: BTreeMap<CallId, Lane>,
    pub(super) ready: VecDeque<CallId>,
    pub(super) window: usize,
    pub(super) in_flight: usize,
    pub(super) held: usize,
    pub(super) backlog: Backlog,
    pub(super) late: Late,
}

/// Whether the store has deliveries that memory does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backlog {
    /// Everything is held; the newest had this id.
    None(DeliveryId),
    /// There is more behind this id.
    Behind(DeliveryId),
    /// It was asked for.
    Asked(DeliveryId),
}

/// Where the late ones are. They live in the store until they are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// None is held; the next is due then.
    Stored(Option<Time>),
    /// Asked for; one that became late meanwhile is due then.
    Asked(Option<Time>),
    /// So many are held; the next behind them is due then.
    Held(usize, Option<Time>),
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) queue: VecDeque<Held>,
    pub(super) late: BTreeMap<DeliveryId, Held>,
    pub(super) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is due before then.
    Waiting(Time),
    /// In the endpoint's queue of ready lanes.
    Ready,
    /// One is in flight.
    Busy(DeliveryId),
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) delivery: Delivery,
    pub(super) first_tried_at: Option<Time>,
}

impl Endpoint {
    pub(super) fn new() -> Self {
        Self {
            lanes: BTreeMap::new(),
            ready: VecDeque::new(),
            window: FIRST_WINDOW,
            in_flight: 0,
            held: 0,
            backlog: Backlog::None(DeliveryId(0)),
            late: Late::Stored(None),
        }
    }

    pub(super) fn can_send(&self) -> bool {
        !self.ready.is_empty() && self.in_flight < self.window
    }

    pub(super) fn send_next(&mut self, now: Time) -> Option<Delivery> {
        let call = self.ready.pop_front()?;
        let lane = self.lanes.get_mut(&call)?;
        let held = lane.next_mut()?;
        held.first_tried_at.get_or_insert(now);
        let delivery = held.delivery.clone();
        lane.state = State::Busy(delivery.id);
        self.in_flight += 1;
        Some(delivery)
    }

    /// Opens the window one by one, closes it by half.
    pub(super) fn adapt(&mut self, outcome: Outcome) {
        self.window = match outcome {
            Outcome::Delivered | Outcome::Rejected => (self.window + 1).min(WIDEST_WINDOW),
            Outcome::Retry { .. } => (self.window / 2).max(NARROWEST_WINDOW),
        };
    }

    pub(super) fn take(&mut self, call: CallId, id: DeliveryId) -> Option<Held> {
        let lane = self.lanes.get_mut(&call)?;
        if let Some(held) = lane.late.remove(&id) {
            return Some(held);
        }
        let held = lane.queue.pop_front()?;
        self.held -= 1;
        Some(held)
    }

    /// Puts a delivery that is tried again where it belongs. Returns when late ones are to be fetched.
    pub(super) fn put_back(&mut self, mut held: Held, fate: Fate) -> Option<Time> {
        let became_late = match fate {
            Fate::Again {
                due,
                place: Place::InLane,
            } => {
                held.delivery.due = due;
                let call = held.delivery.call;
                let lane = self.lanes.entry(call).or_insert_with(Lane::new);
                lane.queue.push_front(held);
                self.held += 1;
                return None;
            }
            Fate::Again {
                due,
                place: Place::Late,
            } => Some(due),
            Fate::Delivered | Fate::Failed => None,
        };
        self.late = self.late.after(held.delivery.place, became_late);
        match self.late {
            Late::Stored(next) => next,
            Late::Asked(_) | Late::Held(..) => None,
        }
    }
}

impl Late {
    pub(super) fn held(self) -> usize {
        match self {
            Self::Held(count, _) => count,
            Self::Stored(_) | Self::Asked(_) => 0,
        }
    }

    pub(super) fn next(self) -> Option<Time> {
        match self {
            Self::Stored(next) | Self::Asked(next) | Self::Held(_, next) => next,
        }
    }

    /// After an attempt of a delivery of that place, which is late and due then, or no more.
    pub(super) fn after(self, place: Place, became_late: Option<Time>) -> Self {
        let next = self.next().into_iter().chain(became_late).min();
        match (self, place) {
            (Self::Held(0 | 1, _), Place::Late) | (Self::Stored(_), _) => Self::Stored(next),
            (Self::Held(count, _), Place::Late) => Self::Held(count - 1, next),
            (Self::Held(count, _), Place::InLane) => Self::Held(count, next),
            (Self::Asked(_), _) => Self::Asked(next),
        }
    }
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            late: BTreeMap::new(),
            state: State::Waiting(Time::ZERO),
        }
    }

    /// When its next delivery is due.
    pub(super) fn due(&self) -> Option<Time> {
        self.queue
            .front()
            .into_iter()
            .chain(self.late.values())
            .map(|held| held.delivery.due)
            .min()
    }

    /// The delivery that is due first; of equals the head of the queue.
    pub(super) fn next_mut(&mut self) -> Option<&mut Held> {
        let head = self.queue.front_mut().into_iter();
        head.chain(self.late.values_mut())
            .min_by_key(|held| held.delivery.due)
    }
}
