//! The disk takes nothing for a while: calls go on, nothing is lost, and the operator is told.

use crate::common::account::JOHNS_NUMBER;
use crate::common::http;
use crate::common::stage::{CRM, SOON, Stage};
use crate::common::wait_for;

#[test]
fn calls_go_on_while_the_disk_is_full_and_are_told_of_afterwards() {
    let stage = Stage::new();
    let phone = stage.phone("1010-desk");
    let ask = |path| http::get(stage.server.listening().http, path, &[]);
    stage.server.fill_disk();
    let called = phone.play("answers").pause_ms(50).start();
    let call = stage.carrier_plays("carrier-calls", "61400000001", JOHNS_NUMBER);
    let calling = call.pause_ms(500).start();
    wait_for("/readyz to say so", SOON, || {
        let answer = ask("/readyz");
        (answer.status == 503).then(|| {
            assert!(
                answer.body.starts_with("events cannot be kept: "),
                "{}",
                answer.body
            );
        })
    });
    // The call that began meanwhile is made and ends as any other.
    calling.finish();
    called.finish();
    assert_eq!(ask("/healthz").status, 200);
    assert!(
        stage.server.user_calls("").is_empty(),
        "nothing is listed that is not kept"
    );
    assert!(
        stage.receiver.received(CRM).is_empty(),
        "nothing is told that is not kept"
    );
    stage.server.free_disk();
    stage.hooks(3);
    stage.rows(1);
    assert_eq!(ask("/readyz").status, 200);
    let metrics = ask("/metrics").body;
    assert!(
        metrics.contains("\nswitchhook_events_lost_total 0\n"),
        "{metrics}"
    );
    assert!(
        !metrics.contains("\nswitchhook_commits_failed_total 0\n"),
        "{metrics}"
    );
}
