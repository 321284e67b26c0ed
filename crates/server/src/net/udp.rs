//! UDP ports: whole batches of datagrams in and out with one system call each.
//!
//! A full send buffer drops the datagram, as the network would: SIP retransmits (RFC 3261 §17).

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sys::socket::{
    MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, SockaddrStorage, recvmmsg,
    sendmmsg, setsockopt, sockopt,
};
use sip::{Destination, FlowId, Source, Transmit, Transport};

/// Datagrams read or written at once.
const BATCH: usize = 32;
/// The largest datagram, in bytes.
const DATAGRAM_BYTES: usize = 65_535;
/// Kernel buffer asked for, in bytes: about a second of a heavy burst.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// One bound UDP socket, which is one flow of the engine's.
pub struct UdpPort {
    socket: UdpSocket,
    flow: FlowId,
    local: SocketAddr,
    /// Datagrams to send when the batch is full or the loop has nothing more to say.
    waiting: Vec<(SocketAddr, Vec<u8>)>,
    /// Datagrams the kernel did not take.
    dropped: u64,
}

impl UdpPort {
    /// Binds `address`. The error names it.
    pub fn bind(address: SocketAddr, flow: FlowId) -> io::Result<Self> {
        let named = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("cannot bind SIP over UDP at {address}: {error}"),
            )
        };
        let socket = UdpSocket::bind(address).map_err(named)?;
        socket.set_nonblocking(true).map_err(named)?;
        // The kernel caps these at its own limit; a smaller buffer is no reason not to start.
        for result in [
            setsockopt(&socket, sockopt::RcvBuf, &SOCKET_BUFFER_BYTES),
            setsockopt(&socket, sockopt::SndBuf, &SOCKET_BUFFER_BYTES),
        ] {
            if let Err(error) = result {
                tracing::debug!(%error, %address, "kept the default socket buffer");
            }
        }
        let local = socket.local_addr().map_err(named)?;
        Ok(Self {
            socket,
            flow,
            local,
            waiting: Vec::new(),
            dropped: 0,
        })
    }

    /// Where it is bound.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The flow it is to the engine.
    pub fn flow(&self) -> FlowId {
        self.flow
    }

    /// Datagrams the kernel did not take since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether `to` leaves through this port.
    pub fn carries(&self, to: &Destination) -> bool {
        match to.flow {
            Some(flow) => flow == self.flow,
            None => to.transport == Transport::Udp && self.local.is_ipv4() == to.remote.is_ipv4(),
        }
    }

    /// Reads one batch and hands each datagram on. Says how many there were: fewer than
    /// [`Batch::SIZE`] means that the socket is empty.
    pub fn receive(&self, batch: &mut Batch, mut handle: impl FnMut(Source, &[u8])) -> usize {
        let Filled { lengths, count } = match batch.fill(&self.socket) {
            Ok(filled) => filled,
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => return 0,
            Err(error) => {
                // An ICMP error of an earlier datagram; the next read goes on behind it.
                tracing::debug!(%error, local = %self.local, "receive failed");
                return 0;
            }
        };
        for ((bytes, remote), _) in batch.datagrams(&lengths).zip(0..count) {
            let source = Source {
                transport: Transport::Udp,
                remote,
                flow: self.flow,
            };
            handle(source, bytes);
        }
        count
    }

    /// Takes a datagram for the next [`flush`](Self::flush), flushing by itself when the batch is full.
    pub fn send(&mut self, transmit: Transmit) {
        self.waiting.push((transmit.to.remote, transmit.bytes));
        if self.waiting.len() == BATCH {
            self.flush();
        }
    }

    /// Sends what waits.
    pub fn flush(&mut self) {
        let mut start = 0;
        while let Some(rest) = self.waiting.get(start..).filter(|rest| !rest.is_empty()) {
            match send_batch(&self.socket, rest) {
                Ok(sent) => start += sent.max(1),
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => {
                    // The first of the rest is at fault, or the buffer is full: it is lost like a
                    // datagram on the wire, the others get their own chance.
                    tracing::debug!(%error, local = %self.local, "send failed");
                    self.dropped += 1;
                    start += 1;
                }
            }
        }
        self.waiting.clear();
    }
}

impl AsFd for UdpPort {
    /// Readable while a datagram waits.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The memory of one read, shared by all ports of a thread. Pages are touched only as datagrams
/// come, so it costs little more than what arrives at once.
pub struct Batch {
    bytes: Vec<u8>,
    headers: MultiHeaders<SockaddrStorage>,
}

/// What one read brought.
struct Filled {
    /// Length and sender of each datagram.
    lengths: [(usize, Option<SocketAddr>); BATCH],
    count: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            bytes: vec![0; BATCH * DATAGRAM_BYTES],
            headers: MultiHeaders::preallocate(BATCH, None),
        }
    }
}

impl Batch {
    /// Datagrams in a full batch.
    pub const SIZE: usize = BATCH;

    /// Reads what is there, without waiting: each datagram's length and sender, and how many.
    fn fill(&mut self, socket: &UdpSocket) -> nix::Result<Filled> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .bytes
            .chunks_mut(DATAGRAM_BYTES)
            .map(|chunk| [IoSliceMut::new(chunk)])
            .collect();
        let mut lengths = [(0, None); BATCH];
        let mut count = 0;
        let received = recvmmsg(
            socket.as_raw_fd(),
            &mut self.headers,
            slices.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        )?;
        for (slot, message) in lengths.iter_mut().zip(received) {
            *slot = (message.bytes, message.address.as_ref().and_then(to_std));
            count += 1;
        }
        Ok(Filled { lengths, count })
    }

    fn datagrams<'a>(
        &'a self,
        lengths: &'a [(usize, Option<SocketAddr>); BATCH],
    ) -> impl Iterator<Item = (&'a [u8], SocketAddr)> {
        let chunks = self.bytes.chunks(DATAGRAM_BYTES);
        chunks
            .zip(lengths)
            .filter_map(|(chunk, &(length, remote))| Some((chunk.get(..length)?, remote?)))
    }
}

fn send_batch(socket: &UdpSocket, datagrams: &[(SocketAddr, Vec<u8>)]) -> nix::Result<usize> {
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(datagrams.len(), None);
    let slices: Vec<[IoSlice<'_>; 1]> = datagrams
        .iter()
        .map(|(_, bytes)| [IoSlice::new(bytes)])
        .collect();
    let addresses: Vec<Option<SockaddrStorage>> = datagrams
        .iter()
        .map(|(remote, _)| Some(SockaddrStorage::from(*remote)))
        .collect();
    let sent = sendmmsg(
        socket.as_raw_fd(),
        &mut headers,
        &slices,
        &addresses,
        [],
        MsgFlags::MSG_DONTWAIT,
    )?;
    Ok(sent.count())
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    debug_assert!(
        address.len() > 0,
        "the kernel names the sender of a datagram"
    );
    let v4 = |found: &SockaddrIn| SocketAddr::from((found.ip(), found.port()));
    let v6 = |found: &SockaddrIn6| SocketAddr::from((found.ip(), found.port()));
    address
        .as_sockaddr_in()
        .map(v4)
        .or_else(|| address.as_sockaddr_in6().map(v6))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port() -> UdpPort {
        UdpPort::bind(([127, 0, 0, 1], 0).into(), FlowId(1)).unwrap()
    }

    fn read_all(port: &UdpPort, expected: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut batch = Batch::default();
        let mut all = Vec::new();
        for _ in 0..10_000 {
            port.receive(&mut batch, |source, bytes| {
                all.push((source.remote, bytes.to_vec()));
            });
            if all.len() >= expected {
                break;
            }
            std::thread::yield_now();
        }
        all
    }

    #[test]
    fn batches_larger_than_one_call_keep_their_order() {
        let (mut from, to) = (port(), port());
        for number in 0_u8..100 {
            let destination = Destination {
                transport: Transport::Udp,
                remote: to.local(),
                flow: None,
            };
            from.send(Transmit {
                to: destination,
                bytes: vec![number; 1 + usize::from(number)],
            });
        }
        from.flush();
        let all = read_all(&to, 100);
        assert_eq!(all.len(), 100);
        for (number, (remote, bytes)) in (0_u8..).zip(&all) {
            assert_eq!(
                (*remote, bytes.len()),
                (from.local(), 1 + usize::from(number))
            );
            assert_eq!(bytes.first(), Some(&number));
        }
        assert_eq!(from.dropped(), 0);
    }

    #[test]
    fn a_datagram_that_cannot_leave_does_not_stop_the_others() {
        let (mut from, to) = (port(), port());
        let destination = |remote| Destination {
            transport: Transport::Udp,
            remote,
            flow: None,
        };
        let unreachable: SocketAddr = "[::1]:9".parse().unwrap();
        from.send(Transmit {
            to: destination(unreachable),
            bytes: b"lost".to_vec(),
        });
        from.send(Transmit {
            to: destination(to.local()),
            bytes: b"kept".to_vec(),
        });
        from.flush();
        assert_eq!(read_all(&to, 1), [(from.local(), b"kept".to_vec())]);
        assert_eq!(from.dropped(), 1);
    }
}
