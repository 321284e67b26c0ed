//! One SIP connection over any byte stream: messages in to the drive loop, bytes out to the peer.
//!
//! Every peer has its own task and its own bounded queue, so one that does not read, sends half a
//! message for ever, or sends without end is dropped and delays nobody.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sip::stream::{Frame, Framer, PONG};
use sip::{FlowId, Source, Transport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout, timeout_at};

use crate::drive::Message;
use crate::inbox::Sender;

/// Messages that may wait for a peer to read. One who is so far behind is dropped.
pub(super) const WRITE_QUEUE_LIMIT: usize = 256;
/// Messages of one peer that may wait for the drive loop. Further ones stay in the peer's stream.
const TURNS: usize = 16;
/// Bytes read at once.
const READ_BYTES: usize = 8 * 1024;

/// How long a peer may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Between two messages.
    pub idle: Duration,
    /// From a message's first byte to its last.
    pub message: Duration,
    /// To take what we write.
    pub write: Duration,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) transport: Transport,
    pub(super) remote: SocketAddr,
    pub(super) flow: FlowId,
}

/// Why a connection ended; for the log only.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the peer closed it")]
    Closed,
    #[error("the peer was silent for too long")]
    Idle,
    #[error("a message took too long to come")]
    HalfMessage,
    #[error("the stream cannot be read as SIP: {0:?}")]
    Framing(sip::FrameError),
    #[error("the peer does not read")]
    NotReading,
    #[error("we closed it")]
    ClosedByUs,
    #[error("the drive loop is too far behind")]
    Overload,
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// What is to be written to a peer.
pub(super) struct Outgoing {
    /// When its sender is dropped the connection is closed.
    pub(super) queue: mpsc::Receiver<Vec<u8>>,
    /// For answers to keep-alives. A weak hold: only the table of connections keeps the queue open.
    pub(super) pongs: mpsc::WeakSender<Vec<u8>>,
}

/// Serves a connection until it ends.
pub(super) async fn serve<S: AsyncRead + AsyncWrite>(
    stream: S,
    peer: Peer,
    outgoing: Outgoing,
    patience: Patience,
    messages: &Sender<Message>,
) -> Ended {
    let (reading, writing) = tokio::io::split(stream);
    // Whichever half ends first takes the other with it.
    tokio::select! {
        ended = read(reading, peer, patience, messages, outgoing.pongs) => ended,
        ended = write(writing, outgoing.queue, patience) => ended,
    }
}

async fn read<S: AsyncRead>(
    mut stream: ReadHalf<S>,
    peer: Peer,
    patience: Patience,
    messages: &Sender<Message>,
    pongs: mpsc::WeakSender<Vec<u8>>,
) -> Ended {
    let turns = Arc::new(Semaphore::new(TURNS));
    let mut framer = Framer::new();
    let mut bytes = vec![0; READ_BYTES];
    let mut message_deadline = None;
    loop {
        // A slow peer is measured from the first byte of its message, however many more it sends.
        let deadline = message_deadline.unwrap_or_else(|| Instant::now() + patience.idle);
        let count = match timeout_at(deadline, stream.read(&mut bytes)).await {
            Ok(Ok(0)) => return Ended::Closed,
            Ok(Ok(count)) => count,
            Ok(Err(error)) => return error.into(),
            Err(_) if message_deadline.is_some() => return Ended::HalfMessage,
            Err(_) => return Ended::Idle,
        };
        framer.push(bytes.get(..count).unwrap_or_default());
        match hand_on(&mut framer, peer, messages, &pongs, &turns).await {
            Ok(Progress::Message) => message_deadline = None,
            Ok(Progress::Nothing) => {}
            Err(ended) => return ended,
        }
        message_deadline = framer
            .has_partial()
            .then(|| message_deadline.unwrap_or_else(|| Instant::now() + patience.message));
    }
}

enum Progress {
    /// At least one message was complete.
    Message,
    Nothing,
}

async fn hand_on(
    framer: &mut Framer,
    peer: Peer,
    messages: &Sender<Message>,
    pongs: &mpsc::WeakSender<Vec<u8>>,
    turns: &Arc<Semaphore>,
) -> Result<Progress, Ended> {
    let source = Source {
        transport: peer.transport,
        remote: peer.remote,
        flow: peer.flow,
    };
    let mut progress = Progress::Nothing;
    while let Some(frame) = framer.next().map_err(Ended::Framing)? {
        progress = Progress::Message;
        match frame {
            Frame::Message(bytes) => {
                let bytes = bytes.to_vec();
                let turn = Arc::clone(turns).acquire_owned().await;
                let turn = turn.map_err(|_| Ended::ClosedByUs)?;
                let message = Message::Packet {
                    source,
                    bytes,
                    turn,
                };
                messages.send(message).map_err(|_| Ended::Overload)?;
            }
            Frame::Ping => {
                let pongs = pongs.upgrade().ok_or(Ended::ClosedByUs)?;
                pongs
                    .try_send(PONG.to_vec())
                    .map_err(|_| Ended::NotReading)?;
            }
        }
    }
    Ok(progress)
}

async fn write<S: AsyncWrite>(
    mut stream: WriteHalf<S>,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
    patience: Patience,
) -> Ended {
    while let Some(bytes) = outgoing.recv().await {
        match timeout(patience.write, stream.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(_) => return Ended::NotReading,
        }
    }
    Ended::ClosedByUs
}
