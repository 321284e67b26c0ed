//! `docs/call-paths.md` as the tests demand it: a test looks its own line up and compares what was
//! told with it, and rows with webhooks.

use std::collections::BTreeSet;

use serde_json::Value;

use super::contract;
use super::receiver::Delivery;
use super::stage::{self, CRM, GRACE, SOON, Stage};

const DOCUMENT: &str = include_str!("../../../../../docs/call-paths.md");

/// What stands where there is nothing.
const NOTHING: &str = "–";

/// A line of the document.
#[derive(Debug)]
struct Path {
    /// The trigger and the user's number of each.
    events: Vec<String>,
    /// The user's number and the type of each, sorted.
    rows: Vec<String>,
    /// The group, the status and the user's number of each, oldest first.
    stays: Vec<String>,
}

impl Path {
    /// The line that says it is shown by this test.
    fn of(test: &str) -> Self {
        let shown_by = format!("| `{test}` |");
        let mut lines = DOCUMENT.lines().filter(|line| line.ends_with(&shown_by));
        let line = lines.next();
        let line = line.unwrap_or_else(|| panic!("no path says that `{test}` shows it"));
        assert_eq!(lines.next(), None, "one line for one test");
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, _, events, rows, stays, ..] = cells.as_slice() else {
            panic!("a line of five cells: {line}");
        };
        let mut rows = entries(rows);
        rows.sort_unstable();
        Self {
            events: entries(events),
            rows,
            stays: entries(stays),
        }
    }
}

/// The entries of a cell, without their markup.
fn entries(cell: &str) -> Vec<String> {
    if cell == NOTHING {
        return Vec::new();
    }
    cell.split("<br>")
        .map(|entry| entry.replace('`', ""))
        .collect()
}

impl Stage {
    /// Demands exactly the webhooks and rows of the path that this test shows, and that they agree.
    /// The webhooks are returned in their order.
    pub(crate) fn follows(&self, test: &str) -> Vec<Delivery> {
        self.follows_after(&[], test)
    }

    /// The same when other calls were told before.
    pub(crate) fn follows_after(&self, before: &[Delivery], test: &str) -> Vec<Delivery> {
        let path = Path::of(test);
        let is_new = |call: &str| before.iter().all(|hook| hook.call() != call);
        let mut hooks = self.hooks_once_each(before.len() + path.events.len());
        hooks.retain(|hook| is_new(hook.call()));
        let told: Vec<String> = hooks.iter().map(|hook| event(&hook.body)).collect();
        assert_eq!(told, path.events, "{test}");
        let mut rows = self.rows(rows_of(before) + path.rows.len());
        rows.retain(|row| is_new(contract::text(row, "unique_call_id")));
        let mut found: Vec<String> = rows.iter().map(user_row).collect();
        found.sort_unstable();
        assert_eq!(found, path.rows, "{test}");
        let stays = self.stays(path.stays.len());
        let found: Vec<String> = stays.iter().map(stay).collect();
        assert_eq!(found, path.stays, "{test}");
        let bodies: Vec<&Value> = hooks.iter().map(|hook| &hook.body).collect();
        for row in rows.iter().chain(&stays) {
            check_agrees(row, &bodies);
        }
        hooks
    }

    /// Waits for so many webhooks and demands that no more follow. At least once means that one may
    /// come again after a crash: then the first counts.
    fn hooks_once_each(&self, count: usize) -> Vec<Delivery> {
        let hooks = || {
            let mut seen = BTreeSet::new();
            let hooks = self.receiver.received(CRM).into_iter();
            let first = |hook: &Delivery| seen.insert(hook.header("x-pbx-delivery").to_owned());
            let hooks: Vec<Delivery> = hooks.filter(first).collect();
            hooks
        };
        super::wait_for(&format!("{count} webhooks"), SOON, || {
            (hooks().len() >= count).then_some(())
        });
        std::thread::sleep(GRACE);
        let hooks = hooks();
        stage::check_hooks(&hooks);
        hooks
    }

    /// Waits for so many stays, queues before ring groups, and demands that there are no more.
    fn stays(&self, count: usize) -> Vec<Value> {
        let stays = || -> Vec<Value> {
            let lists = ["get-queue-calls", "get-ringgroup-calls"];
            let rows = lists.map(|list| self.server.group_calls(list, "sort_by=oldest_first"));
            rows.concat()
        };
        let found = super::wait_for(&format!("{count} stays"), SOON, || {
            Some(stays()).filter(|stays| stays.len() >= count)
        });
        assert_eq!(found.len(), count, "{found:?}");
        found
    }
}

/// How many rows these webhooks tell of: one for each user's story in a call.
fn rows_of(hooks: &[Delivery]) -> usize {
    let ends = hooks
        .iter()
        .filter(|hook| hook.kind().ends_with("_completed"));
    let stories = ends.map(|hook| (hook.call(), hook.kind(), user(&hook.body)));
    stories.collect::<BTreeSet<_>>().len()
}

fn event(body: &Value) -> String {
    format!("{} {}", contract::text(body, "type"), user(body))
}

fn user_row(row: &Value) -> String {
    format!("{} {}", user(row), contract::text(row, "type"))
}

fn stay(row: &Value) -> String {
    let name = row["queue_name"].as_str();
    let name = name.unwrap_or_else(|| contract::text(row, "ring_group_name"));
    format!("{name} {} {}", contract::text(row, "status"), user(row))
}

fn user(object: &Value) -> &str {
    object["user_number"].as_str().unwrap_or(NOTHING)
}

/// Demands that the last webhook of a row's story says what the row says.
pub(crate) fn check_agrees(row: &Value, told: &[&Value]) {
    let last = told.iter().rfind(|body| ends(row, body));
    let last = last.unwrap_or_else(|| panic!("no webhook tells the end of {row}"));
    let fields = row.as_object().expect("a row is an object").keys();
    // The one has its own types, the other a second name for the caller.
    for field in fields.filter(|field| !["type", "callerid"].contains(&field.as_str())) {
        if let Some(told) = last.get(field) {
            assert_eq!(told, &row[field], "{field} of {row}");
        }
    }
}

/// Whether a webhook tells the end of what a row is about.
fn ends(row: &Value, body: &Value) -> bool {
    let same = |field: &str| row.get(field) == body.get(field);
    let kind = match row["type"].as_str() {
        Some(kind) if kind.starts_with("user_inbound") => "user_inbound_completed",
        Some(_) => "user_outbound_completed",
        None if row.get("queue_name").is_some() => "queue_call",
        None => "ring_group_call",
    };
    let of_group = same("queue_name") && same("ring_group_name") && same("call_start_at");
    body["type"] == kind
        && same("unique_call_id")
        && (row["type"].is_string() && same("user_number") || of_group)
}

#[test]
fn a_line_is_read_without_its_markup() {
    let path = Path::of("ring_group::when_nobody_answers_in_time_the_group_was_abandoned");
    assert_eq!(
        path.events.first().map(String::as_str),
        Some("user_inbound 1010")
    );
    assert_eq!(
        path.events.last().map(String::as_str),
        Some("ring_group_call –")
    );
    assert_eq!(path.stays, ["Sales abandoned –"]);
    let path = Path::of("inbound::a_number_nobody_has_is_not_found");
    assert!(path.events.is_empty() && path.rows.is_empty() && path.stays.is_empty());
}
