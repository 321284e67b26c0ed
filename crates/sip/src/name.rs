//! The header names this crate knows, with their compact forms.

/// A known header name; `Other` is any other, whose text stays in its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is the header of that name")]
pub enum Name {
    Via,
    From,
    To,
    CallId,
    CSeq,
    Contact,
    MaxForwards,
    ContentLength,
    ContentType,
    Authorization,
    ProxyAuthorization,
    Expires,
    UserAgent,
    Route,
    RecordRoute,
    Allow,
    Supported,
    Require,
    ProxyRequire,
    Unsupported,
    WwwAuthenticate,
    ProxyAuthenticate,
    AuthenticationInfo,
    SessionExpires,
    MinSe,
    MinExpires,
    RetryAfter,
    Reason,
    Server,
    Accept,
    AcceptEncoding,
    AlertInfo,
    AllowEvents,
    CallInfo,
    ContentDisposition,
    ContentEncoding,
    Date,
    Diversion,
    Event,
    HistoryInfo,
    PAssertedIdentity,
    PPreferredIdentity,
    Path,
    Privacy,
    ReferTo,
    ReferredBy,
    RemotePartyId,
    Replaces,
    Subject,
    SubscriptionState,
    Warning,
    Other,
}

/// Name, text and compact form; the most frequent first, because a name is looked up in order.
const NAMES: [(Name, &str, Option<u8>); 51] = [
    (Name::Via, "Via", Some(b'v')),
    (Name::From, "From", Some(b'f')),
    (Name::To, "To", Some(b't')),
    (Name::CallId, "Call-ID", Some(b'i')),
    (Name::CSeq, "CSeq", None),
    (Name::Contact, "Contact", Some(b'm')),
    (Name::MaxForwards, "Max-Forwards", None),
    (Name::ContentLength, "Content-Length", Some(b'l')),
    (Name::ContentType, "Content-Type", Some(b'c')),
    (Name::Authorization, "Authorization", None),
    (Name::ProxyAuthorization, "Proxy-Authorization", None),
    (Name::Expires, "Expires", None),
    (Name::UserAgent, "User-Agent", None),
    (Name::Route, "Route", None),
    (Name::RecordRoute, "Record-Route", None),
    (Name::Allow, "Allow", None),
    (Name::Supported, "Supported", Some(b'k')),
    (Name::Require, "Require", None),
    (Name::ProxyRequire, "Proxy-Require", None),
    (Name::Unsupported, "Unsupported", None),
    (Name::WwwAuthenticate, "WWW-Authenticate", None),
    (Name::ProxyAuthenticate, "Proxy-Authenticate", None),
    (Name::AuthenticationInfo, "Authentication-Info", None),
    (Name::SessionExpires, "Session-Expires", Some(b'x')),
    (Name::MinSe, "Min-SE", None),
    (Name::MinExpires, "Min-Expires", None),
    (Name::RetryAfter, "Retry-After", None),
    (Name::Reason, "Reason", None),
    (Name::Server, "Server", None),
    (Name::Accept, "Accept", None),
    (Name::AcceptEncoding, "Accept-Encoding", None),
    (Name::AlertInfo, "Alert-Info", None),
    (Name::AllowEvents, "Allow-Events", Some(b'u')),
    (Name::CallInfo, "Call-Info", None),
    (Name::ContentDisposition, "Content-Disposition", None),
    (Name::ContentEncoding, "Content-Encoding", Some(b'e')),
    (Name::Date, "Date", None),
    (Name::Diversion, "Diversion", None),
    (Name::Event, "Event", Some(b'o')),
    (Name::HistoryInfo, "History-Info", None),
    (Name::PAssertedIdentity, "P-Asserted-Identity", None),
    (Name::PPreferredIdentity, "P-Preferred-Identity", None),
    (Name::Path, "Path", None),
    (Name::Privacy, "Privacy", None),
    (Name::ReferTo, "Refer-To", Some(b'r')),
    (Name::ReferredBy, "Referred-By", Some(b'b')),
    (Name::RemotePartyId, "Remote-Party-ID", None),
    (Name::Replaces, "Replaces", None),
    (Name::Subject, "Subject", Some(b's')),
    (Name::SubscriptionState, "Subscription-State", None),
    (Name::Warning, "Warning", None),
];

impl Name {
    /// The name as written in a message, in any case or in its compact form.
    pub fn from_token(token: &[u8]) -> Self {
        if let [letter] = token {
            let letter = letter.to_ascii_lowercase();
            let known = NAMES
                .iter()
                .find(|(_, _, compact)| *compact == Some(letter));
            return known.map_or(Self::Other, |(name, ..)| *name);
        }
        let known = NAMES
            .iter()
            .find(|(_, text, _)| text.as_bytes().eq_ignore_ascii_case(token));
        known.map_or(Self::Other, |(name, ..)| *name)
    }

    /// The full name, empty for `Other`.
    pub fn as_str(self) -> &'static str {
        let known = NAMES.iter().find(|(name, ..)| *name == self);
        known.map_or("", |(_, text, _)| text)
    }

    /// Whether a message may carry this header once only (RFC 3261 §20, tables 2 and 3). Two
    /// values of these would let two readers of one message understand different things.
    pub(crate) const fn is_single(self) -> bool {
        matches!(
            self,
            Self::From
                | Self::To
                | Self::CallId
                | Self::CSeq
                | Self::MaxForwards
                | Self::ContentLength
                | Self::ContentType
                | Self::Expires
        )
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_in_any_case_and_compact() {
        for (name, text, compact) in NAMES {
            assert_eq!(Name::from_token(text.as_bytes()), name);
            assert_eq!(Name::from_token(text.to_ascii_lowercase().as_bytes()), name);
            assert_eq!(name.as_str(), text);
            let Some(letter) = compact else { continue };
            assert_eq!(Name::from_token(&[letter]), name);
            assert_eq!(Name::from_token(&[letter.to_ascii_uppercase()]), name);
        }
        assert_eq!(Name::from_token(b"C%6Fntact"), Name::Other);
        assert_eq!(Name::from_token(b"z"), Name::Other);
        assert_eq!(Name::from_token(b""), Name::Other);
    }
}
