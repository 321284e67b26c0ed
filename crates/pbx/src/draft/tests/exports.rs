//! How a draft leaves and comes back.

use super::*;

fn with_a_webhook_object() -> Draft {
    let mut draft = example();
    let object = json!({"id": "told", "kind": "webhook", "settings": {
        "url": "https://crm.example.com/", "secret_token": "0bj3ct",
        "headers": {"Authorization": "Bearer abc"}}});
    let object = serde_json::from_value(object).unwrap();
    draft.flows[0].objects.push(object);
    draft
}

#[test]
fn an_export_is_stable_and_holds_no_secret() {
    let mut draft = with_a_webhook_object();
    let first = serde_json::to_string(&draft.export(Secrets::Hashed)).unwrap();
    draft.users.reverse();
    draft.flows[0].objects.reverse();
    draft.api.allowed_ips.reverse();
    let second = serde_json::to_string(&draft.export(Secrets::Hashed)).unwrap();
    assert_eq!(first, second);
    let again: Draft = serde_json::from_str(&first).unwrap();
    assert_eq!(
        serde_json::to_string(&again.export(Secrets::Hashed)).unwrap(),
        first
    );
    for secret in [
        "correct-horse",
        "s3cret-s3cret",
        "5up3r",
        "0bj3ct",
        "Bearer",
        "0123456789abcdef",
    ] {
        assert!(!first.contains(secret), "{secret}");
    }
}

#[test]
fn an_export_applied_again_keeps_the_stored_secrets() {
    let mut stored = with_a_webhook_object();
    stored.hash_passwords();
    let mut edited = stored.export(Secrets::Hashed);
    edited.name = "Acme International".to_owned();
    assert!(
        edited.compile(AccountId(1), 2).is_err(),
        "a hash is no trunk password"
    );
    edited.keep_secrets(&stored);
    assert_eq!(edited.flows, stored.export(Secrets::Shown).flows);
    let plan = edited.compile(AccountId(1), 2).unwrap();
    let register = plan.trunks[0].register.as_ref().unwrap();
    assert_eq!(&*register.password, "s3cret-s3cret");
    assert_eq!(&*plan.webhooks[0].secret_token, "5up3r");
    let shown = serde_json::to_string(&stored.export(Secrets::Shown)).unwrap();
    assert!(shown.contains("0bj3ct") && shown.contains("Bearer abc"));
    assert!(shown.contains("s3cret-s3cret") && !shown.contains("correct-horse"));
}

#[test]
fn no_secret_is_printed_for_debugging() {
    let mut draft = with_a_webhook_object();
    let printed = format!("{draft:?}");
    draft.hash_passwords();
    let printed = printed + &format!("{draft:?} {:?}", draft.compile(AccountId(1), 1));
    let hash = crate::hash::hex(&crate::hash::md5(
        "1010-desk:acme.example.com:correct-horse",
    ));
    for secret in [
        "correct-horse",
        "s3cret-s3cret",
        "5up3r",
        "0bj3ct",
        "Bearer",
        "0123456789abcdef",
        &hash,
    ] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}
