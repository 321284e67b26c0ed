//! Forgetting.

use std::path::Path;

use clock::Time;
use store::{CallQuery, DeliveryId, Erase, Fate, Part, Reader, Writer};

use super::model::{self, Dice};
use super::outbox::{attempt, commit, delivery};
use super::{ACME, MIDNIGHT_MS, Store, arrived, call, ended, event};

pub(crate) fn counters_go_down_with_the_rows(open: fn(&Path) -> (Writer, Reader)) {
    let mut dice = Dice(5);
    let mut rows = dice.rows(500);
    let mut store = Store::new(open);
    store.list(rows.clone());
    let before = Time::from_millis(MIDNIGHT_MS + 7_200_000);
    let erase = Erase::Calls {
        account: ACME,
        before,
    };
    let mut erased = 0;
    loop {
        let now = store.writer.erase(erase, 16).unwrap();
        erased += now;
        if now < 16 {
            break;
        }
    }
    let length = rows.len();
    rows.retain(|row| row.account != ACME || row.call_start_at >= before);
    assert_eq!(erased, u64::try_from(length - rows.len()).unwrap());
    assert!(erased > 0 && !rows.is_empty());
    for _ in 0..150 {
        let query = dice.query(&rows);
        let page = store.reader.user_calls(&query).unwrap();
        assert_eq!(page, model::page(&rows, &query), "{query:?}");
    }
    let all = Erase::Calls {
        account: ACME,
        before: Time::from_micros(u64::MAX),
    };
    store.writer.erase(all, u32::MAX).unwrap();
    assert_eq!(
        store
            .reader
            .user_calls(&CallQuery::all(ACME))
            .unwrap()
            .total,
        0
    );
    store.list(rows.clone());
    let page = store.reader.user_calls(&CallQuery::all(ACME)).unwrap();
    assert_eq!(
        page,
        model::page(&rows, &CallQuery::all(ACME)),
        "counted up from nothing"
    );
}

pub(crate) fn old_deliveries_go_and_numbers_never_return(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let deliveries = (1..=6).map(|second| delivery("crm", 1, second)).collect();
    let given = commit(&mut store, deliveries, vec![]);
    let attempts = [0, 2, 4, 5].map(|index: usize| attempt(given[index], 9, Fate::Delivered));
    commit(&mut store, vec![], attempts.to_vec());
    let table = [(3, 10, 1), (5, 10, 1), (100, 1, 1), (100, 10, 0)];
    for (before, limit, erased) in table {
        let erase = Erase::Deliveries {
            before: Time::from_secs(before),
        };
        assert_eq!(
            store.writer.erase(erase, limit).unwrap(),
            erased,
            "before {before}"
        );
    }
    let mut store = store.restart(open);
    let all = store
        .reader
        .pending(ACME, "crm", Part::After(DeliveryId(0)), 10)
        .unwrap();
    let left: Vec<u64> = all
        .deliveries
        .iter()
        .map(|delivery| delivery.id.0)
        .collect();
    assert_eq!(left, [2, 4], "what is still to be made stays");
    let given = commit(&mut store, vec![delivery("crm", 1, 7)], vec![]);
    assert_eq!(given, [DeliveryId(7)]);
}

pub(crate) fn events_of_open_calls_stay(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    store.tell(vec![event(call(1), MIDNIGHT_MS, arrived())]);
    store.tell(vec![event(call(2), MIDNIGHT_MS, arrived())]);
    store.tell(vec![event(call(2), MIDNIGHT_MS, ended())]);
    let before = |ms| Erase::Events {
        before: Time::from_millis(ms),
    };
    assert_eq!(store.writer.erase(before(MIDNIGHT_MS), 10).unwrap(), 0);
    assert_eq!(
        store.writer.erase(before(MIDNIGHT_MS + 1_000), 10).unwrap(),
        2
    );
    assert_eq!(store.writer.open_call_events().unwrap().len(), 1);
}
