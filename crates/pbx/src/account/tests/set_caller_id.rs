//! What is shown of a caller, on phones and in what is told.

use serde_json::{Value, json};

use super::*;
use crate::cdr::{Change, Fold};

fn draft(settings: &Value) -> impl FnOnce(&mut Draft) + use<> {
    let objects = json!([
        {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
         "exits": {"next": "mary"}},
        {"id": "mary", "kind": "user", "settings": {"user": "1012"},
         "exits": {"unavailable": "shown"}},
        {"id": "shown", "kind": "set_caller_id", "settings": settings, "exits": {"next": "john"}},
        {"id": "john", "kind": "user", "settings": {"user": "1010"},
         "exits": {"busy": "out"}},
        {"id": "out", "kind": "external_number", "settings": {"number": "+61412345678"}}
    ]);
    move |draft| draft.flows[0].objects = serde_json::from_value(objects).unwrap()
}

/// What is told and dialled first after the object.
#[track_caller]
fn check(settings: &Value, told: &str, dialled: &str) {
    let mut desk = Desk::with(draft(settings));
    desk.comes_in(NUMBER);
    assert_eq!(desk.ladder[3], told, "{settings}");
    assert_eq!(desk.ladder[5], format!("dial 1010-desk as {dialled}"));
}

#[test]
fn names_and_numbers_are_replaced_and_added_to() {
    let plain = "61300000000";
    check(
        &json!({}),
        &format!("[shown as {plain}, no name]"),
        "+61300000000",
    );
    check(
        &json!({"name": "Head office"}),
        &format!("[shown as {plain}, Head office]"),
        "+61300000000",
    );
    check(
        &json!({"name_prefix": "Sales: "}),
        &format!("[shown as {plain}, Sales: {plain}]"),
        "+61300000000",
    );
    check(
        &json!({"name": "Ann", "name_prefix": "Sales: ", "name_suffix": " (02)"}),
        &format!("[shown as {plain}, Sales: Ann (02)]"),
        "+61300000000",
    );
    check(
        &json!({"number_prefix": "0", "number_suffix": "99"}),
        &format!("[shown as 0{plain}99, no name]"),
        "06130000000099",
    );
    check(
        &json!({"number": "(02) 9876 0000"}),
        "[shown as 61298760000, no name]",
        "+61298760000",
    );
}

#[test]
fn the_first_rule_that_fits_the_number_is_taken() {
    let rules = json!({"name": "Others", "rules": [
        {"begins_with": "+614", "name": "Mobile"},
        {"begins_with": "613", "name": "Short"},
        {"begins_with": "+613", "name": "Melbourne"},
        {"begins_with": "+61", "name": "Australia"}]});
    check(&rules, "[shown as 61300000000, Melbourne]", "+61300000000");
    let rules = json!({"name": "Others", "rules": [{"begins_with": "+614", "name": "Mobile"}]});
    check(&rules, "[shown as 61300000000, Others]", "+61300000000");
}

#[test]
fn what_began_before_keeps_what_was_shown_and_the_outside_sees_the_real_number() {
    let settings = json!({"number": "+61298760000", "name": "Head office"});
    let mut desk = Desk::with(draft(&settings));
    desk.comes_in(NUMBER);
    desk.fails("1010-desk", Failure::Busy);
    desk.fails("1010-mobile", Failure::Busy);
    let last = desk.ladder.last().map(String::as_str);
    assert_eq!(last, Some("dial 61412345678 by carrier as 61300000000"));
    desk.hangs_up("caller", HangupCause::GaveUp);
    let mut fold = Fold::new();
    let changes = desk.events.iter().flat_map(|event| fold.apply(event));
    let told = changes.filter_map(|change| {
        let (user, caller) = match change {
            Change::Hook(hook) => (hook.user?.number, (hook.caller_id, hook.caller_name)),
            Change::Row(row) => (row.user_number, (row.caller_id, row.caller_name)),
            Change::GroupRow(_) | Change::Component(_) | Change::Recording(_) => return None,
        };
        Some((user.to_string(), caller))
    });
    let mut told: Vec<_> = told.collect();
    told.dedup();
    let was = |number: &str, name: Option<&str>| (Some(number.to_owned()), name.map(str::to_owned));
    let before = ("1012".to_owned(), was("61300000000", None));
    let after = ("1010".to_owned(), was("61298760000", Some("Head office")));
    // Two webhooks each, then the rows, by internal number.
    assert_eq!(told, [before.clone(), after, before]);
}
