//! Recordings: what is said again changes nothing, and only what is kept has a link.

use std::path::Path;
use std::time::Duration;

use clock::Time;
use pbx::{AccountId, CallId, Discarded, MailOutcome, Purpose, RecordingId, UserRef};
use store::{Batch, Erase, Reader, Recording, RecordingState, RecordingWrite, Writer};

use super::Store;

fn id(number: u16) -> RecordingId {
    RecordingId::new(CallId(1_569_943_875_010_000), number)
}

fn begun(number: u16) -> Recording {
    Recording {
        recording: id(number),
        account: AccountId(3),
        state: RecordingState::Open,
        purpose: Purpose::Voicemail {
            mailbox: UserRef {
                number: "1010".into(),
                name: "John Smith".into(),
            },
            emails: vec!["john@acme.example.com".into()],
            copy_of: None,
        },
        caller_id: Some("61300000000".to_owned()),
        caller_name: None,
        dest_number: "61298765432".to_owned(),
        began_at: Time::from_micros(1_569_943_875_000_001),
        token: format!("token-{number}").into(),
    }
}

fn commit(writer: &mut Writer, recordings: Vec<RecordingWrite>) {
    let batch = Batch {
        recordings,
        ..Batch::default()
    };
    writer.commit(&batch).unwrap();
}

pub(crate) fn each_goes_its_way_once(open: fn(&Path) -> (Writer, Reader)) {
    let mut store = Store::new(open);
    let (writer, reader) = (&mut store.writer, &store.reader);
    let begin = |number| RecordingWrite::Begin(begun(number));
    commit(writer, vec![begin(1), begin(2), begin(3)]);
    assert_eq!(
        reader.unfinished_recordings().unwrap(),
        [begun(1), begun(2), begun(3)]
    );
    assert_eq!(reader.recording_of_token("token-1").unwrap(), None);

    let (seconds, mail) = (7, MailOutcome::Sent);
    let keep = RecordingWrite::Keep {
        recording: id(1),
        seconds,
        mail,
    };
    let why = Discarded::TooShort;
    let discard = RecordingWrite::Discard {
        recording: id(2),
        why,
    };
    let again = Recording {
        token: "another".into(),
        ..begun(1)
    };
    commit(
        writer,
        vec![
            RecordingWrite::Close(id(1)),
            keep.clone(),
            discard,
            RecordingWrite::Close(id(3)),
        ],
    );
    commit(
        writer,
        vec![
            RecordingWrite::Begin(again),
            RecordingWrite::Close(id(1)),
            RecordingWrite::Discard {
                recording: id(1),
                why,
            },
        ],
    );
    let state = |number| reader.recording(id(number)).unwrap().unwrap().state;
    assert_eq!(
        [1, 2, 3].map(state),
        [
            RecordingState::Kept,
            RecordingState::Gone,
            RecordingState::Closed
        ]
    );
    let unfinished = reader.unfinished_recordings().unwrap();
    assert_eq!(unfinished.len(), 1);
    assert_eq!(reader.recording_of_token("token-1").unwrap(), Some(id(1)));
    for token in ["token-2", "token-3", "another", ""] {
        assert_eq!(reader.recording_of_token(token).unwrap(), None, "{token}");
    }
    assert_eq!(reader.recording(id(4)).unwrap(), None);
}

pub(crate) fn a_link_can_be_renewed_and_what_is_old_is_forgotten(
    open: fn(&Path) -> (Writer, Reader),
) {
    let mut store = Store::new(open);
    let (writer, reader) = (&mut store.writer, &store.reader);
    let keep = RecordingWrite::Keep {
        recording: id(1),
        seconds: 7,
        mail: MailOutcome::None,
    };
    let discard = RecordingWrite::Discard {
        recording: id(2),
        why: Discarded::NoAudio,
    };
    let begin = |number| RecordingWrite::Begin(begun(number));
    commit(writer, vec![begin(1), begin(2), begin(3), keep, discard]);

    assert!(writer.renew_link(id(1), "renewed").unwrap());
    assert!(!writer.renew_link(id(2), "of nothing").unwrap());
    assert_eq!(reader.recording_of_token("token-1").unwrap(), None);
    assert_eq!(reader.recording_of_token("renewed").unwrap(), Some(id(1)));

    let began = Time::from_secs(1_569_943_875);
    let mut erase = |before| writer.erase(Erase::Recordings { before }, 10).unwrap();
    assert_eq!(erase(began), 0, "it began no earlier");
    assert_eq!(
        erase(began + Duration::from_secs(1)),
        2,
        "what is unfinished stays"
    );
    assert_eq!(reader.recording(id(1)).unwrap(), None);
    assert_eq!(reader.unfinished_recordings().unwrap().len(), 1);
}
