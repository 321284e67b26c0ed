//! Rows of stays in queues and ring groups: the same pages, under their own names.

use std::path::Path;

use clock::Time;
use pbx::GroupKind;
use store::{CallQuery, Erase, Reader, Writer};

use super::model::{self, Dice};
use super::{ACME, MIDNIGHT_MS, Store, call, row, stay};

const KINDS: [GroupKind; 2] = [GroupKind::Queue, GroupKind::RingGroup];

pub(crate) fn pages_of_stays_equal_a_sorted_list(open: fn(&Path) -> (Writer, Reader)) {
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let mut store = Store::new(open);
        let of_kind = KINDS.map(|kind| (kind, dice.stays(kind, 300)));
        for (_, rows) in &of_kind {
            store.list_stays(rows.clone());
        }
        for (kind, rows) in &of_kind {
            for _ in 0..150 {
                let query = dice.query_of_stays(rows);
                let page = store.reader.group_calls(*kind, &query).unwrap();
                assert_eq!(page, model::page(rows, &query), "seed {seed}: {query:?}");
            }
        }
    }
}

pub(crate) fn a_stay_never_changes_and_counts_once(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let first = stay(call(1), 1, MIDNIGHT_MS);
    let mut changed = first.clone();
    changed.call_duration_seconds += 1;
    store.list_stays(vec![first.clone(), changed.clone()]);
    store.list_stays(vec![changed]);
    let all = CallQuery::all(ACME);
    let page = store.reader.group_calls(GroupKind::Queue, &all).unwrap();
    assert_eq!((page.rows, page.total), (vec![first], 1));
    let of_others = store.reader.group_calls(GroupKind::RingGroup, &all);
    assert_eq!(of_others.unwrap().total, 0);
    assert_eq!(store.reader.user_calls(&all).unwrap().total, 0);
}

pub(crate) fn users_calls_are_in_no_group(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    store.list(vec![row(call(1), "1010", MIDNIGHT_MS)]);
    for group in ["", "Sales"] {
        let query = CallQuery {
            groups: Some(vec![group.into()]),
            ..CallQuery::all(ACME)
        };
        let total = store.reader.user_calls(&query).unwrap().total;
        assert_eq!(total, 0, "{group:?}");
    }
}

pub(crate) fn stays_are_forgotten_with_their_calls(open: fn(&Path) -> (Writer, Reader)) {
    let mut dice = Dice(3);
    let mut store = Store::new(open);
    let mut of_kind = KINDS.map(|kind| (kind, dice.stays(kind, 200)));
    for (_, rows) in &of_kind {
        store.list_stays(rows.clone());
    }
    let before = Time::from_millis(MIDNIGHT_MS + 7_200_000);
    let erase = Erase::Calls {
        account: ACME,
        before,
    };
    while store.writer.erase(erase, 16).unwrap() == 16 {}
    for (kind, rows) in &mut of_kind {
        let length = rows.len();
        rows.retain(|row| row.account != ACME || row.call_start_at >= before);
        assert!(!rows.is_empty() && rows.len() < length);
        for _ in 0..50 {
            let query = dice.query_of_stays(rows);
            let page = store.reader.group_calls(*kind, &query).unwrap();
            assert_eq!(page, model::page(rows, &query), "{query:?}");
        }
    }
}

pub(crate) fn the_call_of_a_stay_is_never_given_again(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    store.list_stays(vec![stay(call(7), 1, MIDNIGHT_MS)]);
    assert_eq!(store.writer.last_call_id().unwrap(), Some(call(7)));
}
