//! `switchhook account`: the document is applied, refused with the line and the rule, and exported.

use std::path::Path;
use std::process::Output;

use crate::common::account::{Endpoint, JOHNS_NUMBER};
use crate::common::address;
use crate::common::receiver::Receiver;
use crate::common::server::Server;
use crate::common::stage::{CRM, Stage, account};

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/account.yaml");
    std::fs::read_to_string(path).expect("the example is part of the repository")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn the_example_document_can_be_applied() {
    let server = Server::prepare(&example(), &[]);
    let again = server.apply(&example());
    assert!(again.status.success(), "{}", said(&again));
}

#[test]
fn a_mistake_is_named_with_its_line_and_rule() {
    let server = Server::prepare(&example(), &[]);
    let mistakes = [
        ("ring_seconds: 25", "ring_second: 25", "ring_seconds"),
        ("ring_seconds: 25", "ring_seconds: 0", "ring_seconds"),
        (
            "settings: {user: \"1010\"}",
            "settings: {user: \"1011\"}",
            "1011",
        ),
        ("no_answer: nobody", "no_answer: nowhere", "nowhere"),
        (
            "user_inbound_answered",
            "user_inbound_answred",
            "user_inbound_answered",
        ),
        ("country: AU", "country: XX", "XX"),
        (
            "time_zone: Australia/Sydney",
            "time_zone: Australia/Sidney",
            "there is no time zone `Australia/Sidney`; `Australia/Sydney` may be meant",
        ),
    ];
    for (right, wrong, named) in mistakes {
        let text = example().replacen(right, wrong, 1);
        assert_ne!(text, example(), "the example has no {right}");
        let before = text.split(wrong).next().expect("the mistake is there");
        let line = before.matches('\n').count() + 1;
        let output = server.apply(&text);
        assert!(!output.status.success(), "{wrong} was taken");
        let said = said(&output);
        assert!(
            said.contains(&format!(":{line}:")) || said.contains(&format!("line {line}")),
            "{wrong} is on line {line}: {said}"
        );
        assert!(said.contains(named), "{wrong}: {said}");
    }
}

#[test]
fn an_export_is_stable_and_holds_no_secret() {
    let server = Server::prepare(&example(), &[]);
    let export = || {
        let output = server.output(&["account", "export", "acme"]);
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).expect("the document is text")
    };
    let first = export();
    assert_eq!(first, export());
    for secret in ["correct-horse", "battery-staple", "s3cret", "5up3r"] {
        assert!(!first.contains(secret), "{secret} is in the export");
    }
}

#[test]
fn what_is_applied_to_a_running_server_is_live() {
    let stage = Stage::new();
    let more = Receiver::start();
    let mut changed = account(stage.carrier, stage.receiver.url(CRM));
    let url = more.url("/new");
    changed.endpoints.push(Endpoint {
        name: "new",
        url,
        triggers: "all",
        timeout_seconds: 30,
    });
    let output = stage.server.apply(&changed.yaml());
    assert!(output.status.success(), "{}", said(&output));
    let phone = stage.phone("1010-desk");
    let called = phone.play("answers").pause_ms(50).start();
    let call = stage.carrier_plays("carrier-calls", "61400000001", JOHNS_NUMBER);
    call.pause_ms(100).start().finish();
    called.finish();
    stage.hooks(3);
    more.wait_for("/new", 3, crate::common::stage::SOON);
}

#[test]
fn a_webhook_to_a_private_address_is_refused_unless_the_operator_allows_it() {
    let carrier = address::fresh_address();
    let mut private = account(carrier, "http://10.1.2.3/hooks".to_owned());
    let server = Server::prepare(
        &account(carrier, "https://crm.example/hooks".to_owned()).yaml(),
        &[],
    );
    let output = server.apply(&private.yaml());
    assert!(
        !output.status.success(),
        "an address of a private network was taken"
    );
    assert!(said(&output).contains("10.1.2.3"), "{}", said(&output));
    private.endpoints.clear();
    assert!(server.apply(&private.yaml()).status.success());
}
