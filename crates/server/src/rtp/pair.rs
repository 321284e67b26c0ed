//! The two sockets of a path: RTP on an even port, RTCP on the next one.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use media::leg::Source;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// A bound pair.
pub(super) struct Pair {
    rtp: OwnedFd,
    rtcp: OwnedFd,
    lock: Lock,
}

/// Whom the RTP socket hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    /// Whoever sends.
    Open,
    /// Only the latched source: the kernel drops the rest before it costs us anything, and spares a
    /// route look-up for every packet we send. What came before still waits in the socket, from
    /// whomever it is.
    Connected,
    /// The same, and the socket was empty since: a packet's source need not be asked for.
    Certain,
}

/// The longest datagram that is passed on, in bytes: more than a path of Ethernet carries.
pub(super) const MAX_DATAGRAM_BYTES: usize = 2_047;
/// Datagrams and errors that a call may leave in its sockets: what fits into a kernel buffer.
const MAX_LEFT_BEHIND: usize = 1_024;
/// One byte more, so that a datagram that was cut short shows itself.
pub(super) type Buffer = [u8; MAX_DATAGRAM_BYTES + 1];

impl Pair {
    /// Binds `port` and the next one.
    pub(super) fn bind(address: IpAddr, port: u16) -> io::Result<Self> {
        let rtp = bound(SocketAddr::new(address, port))?;
        let rtcp = bound(SocketAddr::new(address, port.saturating_add(1)))?;
        Ok(Self {
            rtp,
            rtcp,
            lock: Lock::Open,
        })
    }

    /// From now on `epoll` tells when something can be read, under these tokens.
    pub(super) fn listen(
        &self,
        epoll: &OwnedFd,
        rtp: epoll::EventData,
        rtcp: epoll::EventData,
    ) -> io::Result<()> {
        epoll::add(epoll, &self.rtp, rtp, epoll::EventFlags::IN)?;
        epoll::add(epoll, &self.rtcp, rtcp, epoll::EventFlags::IN)?;
        Ok(())
    }

    /// Ends what [`listen`](Self::listen) began.
    pub(super) fn ignore(&self, epoll: &OwnedFd) -> io::Result<()> {
        epoll::delete(epoll, &self.rtp)?;
        epoll::delete(epoll, &self.rtcp)?;
        Ok(())
    }

    /// Makes it as good as new: heard by everybody and empty. `None`: it will not become empty.
    pub(super) fn renewed(mut self) -> Option<Self> {
        self.unlock();
        let is_new = self.lock == Lock::Open && is_emptied(&self.rtp) && is_emptied(&self.rtcp);
        is_new.then_some(self)
    }

    /// Hears only `remote` and sends only there. If the kernel refuses, the source is still checked
    /// with every packet.
    pub(super) fn lock(&mut self, remote: SocketAddr) {
        if rustix::net::connect(&self.rtp, &remote).is_ok() {
            self.lock = Lock::Connected;
            self.make_certain();
        }
    }

    /// Hears everybody again.
    pub(super) fn unlock(&mut self) {
        if self.lock != Lock::Open && rustix::net::connect_unspec(&self.rtp).is_ok() {
            self.lock = Lock::Open;
        }
    }

    /// Whether the socket is connected to the latched source.
    pub(super) fn is_locked(&self) -> bool {
        self.lock != Lock::Open
    }

    pub(super) fn receive_rtp(&mut self, buffer: &mut Buffer) -> Option<(usize, Source)> {
        if self.lock == Lock::Certain {
            let flags = RecvFlags::empty();
            let (_, bytes) = rustix::net::recv(&self.rtp, buffer.as_mut_slice(), flags).ok()?;
            return (bytes <= MAX_DATAGRAM_BYTES).then_some((bytes, Source::Latched));
        }
        let received = receive(&self.rtp, buffer);
        if self.lock == Lock::Connected {
            self.make_certain();
        }
        received.map(|(bytes, source)| (bytes, Source::Address(source)))
    }

    /// Looks whether the connected socket is empty. From then on only the latched source can be in it.
    fn make_certain(&mut self) {
        if rustix::net::recv(&self.rtp, &mut [0; 1], RecvFlags::PEEK) == Err(Errno::AGAIN) {
            self.lock = Lock::Certain;
        }
    }

    pub(super) fn receive_rtcp(&self, buffer: &mut Buffer) -> Option<(usize, SocketAddr)> {
        receive(&self.rtcp, buffer)
    }

    /// Sends from the RTP port to the only source that is heard.
    pub(super) fn send_to_source(&self, datagram: &[u8]) -> Sent {
        Sent::from(rustix::net::send(&self.rtp, datagram, SendFlags::empty()))
    }

    /// Sends from the RTP port.
    pub(super) fn send_rtp(&self, datagram: &[u8], to: SocketAddr) -> Sent {
        Sent::from(rustix::net::sendto(
            &self.rtp,
            datagram,
            SendFlags::empty(),
            &to,
        ))
    }

    /// Sends from the RTCP port.
    pub(super) fn send_rtcp(&self, datagram: &[u8], to: SocketAddr) -> Sent {
        Sent::from(rustix::net::sendto(
            &self.rtcp,
            datagram,
            SendFlags::empty(),
            &to,
        ))
    }
}

/// Whether the kernel took a datagram. A refusal (buffer full, port unreachable) is a lost packet,
/// which RTP is made for: nobody waits and nobody retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Yes,
    No,
}

impl From<Result<usize, Errno>> for Sent {
    fn from(result: Result<usize, Errno>) -> Self {
        if result.is_ok() { Self::Yes } else { Self::No }
    }
}

/// One datagram and its source. `None`: nothing there, an error of an earlier send (ICMP) that is now
/// read, or longer than a path carries.
fn receive(socket: &OwnedFd, buffer: &mut Buffer) -> Option<(usize, SocketAddr)> {
    let flags = RecvFlags::empty();
    let (_, bytes, source) = rustix::net::recvfrom(socket, buffer.as_mut_slice(), flags).ok()?;
    if bytes > MAX_DATAGRAM_BYTES {
        return None;
    }
    Some((bytes, SocketAddr::try_from(source?).ok()?))
}

/// Throws away what waits in a socket. `false`: there is too much, somebody floods it.
fn is_emptied(socket: &OwnedFd) -> bool {
    let empty = |_| {
        let read = rustix::net::recv(socket, &mut [0; 1], RecvFlags::empty());
        read == Err(Errno::AGAIN)
    };
    // Errors are those of earlier sends (ICMP): reading one takes it away.
    (0..MAX_LEFT_BEHIND).any(empty)
}

fn bound(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?;
    rustix::net::bind(socket.as_fd(), &address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_renewed_pair_is_empty_and_hears_everybody() {
        let address = IpAddr::from([127, 0, 77, 40]);
        let (peer, stranger) = (UdpSocket::bind((address, 0)), UdpSocket::bind((address, 0)));
        let (peer, stranger) = (peer.unwrap(), stranger.unwrap());
        let mut pair = Pair::bind(address, 20_000).unwrap();
        let (rtp, rtcp) = ((address, 20_000), (address, 20_001));
        pair.lock(peer.local_addr().unwrap());
        peer.send_to(b"late", rtp).unwrap();
        stranger.send_to(b"late", rtcp).unwrap();
        let mut pair = pair.renewed().unwrap();
        let mut buffer = [0; MAX_DATAGRAM_BYTES + 1];
        assert_eq!(pair.receive_rtp(&mut buffer), None);
        assert_eq!(pair.receive_rtcp(&mut buffer), None);
        stranger.send_to(b"first", rtp).unwrap();
        let source = Source::Address(stranger.local_addr().unwrap());
        assert_eq!(pair.receive_rtp(&mut buffer), Some((5, source)));
    }
}
