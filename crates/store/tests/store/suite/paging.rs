//! Pages of call rows.

use std::path::Path;

use clock::Time;
use pbx::cdr::UserCall;
use store::{CallQuery, Order, Position, Reader, Writer};

use super::model::{self, Dice};
use super::{ACME, DAY_MS, MIDNIGHT_MS, OTHER, Store, call, row};

const SEEDS: u64 = 12;
const ROWS: u64 = 400;
const QUERIES: u64 = 150;

/// Random rows in random batches.
fn filled(open: fn(&Path) -> (Writer, Reader), dice: &mut Dice, rows: &[UserCall]) -> Store {
    let mut store = Store::new(open);
    let mut rest = rows;
    while !rest.is_empty() {
        let size = usize::try_from(1 + dice.roll(40)).unwrap().min(rest.len());
        let (batch, behind) = rest.split_at(size);
        store.list(batch.to_vec());
        rest = behind;
    }
    store
}

pub(crate) fn pages_equal_a_sorted_list(open: fn(&Path) -> (Writer, Reader)) {
    for seed in 0..SEEDS {
        let mut dice = Dice(seed);
        let rows = dice.rows(ROWS);
        let store = filled(open, &mut dice, &rows);
        for _ in 0..QUERIES {
            let query = dice.query(&rows);
            let page = store.reader.user_calls(&query).unwrap();
            assert_eq!(page, model::page(&rows, &query), "seed {seed}: {query:?}");
        }
    }
}

pub(crate) fn each_row_is_on_one_page(open: fn(&Path) -> (Writer, Reader)) {
    let mut dice = Dice(77);
    let rows = dice.rows(ROWS);
    let store = filled(open, &mut dice, &rows);
    for order in [Order::NewestFirst, Order::OldestFirst] {
        for users in [
            None,
            Some(vec!["1001".into()]),
            Some(vec!["1001".into(), "1004".into()]),
        ] {
            let all = CallQuery {
                order,
                users,
                ..CallQuery::all(ACME)
            };
            let mut seen = Vec::new();
            loop {
                let offset = u64::try_from(seen.len()).unwrap();
                let query = CallQuery {
                    offset,
                    limit: 7,
                    ..all.clone()
                };
                let page = store.reader.user_calls(&query).unwrap();
                if page.rows.is_empty() {
                    break;
                }
                seen.extend(page.rows);
            }
            assert_eq!(seen, model::page(&rows, &all).rows);
        }
    }
}

pub(crate) fn a_cursor_goes_on_behind_its_row(open: fn(&Path) -> (Writer, Reader)) {
    let mut dice = Dice(78);
    let rows = dice.rows(ROWS);
    let mut store = filled(open, &mut dice, &rows);
    let all = CallQuery::all(ACME);
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let query = CallQuery {
            after,
            limit: 9,
            ..all.clone()
        };
        let page = store.reader.user_calls(&query).unwrap();
        let Some(last) = page.rows.last() else { break };
        after = Some(Position::from(last));
        seen.extend(page.rows);
        // A newer row moves every offset, but no cursor.
        store.list(vec![row(
            call(90_000),
            &seen.len().to_string(),
            MIDNIGHT_MS + 9 * DAY_MS,
        )]);
    }
    assert_eq!(seen, model::page(&rows, &all).rows);
}

pub(crate) fn days_end_at_midnight_utc(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let starts = [
        MIDNIGHT_MS - 1,
        MIDNIGHT_MS,
        MIDNIGHT_MS + DAY_MS - 1,
        MIDNIGHT_MS + DAY_MS,
        MIDNIGHT_MS + 2 * DAY_MS - 1,
        MIDNIGHT_MS + 2 * DAY_MS,
    ];
    store.list(
        (0..)
            .zip(starts)
            .map(|(number, start)| row(call(number), "1010", start))
            .collect(),
    );
    let midnight = |days: u64| Some(Time::from_millis(MIDNIGHT_MS + days * DAY_MS));
    let table = [
        (midnight(0), midnight(2), 1..5),
        (midnight(0), midnight(1), 1..3),
        (midnight(1), None, 3..6),
        (None, midnight(1), 0..3),
        (midnight(1), midnight(0), 0..0),
    ];
    for (from, to_exclusive, expect) in table {
        let query = CallQuery {
            from,
            to_exclusive,
            order: Order::OldestFirst,
            ..CallQuery::all(ACME)
        };
        let page = store.reader.user_calls(&query).unwrap();
        let found: Vec<u64> = page
            .rows
            .iter()
            .map(|row| row.call_start_at.as_millis())
            .collect();
        assert_eq!(found, starts[expect], "{from:?} to {to_exclusive:?}");
    }
}

pub(crate) fn a_row_never_changes_and_counts_once(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let ended = row(call(1), "1010", MIDNIGHT_MS);
    let mut changed = ended.clone();
    changed.call_duration_seconds += 1;
    store.list(vec![ended.clone(), changed.clone()]);
    store.list(vec![changed]);
    let all = CallQuery::all(ACME);
    let page = store.reader.user_calls(&all).unwrap();
    assert_eq!((page.rows, page.total), (vec![ended], 1));
}

pub(crate) fn names_and_numbers_find_the_same_user(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let mut renamed = row(call(2), "1010", MIDNIGHT_MS + 1);
    renamed.user_name = "Mary".into();
    store.list(vec![
        row(call(1), "1010", MIDNIGHT_MS),
        renamed,
        row(call(3), "1011", MIDNIGHT_MS + 2),
    ]);
    let table: [(&[&str], &[u64]); 5] = [
        (&["1010"], &[2, 1]),
        (&["User 1010"], &[1]),
        (&["Mary", "1011"], &[3, 2]),
        (&["1010", "Mary", "1010"], &[2, 1]),
        (&["mary"], &[]),
    ];
    for (users, expect) in table {
        let users = Some(users.iter().map(|user| (*user).to_owned()).collect());
        let query = CallQuery {
            users,
            ..CallQuery::all(ACME)
        };
        let rows = store.reader.user_calls(&query).unwrap().rows;
        let expect: Vec<_> = expect.iter().map(|number| call(*number)).collect();
        assert_eq!(
            rows.iter().map(|row| row.call).collect::<Vec<_>>(),
            expect,
            "{query:?}"
        );
    }
}

pub(crate) fn unknown_filters_match_nothing(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    store.list(vec![row(call(1), "1010", MIDNIGHT_MS)]);
    let all = CallQuery::all(ACME);
    let table = [
        CallQuery {
            users: Some(vec!["9999".into()]),
            ..all.clone()
        },
        CallQuery {
            users: Some(vec![]),
            ..all.clone()
        },
        CallQuery {
            users: Some(vec![String::new()]),
            ..all.clone()
        },
        CallQuery {
            call: Some(call(2)),
            ..all.clone()
        },
        CallQuery {
            call: Some(call(1)),
            users: Some(vec!["1".into()]),
            ..all.clone()
        },
        CallQuery {
            account: pbx::AccountId(9),
            ..all
        },
    ];
    for query in table {
        let page = store.reader.user_calls(&query).unwrap();
        assert_eq!((page.rows, page.total), (vec![], 0), "{query:?}");
    }
}

pub(crate) fn accounts_do_not_see_one_another(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let mut foreign = row(call(1), "1010", MIDNIGHT_MS);
    foreign.account = OTHER;
    let own = row(call(1), "1010", MIDNIGHT_MS);
    store.list(vec![foreign.clone(), own.clone()]);
    for (account, expect) in [(ACME, own), (OTHER, foreign)] {
        for call in [None, Some(expect.call)] {
            for users in [None, Some(vec!["1010".to_owned()])] {
                let query = CallQuery {
                    users,
                    call,
                    ..CallQuery::all(account)
                };
                let page = store.reader.user_calls(&query).unwrap();
                assert_eq!(
                    (page.rows, page.total),
                    (vec![expect.clone()], 1),
                    "{query:?}"
                );
            }
        }
    }
}
