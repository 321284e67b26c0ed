//! Calls that are in the store already when the server starts: the edges of days, and what is
//! forgotten with time.

use std::path::PathBuf;

use clock::Time;
use pbx::cdr::{GroupCall, UserCall, UserCallKind};
use pbx::{AccountId, CallId, GroupKind, Trigger};
use store::{
    AttemptResult, Batch, DeliveryQuery, DeliveryState, Fate, NewDelivery, Reader, Tells, Writer,
};

use crate::common::account::{JOHN, JOHNS_NUMBER};
use crate::common::address::fresh_address;
use crate::common::contract::text;
use crate::common::http::{self, Answer};
use crate::common::instant;
use crate::common::server::Server;
use crate::common::stage::{SOON, account};
use crate::common::wait_for;

const DAY_MS: i64 = 86_400_000;

/// A server that does not run yet, and its account's store.
struct Kept {
    server: Server,
    database: PathBuf,
    account: AccountId,
}

impl Kept {
    fn prepare(variables: &[(&str, &str)]) -> Self {
        let mut document = account(fresh_address(), String::new());
        document.endpoints.clear();
        let server = Server::prepare(&document.yaml(), variables);
        let database = server
            .data_file("switchhook.db")
            .expect("an applied account is in the store");
        let accounts = reader(&database).accounts().expect("the store can be read");
        let account = accounts.first().expect("one was applied").account;
        Self {
            server,
            database,
            account,
        }
    }

    fn commit(&self, batch: &Batch) -> Vec<store::DeliveryId> {
        let mut writer = Writer::open(&self.database).expect("nobody else writes yet");
        writer.commit(batch).expect("the store takes it")
    }

    /// A listed call to John, the `number`-th of its second.
    fn row(&self, start_ms: i64, number: u64) -> UserCall {
        let millis = u64::try_from(start_ms).expect("after 1970");
        UserCall {
            account: self.account,
            call: CallId(millis / 1_000 * 1_000_000 + number),
            kind: UserCallKind::UserInboundAnswered,
            caller_id: Some("61400000001".to_owned()),
            caller_name: None,
            dest_number: JOHNS_NUMBER.to_owned(),
            user_name: "John Smith".into(),
            user_number: JOHN.into(),
            call_start_at: Time::from_millis(millis),
            connected_at: Some(Time::from_millis(millis + 2_000)),
            ended_at: Some(Time::from_millis(millis + 5_000)),
            call_duration_seconds: 5,
            conversation_duration_seconds: 3,
        }
    }

    /// The stay of such a call in a queue, which John did not answer.
    fn stay(&self, start_ms: i64, number: u64) -> GroupCall {
        let row = self.row(start_ms, number);
        GroupCall {
            account: row.account,
            call: row.call,
            stay: 1,
            kind: GroupKind::Queue,
            name: "Support".into(),
            caller_id: row.caller_id,
            caller_name: row.caller_name,
            dest_number: row.dest_number,
            user: None,
            call_start_at: row.call_start_at,
            connected_at: None,
            ended_at: row.call_start_at,
            call_duration_seconds: 0,
            conversation_duration_seconds: 0,
        }
    }

    /// So many calls, each with its stay.
    fn fill(&self, start_ms: i64, count: u64) {
        self.commit(&Batch {
            rows: (0..count)
                .map(|number| self.row(start_ms, number))
                .collect(),
            group_rows: (0..count)
                .map(|number| self.stay(start_ms, number))
                .collect(),
            ..Batch::default()
        });
    }

    fn delivery(&self, at_ms: i64) -> NewDelivery {
        let row = self.row(at_ms, 0);
        NewDelivery {
            account: self.account,
            endpoint: "crm".into(),
            call: row.call,
            tells: Tells::Trigger(Trigger::UserInboundCompleted),
            body: b"{}"[..].into(),
            at: row.call_start_at,
        }
    }
}

fn reader(database: &std::path::Path) -> Reader {
    Reader::open(database, 1).expect("an applied account is in the store")
}

fn rows_of(batch: Vec<UserCall>) -> Batch {
    Batch {
        rows: batch,
        ..Batch::default()
    }
}

#[test]
fn the_first_and_the_last_millisecond_of_both_days_belong_to_them() {
    let mut kept = Kept::prepare(&[]);
    let first = instant::parse_contract("2024-02-29T00:00:00.000Z").expect("an instant");
    let next = first + 2 * DAY_MS;
    let starts = [
        first - 1,
        first,
        first + DAY_MS - 1,
        first + DAY_MS,
        next - 1,
        next,
    ];
    let rows = starts.iter().zip(0..);
    kept.commit(&rows_of(
        rows.map(|(start, number)| kept.row(*start, number))
            .collect(),
    ));
    kept.server.launch();
    let cases: [(&str, &[usize]); 6] = [
        ("from_date=2024-02-29&to_date=2024-03-01", &[1, 2, 3, 4]),
        ("from_date=2024-02-29&to_date=2024-02-29", &[1, 2]),
        ("from_date=2024-03-01&to_date=2024-03-01", &[3, 4]),
        ("from_date=2024-03-01", &[3, 4, 5]),
        ("to_date=2024-02-28", &[0]),
        ("to_date=2024-02-29", &[0, 1, 2]),
    ];
    for (query, expect) in cases {
        let rows = kept
            .server
            .user_calls(&format!("sort_by=oldest_first&{query}"));
        let found = rows.iter().map(|row| {
            instant::parse_contract(text(row, "call_start_at")).expect("the contract's form")
        });
        let expect: Vec<i64> = expect.iter().map(|index| starts[*index]).collect();
        assert_eq!(found.collect::<Vec<_>>(), expect, "{query}");
    }
}

#[test]
fn what_is_older_than_its_days_is_forgotten_and_the_counts_are_right() {
    const OLD: u64 = 450;
    let days = [
        ("SWITCHHOOK_RETENTION__CALLS_DAYS", "30"),
        ("SWITCHHOOK_RETENTION__DELIVERIES_DAYS", "30"),
    ];
    let mut kept = Kept::prepare(&days);
    let (old, young) = (
        instant::now_ms() - 31 * DAY_MS,
        instant::now_ms() - 29 * DAY_MS,
    );
    kept.fill(old, OLD);
    kept.fill(young, 3);
    let deliveries = [old, old, old, young].map(|at| kept.delivery(at)).to_vec();
    let numbers = kept.commit(&Batch {
        deliveries,
        ..Batch::default()
    });
    let attempt = |index: usize, fate| AttemptResult {
        delivery: numbers[index],
        at: Time::from_millis(u64::try_from(old).expect("after 1970")),
        fate,
        status: Some(200),
        error: None,
    };
    // The first is still to be made.
    let attempts = vec![
        attempt(1, Fate::Failed),
        attempt(2, Fate::Delivered),
        attempt(3, Fate::Delivered),
    ];
    kept.commit(&Batch {
        attempts,
        ..Batch::default()
    });

    kept.server.launch();
    for list in ["get-user-calls", "get-queue-calls"] {
        let page = || -> Answer {
            kept.server
                .get(&format!("/api/integration/v2/{list}?limit=2"))
        };
        wait_for("the old calls to be forgotten", SOON, || {
            (page().header("X-Total-Count") == Some("3")).then_some(())
        });
    }
    let last = "limit=2&offset=2";
    assert_eq!(kept.server.user_calls(last).len(), 1);
    assert_eq!(kept.server.group_calls("get-queue-calls", last).len(), 1);
    let reader = reader(&kept.database);
    let in_state = |state| {
        let query = DeliveryQuery {
            account: kept.account,
            state,
            before: None,
            limit: 10,
        };
        let listed = reader.deliveries(&query).expect("the store can be read");
        let ids = listed.iter().map(|record| record.delivery.id);
        ids.collect::<Vec<_>>()
    };
    wait_for("the old deliveries to be forgotten", SOON, || {
        (in_state(DeliveryState::Delivered) == [numbers[3]]).then_some(())
    });
    // It had no endpoint any more and has failed just now, which is shown for as long as any other.
    assert_eq!(
        http::get(kept.server.listening().http, "/readyz", &[]).status,
        200
    );
}
