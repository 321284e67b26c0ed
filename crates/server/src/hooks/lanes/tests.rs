//! The lanes by their rules: order, windows, retries, giving way.

use std::collections::VecDeque;

use super::endpoint::{FIRST_WINDOW, NARROWEST_WINDOW, WIDEST_WINDOW};
use pbx::Trigger;

use super::*;

/// A store and receivers around the scheduler, with a virtual clock.
struct World {
    lanes: Lanes,
    now: Time,
    next_id: u64,
    stored: BTreeMap<DeliveryId, Delivery>,
    flying: Vec<Delivery>,
    fates: Vec<(u64, Fate)>,
}

fn key(name: &str) -> EndpointKey {
    EndpointKey {
        account: AccountId(1),
        name: name.into(),
    }
}

impl World {
    fn new() -> Self {
        Self {
            lanes: Lanes::default(),
            now: Time::from_secs(1_000),
            next_id: 1,
            stored: BTreeMap::new(),
            flying: Vec::new(),
            fates: Vec::new(),
        }
    }

    fn emit(&mut self, endpoint: &str, call: u64) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let delivery = Delivery {
            id: DeliveryId(id),
            account: AccountId(1),
            endpoint: endpoint.into(),
            call: CallId(call),
            tells: store::Tells::Trigger(Trigger::UserInbound),
            body: Arc::from(&b"{}"[..]),
            attempts: 0,
            due: self.now,
            place: Place::InLane,
        };
        self.stored.insert(delivery.id, delivery.clone());
        self.step(Input::Arrived(delivery));
        id
    }

    fn step(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in self.lanes.handle(self.now, input) {
                match effect {
                    Effect::Post(delivery) => self.post(delivery),
                    Effect::Record { id, fate } => self.record(id, fate),
                    Effect::Fetch {
                        endpoint,
                        part,
                        limit,
                    } => {
                        inputs.push_back(self.fetch(endpoint, part, limit));
                    }
                }
            }
        }
    }

    fn post(&mut self, delivery: Delivery) {
        let same =
            |other: &Delivery| (&other.endpoint, other.call) == (&delivery.endpoint, delivery.call);
        assert!(!self.flying.iter().any(same), "one in flight per lane");
        assert!(delivery.due <= self.now, "not before it is due");
        self.flying.push(delivery);
    }

    fn record(&mut self, id: DeliveryId, fate: Fate) {
        self.fates.push((id.0, fate));
        let mut delivery = self.stored.remove(&id).expect("recorded once");
        if let Fate::Again { due, place } = fate {
            let stays = delivery.place == Place::InLane || place == Place::Late;
            assert!(stays, "late stays late");
            delivery.attempts += 1;
            (delivery.due, delivery.place) = (due, place);
            self.stored.insert(id, delivery);
        }
    }

    fn fetch(&self, endpoint: EndpointKey, part: Part, limit: usize) -> Input {
        let ours = || {
            let all = self.stored.values();
            all.filter(|delivery| EndpointKey::of(delivery) == endpoint)
        };
        let late = || ours().filter(|delivery| delivery.place == Place::Late);
        let wanted = |delivery: &Delivery| match part {
            Part::After(after) => delivery.place == Place::InLane && delivery.id > after,
            Part::LateUntil(until) => delivery.place == Place::Late && delivery.due <= until,
        };
        let found = ours().filter(|delivery| wanted(delivery)).take(limit);
        let deliveries: Vec<Delivery> = found.cloned().collect();
        let behind = late().filter(|late| deliveries.iter().all(|held| held.id != late.id));
        let next_late = behind.map(|delivery| delivery.due).min();
        Input::Fetched {
            endpoint,
            part,
            deliveries,
            next_late,
        }
    }

    fn flying(&self) -> Vec<u64> {
        self.flying.iter().map(|delivery| delivery.id.0).collect()
    }

    fn finish(&mut self, id: u64, outcome: Outcome) -> Fate {
        let index = self
            .flying
            .iter()
            .position(|delivery| delivery.id.0 == id)
            .unwrap();
        let delivery = self.flying.remove(index);
        let (endpoint, call) = (EndpointKey::of(&delivery), delivery.call);
        self.step(Input::Finished {
            endpoint,
            call,
            id: delivery.id,
            outcome,
        });
        self.fates
            .iter()
            .rfind(|(recorded, _)| *recorded == id)
            .unwrap()
            .1
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.step(Input::Wake);
    }
}

const RETRY: Outcome = Outcome::Retry { after: None };
const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn one_call_in_order_other_calls_beside_it() {
    let mut world = World::new();
    let [first, second, other] = [1, 1, 2].map(|call| world.emit("crm", call));
    assert_eq!(world.flying(), [first, other]);
    assert_eq!(world.finish(first, Outcome::Delivered), Fate::Delivered);
    assert_eq!(world.flying(), [other, second]);
}

#[test]
fn a_refused_delivery_fails_at_once_and_its_lane_goes_on() {
    let mut world = World::new();
    let [first, second] = [1, 1].map(|call| world.emit("crm", call));
    assert_eq!(world.finish(first, Outcome::Rejected), Fate::Failed);
    assert_eq!(world.flying(), [second]);
}

#[test]
fn retries_follow_the_contract() {
    let mut world = World::new();
    let id = world.emit("crm", 1);
    let expect = [
        (10, Place::InLane),
        (60, Place::InLane),
        (600, Place::Late),
        (3_600, Place::Late),
        (21_600, Place::Late),
    ];
    for (seconds, wanted) in expect {
        let Fate::Again { due, place } = world.finish(id, RETRY) else {
            panic!()
        };
        let (pause, exact) = (due.since(world.now), Duration::from_secs(seconds));
        assert!(
            pause >= exact * 9 / 10 && pause <= exact * 11 / 10,
            "{pause:?} {exact:?}"
        );
        assert_eq!(place, wanted);
        world.pass(pause / 2);
        assert!(world.flying().is_empty(), "not early");
        world.pass(pause / 2);
        world.pass(due.since(world.now));
        assert_eq!(world.flying(), [id], "after {seconds}");
    }
    assert_eq!(world.finish(id, RETRY), Fate::Failed);
    assert_eq!(world.lanes.held(), 0);
}

#[test]
fn a_lane_gives_way_after_two_minutes_and_still_has_one_in_flight() {
    let mut world = World::new();
    let [first, second] = [1, 1].map(|call| world.emit("crm", call));
    for seconds in [15, 70] {
        world.finish(first, RETRY);
        assert!(world.flying().is_empty(), "the second waits");
        world.pass(Duration::from_secs(seconds));
    }
    assert!(matches!(
        world.finish(first, RETRY),
        Fate::Again {
            place: Place::Late,
            ..
        }
    ));
    assert_eq!(world.flying(), [second], "the lane goes on");
    world.pass(MINUTE * 12);
    assert_eq!(
        world.flying(),
        [second],
        "the late one is due and waits for the lane"
    );
    world.finish(second, Outcome::Delivered);
    assert_eq!(world.flying(), [first]);
    let third = world.emit("crm", 1);
    assert_eq!(world.flying(), [first]);
    world.finish(first, Outcome::Delivered);
    assert_eq!(world.flying(), [third]);
}

#[test]
fn retry_after_is_honoured_within_reason() {
    for (wish, expect) in [(5, 9..=11), (300, 300..=300), (1_000_000, 21_600..=21_600)] {
        let mut world = World::new();
        let id = world.emit("crm", 1);
        let after = Some(Duration::from_secs(wish));
        let Fate::Again { due, .. } = world.finish(id, Outcome::Retry { after }) else {
            panic!()
        };
        assert!(expect.contains(&due.since(world.now).as_secs()), "{wish}");
    }
}

#[test]
fn a_hanging_endpoint_keeps_few_in_flight_and_leaves_room_for_others() {
    let mut world = World::new();
    for call in 0..300 {
        world.emit("hangs", call);
    }
    assert_eq!(world.flying.len(), FIRST_WINDOW);
    for id in world.flying() {
        world.finish(id, RETRY);
    }
    assert_eq!(world.flying.len(), NARROWEST_WINDOW);
    let good = world.emit("good", 1);
    assert!(world.flying().contains(&good));
}

#[test]
fn success_opens_the_window() {
    let mut world = World::new();
    for call in 0..500 {
        world.emit("crm", call);
    }
    for _ in 0..100 {
        let id = world.flying()[0];
        world.finish(id, Outcome::Delivered);
    }
    assert_eq!(world.flying.len(), WIDEST_WINDOW);
}

#[test]
fn beyond_what_memory_holds_the_store_is_read() {
    let mut world = World::new();
    let count = 3 * MAX_HELD;
    for index in 0..count {
        world.emit("crm", index as u64 % 40);
        assert!(world.lanes.held() <= MAX_HELD);
    }
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    while let Some(delivery) = world.flying.first() {
        let (id, call) = (delivery.id.0, delivery.call.0);
        assert!(
            last.insert(call, id).is_none_or(|before| before < id),
            "order per call"
        );
        world.finish(id, Outcome::Delivered);
    }
    assert_eq!(world.fates.len(), count);
    assert!(world.stored.is_empty());
    let id = world.emit("crm", 1);
    assert_eq!(world.flying(), [id], "caught up: back to memory");
}

#[test]
fn after_a_restart_everything_comes_from_the_store() {
    let mut before = World::new();
    for call in 0..20 {
        before.emit("crm", call % 7);
    }
    for _ in 0..3 {
        before.pass(MINUTE * 2);
        for id in before.flying() {
            before.finish(id, RETRY);
        }
    }
    assert!(
        before
            .stored
            .values()
            .any(|delivery| delivery.place == Place::Late)
    );
    let mut world = World::new();
    (world.now, world.stored) = (before.now + MINUTE, before.stored);
    let next_late = Some(world.now + MINUTE);
    world.step(Input::Backlog {
        endpoint: key("crm"),
        next_late,
    });
    for _ in 0..20_000 {
        match world.flying().first() {
            Some(id) => {
                world.finish(*id, Outcome::Delivered);
            }
            None => match world.lanes.deadline() {
                None => break,
                Some(time) => world.pass(time.since(world.now)),
            },
        }
    }
    assert!(world.stored.is_empty(), "{:?}", world.stored);
}

#[test]
fn random_worlds_deliver_everything_once_and_in_order() {
    for seed in 1..60_u64 {
        let mut random = seed.wrapping_mul(0x2545_F491_4F6C_DD1D);
        let mut dice = |sides: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random).unwrap() % sides
        };
        let mut world = World::new();
        let mut delivered: BTreeMap<(EndpointKey, u64), u64> = BTreeMap::new();
        for _ in 0..4_000 {
            match dice(4) {
                0 if world.next_id < 1_500 => {
                    let endpoint = ["a", "b", "c"][dice(3)];
                    world.emit(endpoint, dice(5) as u64);
                }
                1 => world.pass(Duration::from_secs(dice(40) as u64)),
                _ if world.flying.is_empty() => {
                    let wake = world.lanes.deadline().unwrap_or(world.now);
                    world.pass(wake.since(world.now));
                }
                _ => {
                    let index = dice(world.flying.len());
                    let delivery = world.flying[index].clone();
                    let fails = dice(10) < if &*delivery.endpoint == "c" { 7 } else { 2 };
                    let in_lane = delivery.place == Place::InLane;
                    let outcome = if fails { RETRY } else { Outcome::Delivered };
                    let fate = world.finish(delivery.id.0, outcome);
                    if fate == Fate::Delivered && in_lane {
                        let lane = (EndpointKey::of(&delivery), delivery.call.0);
                        let before = delivered.insert(lane, delivery.id.0);
                        assert!(before.is_none_or(|before| before < delivery.id.0), "{seed}");
                    }
                }
            }
        }
        for _ in 0..100_000 {
            if let Some(id) = world.flying().first() {
                world.finish(*id, Outcome::Delivered);
            } else if let Some(time) = world.lanes.deadline() {
                world.pass(time.since(world.now));
            } else {
                break;
            }
        }
        assert!(
            world.stored.is_empty() && world.lanes.held() == 0,
            "seed {seed}"
        );
        assert_eq!(world.lanes.in_flight(), 0);
    }
}
