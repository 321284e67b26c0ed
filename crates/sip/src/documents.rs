//! The documents that NOTIFYs carry: whose lamp shines (RFC 4235), how many messages wait (RFC
//! 3842), and whether somebody can be reached (RFC 3863). Whatever a name holds, it stays a text.

use std::fmt::Write as _;

use crate::Replaces;

/// The calls of somebody, as lamps show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogInfo {
    /// Whose calls they are: the address that was subscribed to.
    pub entity: String,
    /// One more with every document of a subscription.
    pub version: u32,
    /// All of them; none is an idle lamp.
    pub dialogs: Vec<DialogLine>,
}

/// One call of a [`DialogInfo`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogLine {
    /// The same as long as the call lasts.
    pub id: String,
    /// Who began it.
    pub direction: LineDirection,
    /// How far it has come.
    pub state: LineState,
    /// How a pickup names it, if it may be picked up.
    pub names: Option<Replaces>,
    /// The address of the other side, with the name it shows.
    pub remote: Option<(String, Option<String>)>,
}

/// Who began a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineDirection {
    /// Who is watched.
    Initiator,
    /// The other side.
    Recipient,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineState {
    /// It is being made.
    Trying,
    /// It rings.
    Early,
    /// They talk.
    Confirmed,
    /// It is over.
    Terminated,
}

impl LineState {
    const fn word(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Early => "early",
            Self::Confirmed => "confirmed",
            Self::Terminated => "terminated",
        }
    }
}

// Writing to a string cannot fail; the same holds for every `write!` below.
impl DialogInfo {
    /// The document, always of the full state.
    pub fn to_xml(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\"?>\n");
        let _written = writeln!(
            xml,
            "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{}\" \
             state=\"full\" entity=\"{}\">",
            self.version,
            escaped(&self.entity)
        );
        for line in &self.dialogs {
            line.write(&self.entity, &mut xml);
        }
        xml.push_str("</dialog-info>\n");
        xml
    }
}

impl DialogLine {
    fn write(&self, entity: &str, xml: &mut String) {
        let direction = match self.direction {
            LineDirection::Initiator => "initiator",
            LineDirection::Recipient => "recipient",
        };
        let _written = write!(xml, "<dialog id=\"{}\"", escaped(&self.id));
        if let Some(names) = &self.names {
            // Whoever is watched is the other end of our dialog: its local tag is our remote one.
            let _written = write!(
                xml,
                " call-id=\"{}\" local-tag=\"{}\" remote-tag=\"{}\"",
                escaped(&names.call_id),
                escaped(&names.from_tag),
                escaped(&names.to_tag)
            );
        }
        let state = self.state.word();
        let _written = writeln!(
            xml,
            " direction=\"{direction}\">\n<state>{state}</state>\n\
             <local><identity>{0}</identity><target uri=\"{0}\"/></local>",
            escaped(entity)
        );
        if let Some((uri, name)) = &self.remote {
            let uri = escaped(uri);
            let shown = name.as_deref().map(escaped);
            let display = shown.map_or(String::new(), |name| format!(" display=\"{name}\""));
            let _written = writeln!(
                xml,
                "<remote><identity{display}>{uri}</identity><target uri=\"{uri}\"/></remote>"
            );
        }
        xml.push_str("</dialog>\n");
    }
}

/// The messages in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageSummary {
    /// The address that a phone calls to hear them.
    pub account: Option<String>,
    /// Not yet heard.
    pub new: u32,
    /// Heard.
    pub old: u32,
}

impl MessageSummary {
    /// The document.
    pub fn to_text(&self) -> String {
        let waiting = if self.new > 0 { "yes" } else { "no" };
        let mut text = format!("Messages-Waiting: {waiting}\r\n");
        if let Some(account) = &self.account {
            let account = account.replace(['\r', '\n'], " ");
            let _written = write!(text, "Message-Account: {account}\r\n");
        }
        let _written = write!(text, "Voice-Message: {}/{} (0/0)\r\n", self.new, self.old);
        text
    }
}

/// Whether somebody can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Whose presence it is.
    pub entity: String,
    /// How it stands.
    pub status: PresenceStatus,
}

/// How somebody can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceStatus {
    /// A phone is registered, and nobody talks.
    Free,
    /// Talks, or is being called.
    Busy,
    /// No phone is registered.
    Away,
}

impl Presence {
    /// The document, with the activity that phones show (RFC 4480).
    pub fn to_xml(&self) -> String {
        let (basic, note, activity) = match self.status {
            PresenceStatus::Free => ("open", "Ready", ""),
            PresenceStatus::Busy => ("open", "On the phone", "<rpid:on-the-phone/>"),
            PresenceStatus::Away => ("closed", "Unavailable", "<rpid:away/>"),
        };
        format!(
            "<?xml version=\"1.0\"?>\n\
             <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
             xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
             xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"{0}\">\n\
             <tuple id=\"t\"><status><basic>{basic}</basic></status>\
             <contact>{0}</contact><note>{note}</note></tuple>\n\
             <dm:person id=\"p\"><rpid:activities>{activity}</rpid:activities></dm:person>\n\
             </presence>\n",
            escaped(&self.entity)
        )
    }
}

/// A text inside XML: its markup is escaped, and what XML 1.0 cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => {}
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReplaceScope;

    #[test]
    fn names_cannot_break_out_of_a_document() {
        let line = DialogLine {
            id: "1\"/>".to_owned(),
            direction: LineDirection::Recipient,
            state: LineState::Early,
            names: Some(Replaces {
                call_id: "c<".to_owned(),
                to_tag: "ours".to_owned(),
                from_tag: "theirs".to_owned(),
                scope: ReplaceScope::Any,
            }),
            remote: Some(("sip:+49&1@h".to_owned(), Some("A \u{1}<'M'>".to_owned()))),
        };
        let info = DialogInfo {
            entity: "sip:bob@h".to_owned(),
            version: 4,
            dialogs: vec![line],
        };
        let expect = "<?xml version=\"1.0\"?>\n\
            <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"4\" \
            state=\"full\" entity=\"sip:bob@h\">\n\
            <dialog id=\"1&quot;/&gt;\" call-id=\"c&lt;\" local-tag=\"theirs\" \
            remote-tag=\"ours\" direction=\"recipient\">\n\
            <state>early</state>\n\
            <local><identity>sip:bob@h</identity><target uri=\"sip:bob@h\"/></local>\n\
            <remote><identity display=\"A &lt;&apos;M&apos;&gt;\">sip:+49&amp;1@h</identity>\
            <target uri=\"sip:+49&amp;1@h\"/></remote>\n\
            </dialog>\n</dialog-info>\n";
        assert_eq!(info.to_xml(), expect);
    }

    #[test]
    fn an_idle_lamp_is_a_document_without_calls() {
        let info = DialogInfo {
            entity: "sip:bob@h".to_owned(),
            version: 0,
            dialogs: Vec::new(),
        };
        assert!(
            info.to_xml()
                .ends_with("entity=\"sip:bob@h\">\n</dialog-info>\n")
        );
    }

    #[test]
    fn mailboxes_tell_what_waits() {
        for (new, account, expect) in [
            (
                2,
                Some("sip:*97@h\r\nX: y"),
                "Messages-Waiting: yes\r\nMessage-Account: sip:*97@h  X: y\r\n\
                 Voice-Message: 2/5 (0/0)\r\n",
            ),
            (
                0,
                None,
                "Messages-Waiting: no\r\nVoice-Message: 0/5 (0/0)\r\n",
            ),
        ] {
            let account = account.map(str::to_owned);
            let summary = MessageSummary {
                account,
                new,
                old: 5,
            };
            assert_eq!(summary.to_text(), expect);
        }
    }

    #[test]
    fn presence_says_who_can_be_reached() {
        for (status, basic, activity) in [
            (PresenceStatus::Free, "open", ""),
            (PresenceStatus::Busy, "open", "<rpid:on-the-phone/>"),
            (PresenceStatus::Away, "closed", "<rpid:away/>"),
        ] {
            let entity = "sip:bob@h".to_owned();
            let xml = Presence { entity, status }.to_xml();
            assert!(xml.contains(&format!("<basic>{basic}</basic>")), "{xml}");
            let activities = format!("<rpid:activities>{activity}</rpid:activities>");
            assert!(xml.contains(&activities), "{xml}");
        }
    }
}
