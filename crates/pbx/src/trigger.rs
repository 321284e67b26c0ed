//! The webhook triggers of the wire contract.

use serde::{Deserialize, Serialize};

/// What an endpoint can be told of. The order is the contract's and the portal's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A user starts to ring.
    UserInbound,
    /// A user answers.
    UserInboundAnswered,
    /// The call to a user ends.
    UserInboundCompleted,
    /// The stay in a queue ends.
    QueueCall,
    /// The stay in a ring group ends.
    RingGroupCall,
    /// A message was left.
    Voicemail,
    /// A recording of an inbound call is finished.
    RecordingInbound,
    /// A user starts a call.
    UserOutbound,
    /// The called party of a user's call answers.
    UserOutboundAnswered,
    /// A user's call has ended.
    UserOutboundCompleted,
    /// A recording of an outbound call is finished.
    RecordingOutbound,
}

impl Trigger {
    /// Every trigger, in the contract's order.
    pub const ALL: [Self; 11] = [
        Self::UserInbound,
        Self::UserInboundAnswered,
        Self::UserInboundCompleted,
        Self::QueueCall,
        Self::RingGroupCall,
        Self::Voicemail,
        Self::RecordingInbound,
        Self::UserOutbound,
        Self::UserOutboundAnswered,
        Self::UserOutboundCompleted,
        Self::RecordingOutbound,
    ];

    /// The `type` string of the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserInbound => "user_inbound",
            Self::UserInboundAnswered => "user_inbound_answered",
            Self::UserInboundCompleted => "user_inbound_completed",
            Self::QueueCall => "queue_call",
            Self::RingGroupCall => "ring_group_call",
            Self::Voicemail => "voicemail",
            Self::RecordingInbound => "recording_inbound",
            Self::UserOutbound => "user_outbound",
            Self::UserOutboundAnswered => "user_outbound_answered",
            Self::UserOutboundCompleted => "user_outbound_completed",
            Self::RecordingOutbound => "recording_outbound",
        }
    }

    /// The title in the portal.
    pub const fn title(self) -> &'static str {
        match self {
            Self::UserInbound => "User inbound call",
            Self::UserInboundAnswered => "User inbound call answered",
            Self::UserInboundCompleted => "User inbound call completion",
            Self::QueueCall => "Queue call summary",
            Self::RingGroupCall => "Ring group call summary",
            Self::Voicemail => "Voicemail",
            Self::RecordingInbound => "Inbound call recording",
            Self::UserOutbound => "User outbound call",
            Self::UserOutboundAnswered => "User outbound call answered",
            Self::UserOutboundCompleted => "User outbound call completion",
            Self::RecordingOutbound => "Outbound call recording",
        }
    }

    /// The trigger of that `type` string.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_serialised_form_and_parse_back() {
        for trigger in Trigger::ALL {
            let json = serde_json::to_value(trigger).unwrap();
            assert_eq!(json, trigger.name());
            assert_eq!(Trigger::parse(trigger.name()), Some(trigger));
        }
        assert_eq!(Trigger::parse("all"), None);
    }
}
