//! SIP over TCP: connections that come in, and those that are opened to send.
//!
//! The drive loop never waits here: what it sends goes into a connection's bounded queue or the
//! connection is dropped. TLS and WebSocket are the same with another stream in [`super::stream`].

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sip::{Destination, FlowId, Transmit, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::stream::{self, Outgoing, Patience, Peer, WRITE_QUEUE_LIMIT};
use crate::drive::Message;
use crate::inbox::Sender;

/// How long opening a connection may take.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// What the system holds for a peer that does not read, in bytes: it is found out before it has cost
/// megabytes.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Pause after a failed accept, such as one for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of everybody together.
    pub connections: usize,
    /// With one address.
    pub per_address: usize,
}

/// All streams of the node. Cheap to clone.
#[derive(Clone)]
pub struct Streams(Arc<Shared>);

struct Shared {
    runtime: Handle,
    messages: Sender<Message>,
    limits: Limits,
    patience: Patience,
    next_flow: AtomicU64,
    table: Mutex<Table>,
    refused: AtomicU64,
}

#[derive(Default)]
struct Table {
    connections: BTreeMap<FlowId, Connection>,
    /// Connections we opened, by whom they lead to.
    opened: BTreeMap<(Transport, SocketAddr), FlowId>,
    per_address: BTreeMap<IpAddr, usize>,
}

struct Connection {
    peer: Peer,
    outgoing: mpsc::Sender<Vec<u8>>,
}

/// Who opened a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opened {
    ByPeer,
    ByUs,
}

impl Streams {
    /// No connections yet. Flow ids start at `first_flow`: lower ones are UDP ports.
    pub fn new(
        runtime: Handle,
        messages: Sender<Message>,
        first_flow: FlowId,
        limits: Limits,
        patience: Patience,
    ) -> Self {
        Self(Arc::new(Shared {
            runtime,
            messages,
            limits,
            patience,
            next_flow: AtomicU64::new(first_flow.0),
            table: Mutex::new(Table::default()),
            refused: AtomicU64::new(0),
        }))
    }

    /// Listens on `address` and gives the address bound. The error names it.
    pub fn listen(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        let named = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("cannot listen for SIP over TCP at {address}: {error}"),
            )
        };
        let socket = std::net::TcpListener::bind(address).map_err(named)?;
        socket.set_nonblocking(true).map_err(named)?;
        let local = socket.local_addr().map_err(named)?;
        let _guard = self.0.runtime.enter();
        let listener = TcpListener::from_std(socket).map_err(named)?;
        let streams = self.clone();
        self.0
            .runtime
            .spawn(async move { streams.accept(listener).await });
        Ok(local)
    }

    /// Sends a message down its flow, or down a connection to its address, opening one if need be.
    /// A peer that does not read loses its connection.
    pub fn send(&self, transmit: Transmit) {
        let Transmit { to, bytes } = transmit;
        let mut table = self.table();
        let flow = to
            .flow
            .or_else(|| table.opened.get(&(to.transport, to.remote)).copied());
        let Some(flow) = flow else {
            drop(table);
            return self.open(to, bytes);
        };
        let Some(connection) = table.connections.get(&flow) else {
            drop(table);
            return self.failed(to);
        };
        if connection.outgoing.try_send(bytes).is_err() {
            // Dropping the queue's sender ends the connection's task.
            table.remove(flow);
            drop(table);
            self.failed(to);
            self.tell(Message::FlowClosed(flow));
        }
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.table().connections.len()
    }

    /// Whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Connections refused because there were too many, since the start.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    async fn accept(&self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((socket, remote)) => self.accepted(socket, remote),
                Err(error) => {
                    tracing::warn!(%error, "accepting a SIP connection failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn accepted(&self, socket: TcpStream, remote: SocketAddr) {
        let Some((peer, outgoing)) = self.admit(Transport::Tcp, remote, Opened::ByPeer) else {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%remote, "a SIP connection was refused: too many");
            return;
        };
        let streams = self.clone();
        self.0
            .runtime
            .spawn(async move { streams.serve(socket, peer, outgoing).await });
    }

    /// Makes room in the table, or not.
    fn admit(
        &self,
        transport: Transport,
        remote: SocketAddr,
        opened: Opened,
    ) -> Option<(Peer, mpsc::Receiver<Vec<u8>>)> {
        let limits = self.0.limits;
        let mut table = self.table();
        let of_address = table
            .per_address
            .get(&remote.ip())
            .copied()
            .unwrap_or_default();
        let is_full = table.connections.len() >= limits.connections;
        if is_full || opened == Opened::ByPeer && of_address >= limits.per_address {
            return None;
        }
        let flow = FlowId(self.0.next_flow.fetch_add(1, Ordering::Relaxed));
        let peer = Peer {
            transport,
            remote,
            flow,
        };
        let (sender, receiver) = mpsc::channel(WRITE_QUEUE_LIMIT);
        table.connections.insert(
            flow,
            Connection {
                peer,
                outgoing: sender,
            },
        );
        *table.per_address.entry(remote.ip()).or_default() += 1;
        if opened == Opened::ByUs {
            table.opened.insert((transport, remote), flow);
        }
        Some((peer, receiver))
    }

    fn open(&self, to: Destination, bytes: Vec<u8>) {
        if to.transport != Transport::Tcp {
            return self.failed(to);
        }
        let Some((peer, outgoing)) = self.admit(to.transport, to.remote, Opened::ByUs) else {
            return self.failed(to);
        };
        // The first message waits in the queue for the connection, and later ones behind it.
        self.send(Transmit {
            to: Destination {
                flow: Some(peer.flow),
                ..to
            },
            bytes,
        });
        let streams = self.clone();
        self.0.runtime.spawn(async move {
            match timeout(CONNECT_TIME, TcpStream::connect(to.remote)).await {
                Ok(Ok(socket)) => streams.serve(socket, peer, outgoing).await,
                Ok(Err(error)) => {
                    tracing::debug!(remote = %to.remote, %error, "a SIP connection could not be opened");
                    streams.gone(peer);
                }
                Err(_) => {
                    tracing::debug!(remote = %to.remote, "a SIP connection took too long to open");
                    streams.gone(peer);
                }
            }
            // Whoever sent without naming the flow knows the peer by its address.
            streams.failed(to);
        });
    }

    async fn serve(&self, socket: TcpStream, peer: Peer, outgoing: mpsc::Receiver<Vec<u8>>) {
        if let Err(error) =
            rustix::net::sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER_BYTES)
        {
            tracing::debug!(%error, "the send buffer kept its size");
        }
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
        let pongs = self
            .table()
            .connections
            .get(&peer.flow)
            .map(|known| known.outgoing.clone());
        if let Some(pongs) = pongs.map(|pongs| pongs.downgrade()) {
            let outgoing = Outgoing {
                queue: outgoing,
                pongs,
            };
            let (patience, messages) = (self.0.patience, &self.0.messages);
            let ended = stream::serve(socket, peer, outgoing, patience, messages).await;
            tracing::debug!(remote = %peer.remote, %ended, "a SIP connection ended");
        }
        self.gone(peer);
    }

    fn gone(&self, peer: Peer) {
        self.table().remove(peer.flow);
        self.tell(Message::FlowClosed(peer.flow));
    }

    fn failed(&self, to: Destination) {
        self.tell(Message::SendFailed(to));
    }

    fn tell(&self, message: Message) {
        if self.0.messages.send(message).is_err() {
            tracing::error!(
                "the end of a SIP connection was lost: the drive loop is too far behind"
            );
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn remove(&mut self, flow: FlowId) {
        let Some(Connection { peer, .. }) = self.connections.remove(&flow) else {
            return;
        };
        if self.opened.get(&(peer.transport, peer.remote)) == Some(&flow) {
            self.opened.remove(&(peer.transport, peer.remote));
        }
        if let Some(count) = self.per_address.get_mut(&peer.remote.ip()) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&peer.remote.ip());
            }
        }
    }
}
