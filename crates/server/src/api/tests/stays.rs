//! The rows of queues and ring groups, under the two paths that list them.

use pbx::cdr::GroupCall;
use pbx::{GroupKind, UserRef};

use super::*;

const QUEUES: &str = "/api/integration/v2/get-queue-calls";
const RING_GROUPS: &str = "/api/integration/v2/get-ringgroup-calls";

/// A stay in a group that John answered.
fn stay(call: u64, (kind, name): (GroupKind, &str), start_ms: u64) -> GroupCall {
    GroupCall {
        account: AccountId(1),
        call: CallId(call),
        stay: 1,
        kind,
        name: name.into(),
        caller_id: Some("61300000000".to_owned()),
        caller_name: None,
        dest_number: "61298765432".to_owned(),
        user: Some(UserRef {
            number: "1010".into(),
            name: "John Smith".into(),
        }),
        call_start_at: Time::from_millis(start_ms),
        connected_at: Some(Time::from_millis(start_ms + 5_000)),
        ended_at: Time::from_millis(start_ms + 65_000),
        call_duration_seconds: 65,
        conversation_duration_seconds: 60,
    }
}

/// The same when nobody answered.
fn abandoned(call: u64, group: (GroupKind, &str), start_ms: u64) -> GroupCall {
    GroupCall {
        user: None,
        connected_at: None,
        conversation_duration_seconds: 0,
        caller_id: None,
        ..stay(call, group, start_ms)
    }
}

const SALES: (GroupKind, &str) = (GroupKind::Queue, "Sales");
const SUPPORT: (GroupKind, &str) = (GroupKind::Queue, "Front desk");
const RING_GROUP: (GroupKind, &str) = (GroupKind::RingGroup, "Sales");

/// Three stays in queues, two in ring groups.
fn filled() -> Server {
    let mut server = server(&lenient());
    let group_rows = vec![
        stay(id(1), SALES, MIDNIGHT_MS),
        abandoned(id(2), SALES, MIDNIGHT_MS + 1),
        stay(id(3), SUPPORT, MIDNIGHT_MS + DAY_MS),
        abandoned(id(4), RING_GROUP, MIDNIGHT_MS),
        stay(id(5), RING_GROUP, MIDNIGHT_MS + 1),
    ];
    let batch = Batch {
        group_rows,
        ..Batch::default()
    };
    server.writer.commit(&batch).unwrap();
    server
}

#[tokio::test]
async fn golden_assertions_of_both_lists() {
    let server = filled();
    for (path, name, total) in [(QUEUES, "queues", "3"), (RING_GROUPS, "ring_groups", "2")] {
        let answer = server.get_from(path, "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["x-total-count"], total);
        insta::assert_json_snapshot!(name, answer.body);
    }
}

#[tokio::test]
async fn filters_stand_beside_one_another() {
    let server = filled();
    let one = format!("unique_call_id={}", id(2));
    let cases: [(&str, &str, &[u64]); 12] = [
        (QUEUES, "queues_names=Sales", &[2, 1]),
        (QUEUES, "queues_names=Front%20desk,Sales", &[3, 2, 1]),
        (QUEUES, "queues_names=Nobody", &[]),
        (QUEUES, "queues_names=", &[3, 2, 1]),
        (QUEUES, "users_numbers=1010", &[3, 1]),
        (QUEUES, "users_names=John+Smith&queues_names=Sales", &[1]),
        (QUEUES, "from_date=2019-10-02", &[3]),
        (QUEUES, "to_date=2019-10-01&sort_by=oldest_first", &[1, 2]),
        (QUEUES, "offset=1&limit=1", &[2]),
        (QUEUES, &one, &[2]),
        (RING_GROUPS, "ringgroups_names=Sales", &[5, 4]),
        (RING_GROUPS, &one, &[]),
    ];
    for (path, query, expect) in cases {
        let answer = server.get_from(path, query).await;
        assert_eq!(answer.status, 200, "{path} {query}");
        let rows = answer.body["data"].as_array().unwrap().iter();
        let ids: Vec<String> = rows
            .map(|row| row["unique_call_id"].as_str().unwrap().to_owned())
            .collect();
        let expect: Vec<String> = expect.iter().map(|index| id(*index).to_string()).collect();
        assert_eq!(ids, expect, "{path} {query}");
    }
}

#[tokio::test]
async fn the_next_link_leads_on_in_the_same_list() {
    let server = filled();
    let first = server
        .get_from(QUEUES, "limit=2&queues_names=Sales,Front+desk")
        .await;
    let link = first.headers["link"].to_str().unwrap();
    let url = link[1..].split_once('>').unwrap().0;
    let query = url.strip_prefix(&format!("{QUEUES}?")).unwrap();
    let rest = server.get_from(QUEUES, query).await;
    assert_eq!(rest.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(rest.body["data"][0]["unique_call_id"], id(1).to_string());
    assert!(!rest.headers.contains_key("link"));
}
