//! Mailboxes: their messages, how many there are, and their PINs.

use std::path::Path;
use std::time::Duration;

use clock::Time;
use pbx::{
    CallId, MailOutcome, MailboxCounts, Message, MessageState, Purpose, RecordingId, UserRef,
};
use store::{
    Batch, MailboxFill, MailboxRow, PhonePin, Reader, Recording, RecordingState, RecordingWrite,
    Writer,
};

use super::{ACME, OTHER, Store};

const BEGUN: Time = Time::from_secs(1_569_943_875);

fn id(number: u16) -> RecordingId {
    RecordingId::new(CallId(1_569_943_875_010_000), number)
}

/// A message that is kept.
fn left(number: u16, mailbox: &str) -> [RecordingWrite; 2] {
    let user = UserRef {
        number: mailbox.into(),
        name: mailbox.into(),
    };
    let begun = Recording {
        recording: id(number),
        account: ACME,
        state: RecordingState::Open,
        purpose: Purpose::Voicemail {
            mailbox: user,
            emails: Vec::new(),
            copy_of: None,
        },
        caller_id: Some("61300000000".to_owned()),
        caller_name: None,
        dest_number: "61298765432".to_owned(),
        began_at: BEGUN,
        token: format!("token-{number}").into(),
    };
    let kept = RecordingWrite::Keep {
        recording: id(number),
        seconds: number.into(),
        mail: MailOutcome::None,
    };
    [RecordingWrite::Begin(begun), kept]
}

fn commit(store: &mut Store, recordings: Vec<RecordingWrite>) {
    let batch = Batch {
        recordings,
        ..Batch::default()
    };
    store.writer.commit(&batch).unwrap();
}

fn moved(number: u16, to: MessageState) -> RecordingWrite {
    let recording = id(number);
    RecordingWrite::Move { recording, to }
}

pub(crate) fn messages_are_listed_counted_and_forgotten(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let [john, ann] = ["1010", "1020"];
    let messages = [left(1, john), left(2, john), left(3, ann), left(4, john)];
    commit(&mut store, messages.into_iter().flatten().collect());
    commit(&mut store, vec![moved(1, MessageState::Saved)]);
    let listed = |store: &Store, most| {
        let messages = store.reader.messages(ACME, john, most).unwrap();
        let brief = |message: Message| (message.recording, message.state, message.seconds);
        messages.into_iter().map(brief).collect::<Vec<_>>()
    };
    let (new, saved) = (MessageState::New, MessageState::Saved);
    let expect = [(id(2), new, 2), (id(4), new, 4), (id(1), saved, 1)];
    assert_eq!(listed(&store, 10), expect);
    assert_eq!(listed(&store, 1), expect[..1]);
    let counts = |store: &Store, number| store.reader.mailbox_counts(ACME, number).unwrap();
    assert_eq!(counts(&store, john), MailboxCounts { new: 2, saved: 1 });
    let fill = |number: &str, new, saved| MailboxFill {
        account: ACME,
        number: number.to_owned(),
        counts: MailboxCounts { new, saved },
    };
    let expect = [fill(john, 2, 1), fill(ann, 1, 0)];
    assert_eq!(store.reader.mailboxes().unwrap(), expect);

    // One that is erased before it was kept is never kept, and has no link.
    let [begin, keep] = left(5, ann);
    let erase = |number| moved(number, MessageState::Erased);
    commit(&mut store, vec![begin, erase(5), keep, erase(3)]);
    assert_eq!(counts(&store, ann), MailboxCounts::default());
    for token in ["token-3", "token-5"] {
        assert_eq!(store.reader.recording_of_token(token).unwrap(), None);
    }
    let old = |before: Time| store.reader.old_messages(ACME, before, 10).unwrap();
    assert_eq!(old(BEGUN), []);
    let later = old(BEGUN + Duration::from_secs(1));
    assert_eq!(later, [1, 2, 4].map(|number| (id(number), john.to_owned())));
}

pub(crate) fn what_a_mailbox_knows_of_its_pin_is_kept(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    store.writer.save_account("acme", b"", BEGUN).unwrap();
    let row = |pin, wrong| MailboxRow {
        account: ACME,
        number: "1010".to_owned(),
        pin,
        wrong,
        locked_until: BEGUN,
    };
    let pin = |instead_of| PhonePin {
        hash: [7; 32],
        instead_of,
    };
    for row in [
        row(None, 3),
        row(Some(pin(None)), 0),
        row(Some(pin(Some([8; 32]))), 1),
    ] {
        store.writer.save_mailbox(&row).unwrap();
        store = store.restart(open);
        assert_eq!(store.reader.mailbox(ACME, "1010").unwrap(), Some(row));
    }
    assert_eq!(store.reader.mailbox(ACME, "1011").unwrap(), None);
    assert_eq!(store.reader.mailbox(OTHER, "1010").unwrap(), None);
}
