//! What stands in a line of the record of inputs.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::{Input, Load};
use media::{MediaEvent, Port};
use pbx::{AgentChange, CallId, MailboxCounts, QuestionId, Standing, Told};
use serde::{Deserialize, Serialize};
use sip::{FlowId, Source, Transport};

use super::start::Start;

/// What was told to the engine, or a digest of what it said.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Entry {
    Start(Start),
    Packet {
        source: From,
        base64: String,
    },
    FlowClosed {
        flow: u64,
    },
    SendFailed {
        transport: String,
        remote: SocketAddr,
        flow: Option<u64>,
    },
    Ports {
        ports: Vec<(u64, u16)>,
    },
    Silent {
        path: u64,
    },
    PlayEnded {
        path: u64,
        play: u32,
    },
    Digit {
        path: u64,
        digit: char,
    },
    RecordClosed {
        recording: media::RecordingId,
        seconds: u32,
        reason: media::RecordEnd,
    },
    Closed {
        path: u64,
        report: media::LegReport,
    },
    Resolved {
        token: u64,
        addresses: Vec<SocketAddr>,
        valid_ms: u64,
    },
    Apply {
        account: u32,
        version: u64,
        draft: serde_json::Value,
    },
    Told {
        account: u32,
        call: CallId,
        question: QuestionId,
        told: Told,
    },
    Mailbox {
        account: u32,
        user: Arc<str>,
        counts: MailboxCounts,
    },
    Restore {
        account: u32,
        standings: Vec<Standing>,
    },
    Agent {
        account: u32,
        user: Arc<str>,
        change: AgentChange,
    },
    Remove {
        account: u32,
    },
    Originate {
        account: u32,
        asked: pbx::Origination,
    },
    Load {
        load: LoadName,
    },
    HangUpAll,
    Wake,
    Digest {
        sha256: String,
    },
}

impl Entry {
    /// `None` for what the engine ignores, and for plans, which are written as drafts.
    pub(super) fn of(input: &Input<'_>) -> Option<Self> {
        Some(match input {
            Input::Packet { source, bytes } => Self::Packet {
                source: (*source).into(),
                base64: STANDARD.encode(bytes),
            },
            Input::FlowClosed(flow) => Self::FlowClosed { flow: flow.0 },
            Input::SendFailed(to) => Self::SendFailed {
                transport: to.transport.via_token().to_owned(),
                remote: to.remote,
                flow: to.flow.map(|flow| flow.0),
            },
            Input::Media(event) => return Self::of_media(event),
            Input::Resolved {
                token,
                addresses,
                valid,
            } => Self::Resolved {
                token: *token,
                addresses: addresses.clone(),
                valid_ms: u64::try_from(valid.as_millis()).unwrap_or(u64::MAX),
            },
            Input::Told {
                account,
                call,
                question,
                told,
            } => Self::Told {
                account: account.0,
                call: *call,
                question: *question,
                told: told.clone(),
            },
            Input::Mailbox {
                account,
                user,
                counts,
            } => Self::Mailbox {
                account: account.0,
                user: Arc::clone(user),
                counts: *counts,
            },
            Input::Apply(_) => return None,
            Input::Restore { account, standings } => Self::Restore {
                account: account.0,
                standings: standings.clone(),
            },
            Input::Agent {
                account,
                user,
                change,
            } => Self::Agent {
                account: account.0,
                user: Arc::clone(user),
                change: *change,
            },
            Input::Remove(account) => Self::Remove { account: account.0 },
            Input::Originate { account, asked } => Self::Originate {
                account: account.0,
                asked: asked.clone(),
            },
            Input::Load(load) => Self::Load {
                load: (*load).into(),
            },
            Input::HangUpAll => Self::HangUpAll,
            Input::Wake => Self::Wake,
        })
    }

    fn of_media(event: &MediaEvent) -> Option<Self> {
        match event {
            MediaEvent::Ports { ports } => {
                let port = |port: &Port| (port.path.to_bits(), port.rtp_port);
                Some(Self::Ports {
                    ports: ports.iter().map(port).collect(),
                })
            }
            MediaEvent::Silent { path } => Some(Self::Silent {
                path: path.to_bits(),
            }),
            MediaEvent::Closed { path, report } => Some(Self::Closed {
                path: path.to_bits(),
                report: report.clone(),
            }),
            MediaEvent::PlayEnded { path, play } => Some(Self::PlayEnded {
                path: path.to_bits(),
                play: play.0,
            }),
            MediaEvent::Dtmf { path, digit, .. } => Some(Self::Digit {
                path: path.to_bits(),
                digit: *digit,
            }),
            MediaEvent::RecordClosed {
                recording,
                seconds,
                reason,
            } => Some(Self::RecordClosed {
                recording: *recording,
                seconds: *seconds,
                reason: *reason,
            }),
            MediaEvent::FirstPacket { .. }
            | MediaEvent::Latched { .. }
            | MediaEvent::Rejected { .. } => None,
        }
    }
}

/// Where a message came from.
#[derive(Serialize, Deserialize)]
pub(super) struct From {
    transport: String,
    remote: SocketAddr,
    flow: u64,
}

impl std::convert::From<Source> for From {
    fn from(source: Source) -> Self {
        let transport = source.transport.via_token().to_owned();
        Self {
            transport,
            remote: source.remote,
            flow: source.flow.0,
        }
    }
}

impl std::convert::From<From> for Source {
    fn from(from: From) -> Self {
        let transport = transport_of(&from.transport);
        Self {
            transport,
            remote: from.remote,
            flow: FlowId(from.flow),
        }
    }
}

pub(super) fn transport_of(token: &str) -> Transport {
    Transport::from_token(token.as_bytes()).unwrap_or(Transport::Udp)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LoadName {
    Open,
    Shedding,
    Draining,
}

impl std::convert::From<Load> for LoadName {
    fn from(load: Load) -> Self {
        match load {
            Load::Open => Self::Open,
            Load::Shedding => Self::Shedding,
            Load::Draining => Self::Draining,
        }
    }
}

impl std::convert::From<LoadName> for Load {
    fn from(name: LoadName) -> Self {
        match name {
            LoadName::Open => Self::Open,
            LoadName::Shedding => Self::Shedding,
            LoadName::Draining => Self::Draining,
        }
    }
}
