//! Events: what happened, the only thing that is remembered. Rows, webhooks, live views and API
//! answers all derive from them (see [`crate::cdr`]).

use std::fmt;
use std::sync::Arc;

use clock::Time;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, CallId, LegId};
use crate::mailbox::MessageState;
use crate::recording::{Discarded, Finished, Purpose, RecordEnd, RecordingId};
use crate::standing::Standing;
use crate::trigger::Trigger;

/// One fact about one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub at: Time,
    /// Whose call it is.
    pub account: AccountId,
    /// Which call it is.
    pub call: CallId,
    /// What happened.
    pub fact: Fact,
}

/// What can happen to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// The call reached the PBX. The first fact of every call.
    Arrived {
        /// Where it comes from and goes to.
        direction: Direction,
        /// E.164 digits without `+`, or an internal number; `None` when withheld or not a number.
        caller_id: Option<String>,
        /// The caller's name as shown.
        caller_name: Option<String>,
        /// What the caller dialled: E.164 digits without `+`, an internal number, or the text as
        /// it came when it is neither. Never empty.
        dest_number: String,
    },
    /// The caller is shown otherwise from here on: to phones, and in what is told of attempts,
    /// stays and passes that begin later.
    CallerShown {
        /// As in `Arrived`, or with digits added.
        caller_id: Option<String>,
        /// The name.
        caller_name: Option<String>,
    },
    /// All devices of a user start to ring: one attempt begins.
    UserRinging {
        /// Who rings.
        user: UserRef,
        /// The queue it rings for.
        queue: Option<Arc<str>>,
        /// The ring group it rings for.
        ring_group: Option<Arc<str>>,
    },
    /// One of the user's devices answered and talks with the caller.
    UserAnswered {
        /// Who answered.
        user: UserRef,
    },
    /// The attempt is over: exactly one per `UserRinging`.
    UserEnded {
        /// Whose attempt it was.
        user: UserRef,
    },
    /// A user starts a call.
    OutboundStarted {
        /// The calling user.
        user: UserRef,
    },
    /// The called party answered.
    OutboundAnswered {
        /// The calling user.
        user: UserRef,
    },
    /// The user's call is over: exactly one per `OutboundStarted`.
    OutboundEnded {
        /// The calling user.
        user: UserRef,
    },
    /// The caller enters a queue or a ring group: one stay begins.
    GroupEntered {
        /// Which.
        group: GroupRef,
    },
    /// A member took the call; at most one per stay.
    GroupAnswered {
        /// Which group it is a member of.
        group: GroupRef,
        /// Who answered; none when the member is a number outside.
        user: Option<UserRef>,
    },
    /// The stay is over: exactly one per `GroupEntered`. After the winner's end when a member
    /// had answered.
    GroupLeft {
        /// Which.
        group: GroupRef,
    },
    /// The caller passed a webhook object.
    ComponentPassed {
        /// Which, and whom it tells.
        component: Component,
    },
    /// A recording begins.
    RecordingStarted {
        /// Which.
        recording: RecordingId,
        /// Of what, for whom.
        purpose: Purpose,
    },
    /// A recording is over: what came of it waits to be made into audio. Comes from the engine and
    /// may follow `Ended`.
    RecordingClosed {
        /// Which.
        recording: RecordingId,
        /// How long it is.
        seconds: u32,
        /// Why it ended.
        end: RecordEnd,
    },
    /// The audio of a recording is kept and its link works. Comes from the server, and mostly follows
    /// `Ended`. Exactly one of this and `RecordingDiscarded` per `RecordingStarted`.
    RecordingFinished {
        /// All there is to tell.
        finished: Box<Finished>,
    },
    /// Nothing is left of a recording. Comes from the server, and mostly follows `Ended`.
    RecordingDiscarded {
        /// Which.
        recording: RecordingId,
        /// Why.
        why: Discarded,
    },
    /// Something stands from now on, also after a restart. The call is that of who changed it by phone;
    /// what a program changes has an id of its own, under which nothing else is told.
    Stands {
        /// What.
        standing: Standing,
    },
    /// A message, or another recording that is kept, stands elsewhere now. May follow `Ended`.
    MessageMoved {
        /// Which.
        recording: RecordingId,
        /// The internal number of whose mailbox it lies in.
        mailbox: Arc<str>,
        /// Where it stands.
        to: MessageState,
    },
    /// The media of one leg were closed. Comes from the engine and may follow `Ended`.
    LegClosed {
        /// The leg.
        leg: LegId,
        /// `caller`, or the device or trunk it led to.
        role: String,
        /// What its media path counted.
        report: LegReport,
    },
    /// The call is over: exactly one, and the last word of call control.
    Ended {
        /// Why.
        cause: HangupCause,
    },
}

impl Fact {
    /// The webhook trigger this fact fires by itself.
    pub fn trigger(&self) -> Option<Trigger> {
        match self {
            Self::UserRinging { .. } => Some(Trigger::UserInbound),
            Self::UserAnswered { .. } => Some(Trigger::UserInboundAnswered),
            Self::UserEnded { .. } => Some(Trigger::UserInboundCompleted),
            Self::OutboundStarted { .. } => Some(Trigger::UserOutbound),
            Self::OutboundAnswered { .. } => Some(Trigger::UserOutboundAnswered),
            Self::OutboundEnded { .. } => Some(Trigger::UserOutboundCompleted),
            Self::GroupLeft { group } => Some(group.kind.trigger()),
            Self::RecordingFinished { finished } => finished.purpose.trigger(),
            Self::Arrived { .. }
            | Self::CallerShown { .. }
            | Self::GroupEntered { .. }
            | Self::GroupAnswered { .. }
            | Self::ComponentPassed { .. }
            | Self::RecordingStarted { .. }
            | Self::RecordingClosed { .. }
            | Self::RecordingDiscarded { .. }
            | Self::Stands { .. }
            | Self::MessageMoved { .. }
            | Self::LegClosed { .. }
            | Self::Ended { .. } => None,
        }
    }
}

impl Fact {
    /// Takes out what only a delivery needs: tokens, headers and an address that may hold one. What
    /// is left folds to the same rows.
    pub fn forget_secrets(&mut self) {
        if let Self::ComponentPassed { component } = self {
            component.url = Arc::default();
            component.secret_token = Arc::default();
            component.headers.clear();
        }
    }
}

/// What callers stay in until a member answers, and what has a summary of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupRef {
    /// What it is.
    pub kind: GroupKind,
    /// Its name.
    pub name: Arc<str>,
}

/// The two kinds of group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// Callers wait in line.
    Queue,
    /// Members ring for one caller.
    RingGroup,
}

impl GroupKind {
    /// The trigger of its summary.
    pub const fn trigger(self) -> Trigger {
        match self {
            Self::Queue => Trigger::QueueCall,
            Self::RingGroup => Trigger::RingGroupCall,
        }
    }
}

/// A webhook object as it was when a call passed it: what is delivered later is delivered there,
/// also when the flow has been changed since.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// The object's name.
    pub name: Arc<str>,
    /// Its place in the document, `flow/object`: what is owed to it is delivered in order.
    pub place: Arc<str>,
    /// Whom it tells.
    pub url: Arc<str>,
    /// Sent as `X-Pbx-Token`.
    pub secret_token: Arc<str>,
    /// Further headers, as (name, value).
    pub headers: Vec<(Arc<str>, Arc<str>)>,
}

impl fmt::Debug for Component {
    /// Tokens and headers are secrets, and so may be the address.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Component({})", self.place)
    }
}

/// Where a call comes from and goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From a trunk to a number of the account.
    Inbound,
    /// From a user to a user or a number of the same account.
    Internal,
    /// From a user to the outside.
    Outbound,
}

/// A user as told to the outside: it keeps the name of the plan the call began under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UserRef {
    /// The internal number.
    pub number: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

/// What the media path of a leg counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LegReport {
    /// RTP packets that came in.
    pub packets_received: u64,
    /// RTP packets that went out.
    pub packets_sent: u64,
    /// RTP packets missing by sequence number.
    pub packets_lost: u64,
    /// Octets that came in.
    pub bytes_received: u64,
    /// Octets that went out.
    pub bytes_sent: u64,
    /// Interarrival jitter in microseconds (RFC 3550 §6.4.1).
    pub jitter_us: u64,
    /// Name of the codec, empty when no packet came.
    pub codec: String,
    /// The keys pressed, one [`LegReport::SOME_KEY`] for each: which they were is not kept, because
    /// PINs and the numbers of cards are among them.
    pub dtmf: String,
}

impl LegReport {
    /// A key, whichever it was.
    pub const SOME_KEY: char = 'x';
}

/// Why a leg or a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupCause {
    /// One side hung up after the answer, or the flow ended the call in an orderly way.
    Normal,
    /// The caller gave up before an answer.
    GaveUp,
    /// Another device took the call.
    AnsweredElsewhere,
    /// Nobody answered in time.
    NoAnswer,
    /// Everyone called was busy.
    Busy,
    /// The called party refused.
    Declined,
    /// The called party has no device that can be reached.
    Unavailable,
    /// Nobody has the dialled number.
    NotFound,
    /// The caller may not do this.
    Forbidden,
    /// No trunk took the call.
    Congested,
    /// The two sides share no codec.
    Incompatible,
    /// A limit of the account was reached.
    LimitReached,
    /// The call was as long as the account allows.
    TooLong,
    /// The flow went round without ever waiting.
    TooManyHops,
    /// No audio came for too long.
    MediaLost,
    /// The peer stopped refreshing its session.
    SessionExpired,
    /// The connection to the peer was lost.
    ConnectionLost,
    /// A step of this account's call control failed.
    AccountFault,
    /// The node died with the call on it.
    NodeLost,
    /// The server was stopped.
    Shutdown,
}

impl HangupCause {
    /// The status a caller who was not answered yet is given (the three-digit codes of RFC 3261
    /// §21). After the answer only the cause itself counts.
    pub const fn status(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Normal
            | Self::NoAnswer
            | Self::Unavailable
            | Self::MediaLost
            | Self::SessionExpired
            | Self::ConnectionLost
            | Self::TooLong => 480,
            Self::TooManyHops => 482,
            Self::Busy => 486,
            Self::GaveUp | Self::AnsweredElsewhere => 487,
            Self::Incompatible => 488,
            Self::AccountFault | Self::NodeLost => 500,
            Self::Congested | Self::LimitReached | Self::Shutdown => 503,
            Self::Declined => 603,
        }
    }

    /// The name in logs, metrics and stored events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::GaveUp => "gave_up",
            Self::AnsweredElsewhere => "answered_elsewhere",
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Declined => "declined",
            Self::Unavailable => "unavailable",
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::Congested => "congested",
            Self::Incompatible => "incompatible",
            Self::LimitReached => "limit_reached",
            Self::TooLong => "too_long",
            Self::TooManyHops => "too_many_hops",
            Self::MediaLost => "media_lost",
            Self::SessionExpired => "session_expired",
            Self::ConnectionLost => "connection_lost",
            Self::AccountFault => "account_fault",
            Self::NodeLost => "node_lost",
            Self::Shutdown => "shutdown",
        }
    }
}
