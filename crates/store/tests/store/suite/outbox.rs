//! The outbox.

use std::path::Path;

use clock::Time;
use pbx::Trigger;
use store::{
    AttemptResult, Batch, Delivery, DeliveryId, DeliveryQuery, DeliveryState, Fate, NewDelivery,
    Part, Place, Reader, Tells, Writer,
};

use super::{ACME, OTHER, Store, call};

pub(crate) fn delivery(endpoint: &str, number: u64, second: u64) -> NewDelivery {
    NewDelivery {
        account: ACME,
        endpoint: endpoint.into(),
        call: call(number),
        tells: Tells::Trigger(Trigger::UserInbound),
        body: format!("{{\"second\":{second}}}").into_bytes().into(),
        at: Time::from_secs(second),
    }
}

pub(crate) fn attempt(delivery: DeliveryId, second: u64, fate: Fate) -> AttemptResult {
    AttemptResult {
        delivery,
        at: Time::from_secs(second),
        fate,
        status: Some(500),
        error: Some("no".into()),
    }
}

pub(crate) fn commit(
    store: &mut Store,
    deliveries: Vec<NewDelivery>,
    attempts: Vec<AttemptResult>,
) -> Vec<DeliveryId> {
    store
        .writer
        .commit(&Batch {
            deliveries,
            attempts,
            ..Batch::default()
        })
        .unwrap()
}

fn ids(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.id.0).collect()
}

fn again(due: u64, place: Place) -> Fate {
    Fate::Again {
        due: Time::from_secs(due),
        place,
    }
}

pub(crate) fn numbers_rise_over_restarts(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let first = commit(
        &mut store,
        vec![delivery("crm", 1, 1), delivery("crm", 1, 2)],
        vec![],
    );
    assert_eq!(first, [DeliveryId(1), DeliveryId(2)]);
    let mut store = store.restart(open);
    assert_eq!(
        commit(&mut store, vec![delivery("crm", 1, 3)], vec![]),
        [DeliveryId(3)]
    );
}

pub(crate) fn a_lane_is_read_in_order_and_in_parts(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let mut foreign = delivery("crm", 1, 1);
    foreign.account = OTHER;
    let given = commit(
        &mut store,
        vec![
            delivery("crm", 1, 1),
            delivery("erp", 1, 1),
            foreign,
            delivery("crm", 2, 2),
        ],
        vec![],
    );
    commit(
        &mut store,
        vec![delivery("crm", 1, 3)],
        vec![attempt(given[3], 4, Fate::Delivered)],
    );
    let part = |after, limit| {
        let after = Part::After(DeliveryId(after));
        store
            .reader
            .pending(ACME, "crm", after, limit)
            .unwrap()
            .deliveries
    };
    assert_eq!(ids(&part(0, 10)), [1, 5]);
    assert_eq!(ids(&part(0, 1)), [1]);
    assert_eq!(ids(&part(1, 1)), [5]);
    assert_eq!(ids(&part(5, 1)), [0; 0]);
    let expect = Delivery {
        id: DeliveryId(5),
        account: ACME,
        endpoint: "crm".into(),
        call: call(1),
        tells: Tells::Trigger(Trigger::UserInbound),
        body: b"{\"second\":3}"[..].into(),
        attempts: 0,
        due: Time::from_secs(3),
        place: Place::InLane,
    };
    assert_eq!(part(1, 1), [expect]);
    let backlogs = store.reader.backlogs().unwrap();
    let backlogs: Vec<_> = backlogs
        .iter()
        .map(|one| (one.account, &*one.endpoint))
        .collect();
    assert_eq!(backlogs, [(ACME, "crm"), (ACME, "erp"), (OTHER, "crm")]);
}

pub(crate) fn late_ones_are_read_when_they_are_due(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let deliveries = (1..=4).map(|number| delivery("crm", number, 1)).collect();
    let given = commit(&mut store, deliveries, vec![]);
    let attempts = vec![
        attempt(given[0], 2, again(30, Place::Late)),
        attempt(given[1], 2, again(10, Place::Late)),
        attempt(given[2], 2, again(20, Place::InLane)),
        attempt(given[3], 2, again(20, Place::Late)),
    ];
    commit(&mut store, vec![], attempts);
    let late = |until, limit| {
        let part = Part::LateUntil(Time::from_secs(until));
        let pending = store.reader.pending(ACME, "crm", part, limit).unwrap();
        (
            ids(&pending.deliveries),
            pending.next_late.map(Time::as_secs),
        )
    };
    assert_eq!(late(9, 10), (vec![], Some(10)));
    assert_eq!(late(10, 10), (vec![2], Some(20)));
    assert_eq!(late(25, 10), (vec![2, 4], Some(30)));
    assert_eq!(
        late(25, 1),
        (vec![2], Some(20)),
        "the one the limit left out"
    );
    assert_eq!(late(30, 10), (vec![1, 2, 4], None));
    let in_lane = Part::After(DeliveryId(0));
    let in_lane = store.reader.pending(ACME, "crm", in_lane, 10).unwrap();
    assert_eq!(
        (ids(&in_lane.deliveries), in_lane.next_late),
        (vec![3], Some(Time::from_secs(10)))
    );
    let backlog = store.reader.backlogs().unwrap().remove(0);
    assert_eq!(backlog.next_late, Some(Time::from_secs(10)));
}

pub(crate) fn finished_ones_are_listed_with_their_history(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let deliveries = (1..=4)
        .map(|number| delivery("crm", number, number))
        .collect();
    let given = commit(&mut store, deliveries, vec![]);
    commit(
        &mut store,
        vec![],
        vec![attempt(given[0], 5, again(9, Place::InLane))],
    );
    commit(
        &mut store,
        vec![],
        vec![
            attempt(given[0], 9, Fate::Failed),
            attempt(given[1], 6, Fate::Delivered),
            attempt(given[3], 7, Fate::Failed),
        ],
    );
    let list = |state, before: Option<u64>, limit| {
        let before = before.map(DeliveryId);
        store
            .reader
            .deliveries(&DeliveryQuery {
                account: ACME,
                state,
                before,
                limit,
            })
            .unwrap()
    };
    let failed = list(DeliveryState::Failed, None, 10);
    assert_eq!(
        failed
            .iter()
            .map(|one| one.delivery.id.0)
            .collect::<Vec<_>>(),
        [4, 1]
    );
    let oldest = &failed[1];
    assert_eq!(oldest.delivery.attempts, 2);
    assert_eq!(oldest.created_at, Time::from_secs(1));
    assert_eq!(oldest.tried_at, Some(Time::from_secs(9)));
    assert_eq!(
        (oldest.status, oldest.error.as_deref()),
        (Some(500), Some("no"))
    );
    assert_eq!(list(DeliveryState::Failed, Some(4), 10).len(), 1);
    assert_eq!(list(DeliveryState::Delivered, None, 10).len(), 1);
    assert_eq!(list(DeliveryState::Pending, None, 10).len(), 1);

    let resent = given[0];
    commit(
        &mut store,
        vec![],
        vec![attempt(resent, 20, again(20, Place::Late))],
    );
    let late = Part::LateUntil(Time::from_secs(20));
    let pending = store.reader.pending(ACME, "crm", late, 10).unwrap();
    assert_eq!(ids(&pending.deliveries), [resent.0], "sent again by hand");
}

pub(crate) fn what_a_webhook_object_is_told_keeps_its_destination(
    open: fn(&Path) -> (Writer, Reader),
) {
    let mut store = Store::new(open);
    let tells = Tells::Component {
        destination: [0, 255, 7][..].into(),
    };
    let new = NewDelivery {
        tells: tells.clone(),
        ..delivery("object:main/crm", 1, 1)
    };
    let given = commit(&mut store, vec![new, delivery("crm", 1, 1)], vec![]);
    let all = Part::After(DeliveryId(0));
    let pending = store.reader.pending(ACME, "object:main/crm", all, 10);
    assert_eq!(pending.unwrap().deliveries[0].tells, tells);
    commit(&mut store, vec![], vec![attempt(given[0], 2, Fate::Failed)]);
    let failed = DeliveryQuery {
        account: ACME,
        state: DeliveryState::Failed,
        before: None,
        limit: 10,
    };
    let record = store.reader.deliveries(&failed).unwrap().remove(0);
    assert_eq!(record.delivery.tells, tells);
    assert_eq!(record.created_at, Time::from_secs(1));
    assert_eq!(record.error.as_deref(), Some("no"));
}
