//! Sounds of accounts.

use std::path::Path;

use clock::Time;
use pbx::AccountId;
use store::{Reader, SoundRow, SoundWrite, Writer};

use super::{ACME, OTHER, Store};

pub(crate) fn each_account_has_its_own(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    for name in ["acme", "other"] {
        let saved = store.writer.save_account(name, b"", Time::ZERO);
        saved.unwrap();
    }
    let row = |account: AccountId, name: &str, seconds| SoundRow {
        account,
        name: name.to_owned(),
        seconds,
        saved_at: Time::from_secs(seconds.into()),
    };
    let mut save = |row: SoundRow| store.writer.write_sound(&SoundWrite::Save(row)).unwrap();
    assert!(save(row(ACME, "welcome", 3)) && save(row(ACME, "closed", 4)));
    assert!(save(row(OTHER, "welcome", 5)) && save(row(ACME, "welcome", 6)));
    let mut store = store.restart(open);
    let expect = [row(ACME, "closed", 4), row(ACME, "welcome", 6)];
    assert_eq!(store.reader.sounds(ACME).unwrap(), expect);
    assert_eq!(
        store.reader.sounds(OTHER).unwrap(),
        [row(OTHER, "welcome", 5)]
    );
    let (account, name) = (ACME, "closed".to_owned());
    let removal = SoundWrite::Remove { account, name };
    assert!(store.writer.write_sound(&removal).unwrap());
    assert!(!store.writer.write_sound(&removal).unwrap());
    assert_eq!(store.reader.sounds(ACME).unwrap(), expect[1..]);
}
