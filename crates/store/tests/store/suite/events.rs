//! Events, and what is known after a crash.

use std::path::Path;

use clock::Time;
use pbx::{Fact, LegId};
use store::{Batch, Reader, Writer};

use super::{MIDNIGHT_MS, Store, arrived, call, ended, event, ringing, row, user_ref};

pub(crate) fn open_calls_come_back_whole_and_in_order(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let start = MIDNIGHT_MS;
    let first = [
        event(call(1), start, arrived()),
        event(call(2), start, arrived()),
        event(call(1), start, ringing("1010")),
        event(call(3), start, arrived()),
        event(call(3), start, ended()),
    ];
    let second = [
        event(call(2), start + 1, ended()),
        event(call(1), start + 1, ringing("1011")),
        event(
            call(1),
            start + 1,
            Fact::UserAnswered {
                user: user_ref("1011"),
            },
        ),
    ];
    store.tell(first.to_vec());
    store.tell(second.to_vec());
    let expect: Vec<_> = first
        .into_iter()
        .chain(second)
        .filter(|event| event.call == call(1))
        .collect();
    assert_eq!(store.writer.open_call_events().unwrap(), expect);
    let mut store = store.restart(open);
    assert_eq!(store.writer.open_call_events().unwrap(), expect);
    store.tell(vec![event(call(1), start + 2, ended())]);
    assert_eq!(store.writer.open_call_events().unwrap(), []);
}

pub(crate) fn what_follows_the_end_does_not_open_a_call_again(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let closed = Fact::LegClosed {
        leg: LegId(7),
        role: "caller".into(),
        report: pbx::LegReport::default(),
    };
    store.tell(vec![event(call(1), MIDNIGHT_MS, arrived())]);
    store.tell(vec![event(call(1), MIDNIGHT_MS, ended())]);
    store.tell(vec![event(call(1), MIDNIGHT_MS, closed)]);
    assert_eq!(store.writer.open_call_events().unwrap(), []);
}

pub(crate) fn heartbeat_and_last_call_survive_a_restart(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    assert_eq!(store.writer.last_heartbeat().unwrap(), None);
    assert_eq!(store.writer.last_call_id().unwrap(), None);
    for second in 1..=3 {
        let heartbeat = Some(Time::from_secs(second));
        store
            .writer
            .commit(&Batch {
                heartbeat,
                ..Batch::default()
            })
            .unwrap();
    }
    store.tell(vec![event(call(5), MIDNIGHT_MS, arrived())]);
    store.tell(vec![event(call(4), MIDNIGHT_MS, arrived())]);
    let mut store = store.restart(open);
    assert_eq!(
        store.writer.last_heartbeat().unwrap(),
        Some(Time::from_secs(3))
    );
    assert_eq!(store.writer.last_call_id().unwrap(), Some(call(5)));
    store.list(vec![row(call(6), "1010", MIDNIGHT_MS)]);
    assert_eq!(
        store.writer.last_call_id().unwrap(),
        Some(call(6)),
        "rows outlive events"
    );
}
