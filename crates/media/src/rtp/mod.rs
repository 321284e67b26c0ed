//! RTP and RTCP as a relay needs them: headers that borrow from the datagram (RFC 3550 §5.1, §6.4),
//! telephone events (RFC 4733) both ways, what was received how well (RFC 3550 §6.4.1, §A), and how
//! what is sent is numbered.

mod event;
mod keys;
mod outgoing;
mod packet;
mod reception;
mod rtcp;

pub use event::{KeyPress, TelephoneEvents};
pub use keys::{KeySender, Stroke};
pub use outgoing::{Numbers, Outgoing, Press};
pub use packet::{Kind, Packet, kind, set_payload};
pub use reception::{Arrival, Reception};
pub use rtcp::{RtcpPacket, RtcpPackets, rtcp_packets};
