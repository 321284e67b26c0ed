//! Account documents.

use std::path::Path;

use clock::Time;
use store::{Reader, Writer};

use super::Store;

pub(crate) fn versions_count_up_per_name(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let mut save = |name: &str, text: &str, second| {
        let at = Time::from_secs(second);
        let saved = store
            .writer
            .save_account(name, text.as_bytes(), at)
            .unwrap();
        (saved.account.0, saved.version)
    };
    assert_eq!(save("acme", "a", 1), (1, 1));
    assert_eq!(save("other", "b", 2), (2, 1));
    assert_eq!(save("acme", "c", 3), (1, 2));
    let store = store.restart(open);
    let history = store.reader.account_history(pbx::AccountId(1)).unwrap();
    let texts: Vec<_> = history
        .iter()
        .map(|one| (one.version, &one.document[..]))
        .collect();
    assert_eq!(texts, [(2, &b"c"[..]), (1, &b"a"[..])]);
    assert_eq!(history[1].applied_at, Time::from_secs(1));
}

pub(crate) fn the_newest_document_of_each_account_is_listed(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let mut newest = Vec::new();
    for (name, version) in [("b", 1), ("a", 1), ("b", 2), ("b", 3)] {
        let document = format!("{name} {version}");
        let saved = store
            .writer
            .save_account(name, document.as_bytes(), Time::from_secs(version))
            .unwrap();
        newest.retain(|other: &store::AccountDocument| other.name != name);
        newest.push(saved);
    }
    newest.sort_by_key(|document| document.account);
    assert_eq!(store.reader.accounts().unwrap(), newest);
}
