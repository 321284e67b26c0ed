//! What a mail about a recording says, and what webhooks repeat of it.

use clock::Time;
use pbx::Purpose;
use store::Recording;

/// A mail's subject and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) subject: String,
    pub(super) message: String,
}

impl Words {
    /// Receivers look for `Unique call id`, a space and the id (contract §2.3).
    pub(super) fn of(recording: &Recording, time_zone: &str, seconds: u32, link: &str) -> Self {
        let caller = plain(&caller(recording));
        let (subject, what) = match &recording.purpose {
            Purpose::Voicemail { mailbox, .. } => (
                format!("Voicemail from {caller}"),
                format!("{} has a message from {caller}.", plain(&mailbox.name)),
            ),
            // Nobody is mailed one.
            Purpose::Greeting { mailbox } => (
                "Greeting".to_owned(),
                format!("{} has spoken a greeting.", plain(&mailbox.name)),
            ),
            Purpose::Inbound { .. } => (
                format!("Recording of a call from {caller}"),
                format!(
                    "A call from {caller} to {} was recorded.",
                    recording.dest_number
                ),
            ),
            Purpose::Outbound { user, .. } => (
                format!("Recording of a call to {}", recording.dest_number),
                format!(
                    "{} called {}, which was recorded.",
                    plain(&user.name),
                    recording.dest_number
                ),
            ),
        };
        let at = local(recording.began_at, time_zone);
        let (minutes, rest) = (seconds / 60, seconds % 60);
        let call = recording.recording.call();
        let message = format!(
            "{what}\n\nTime: {at}\nLength: {minutes}:{rest:02}\nListen: {link}\n\n\
             Unique call id {call}\n"
        );
        Self { subject, message }
    }
}

fn caller(recording: &Recording) -> String {
    match (&recording.caller_name, &recording.caller_id) {
        (Some(name), Some(number)) => format!("{name} ({number})"),
        (Some(name), None) => name.clone(),
        (None, Some(number)) => number.clone(),
        (None, None) => "an unknown caller".to_owned(),
    }
}

/// Names come from outside: a line is a line.
fn plain(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).collect()
}

/// As people of the account read the time; in UTC when their zone is not known.
fn local(at: Time, time_zone: &str) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    let instant = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let zone = jiff::tz::TimeZone::get(time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
    instant
        .to_zoned_datetime(zone)
        .strftime("%A, %-d %B %Y, %H:%M %Z")
        .to_string()
}

#[cfg(test)]
mod tests {
    use pbx::{AccountId, CallId, RecordingId, UserRef};
    use store::RecordingState;

    use super::*;

    #[test]
    fn each_kind_says_whose_it_is_when_it_was_and_which_call() {
        let user = UserRef {
            number: "1010".into(),
            name: "John Smith".into(),
        };
        let emails = Vec::new();
        let purposes = [
            Purpose::Voicemail {
                mailbox: user.clone(),
                emails: emails.clone(),
                copy_of: None,
            },
            Purpose::Inbound {
                emails: emails.clone(),
            },
            Purpose::Outbound { user, emails },
        ];
        let words = purposes.map(|purpose| {
            let recording = Recording {
                recording: RecordingId::new(CallId(1_569_943_875_010_000), 1),
                account: AccountId(1),
                state: RecordingState::Closed,
                purpose,
                caller_id: Some("61300000000".to_owned()),
                caller_name: Some("Jane\r\nBcc: all".to_owned()),
                dest_number: "61298765432".to_owned(),
                began_at: Time::from_secs(1_569_943_875),
                token: "token".into(),
            };
            let words = Words::of(&recording, "Australia/Sydney", 72, "https://pbx.example/r");
            format!("{}\n{}", words.subject, words.message)
        });
        insta::assert_snapshot!(words.join("\n"));
    }
}
