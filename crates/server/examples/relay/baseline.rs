//! The least a relay can do: no header is read, no leg is known, and one system call moves many packets.

use std::io::{IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg};

const BATCH: usize = 64;
const DATAGRAM_BYTES: usize = 2_048;
const TICK: Duration = Duration::from_millis(1);

/// The running loop.
pub(crate) struct Relaying {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Relaying {
    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.join().expect("the loop does not panic");
    }
}

/// From `near` to `far`, both connected, once per tick.
pub(crate) fn start(near: UdpSocket, far: UdpSocket) -> Relaying {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let relay = move || {
        let mut bytes = vec![0; BATCH * DATAGRAM_BYTES];
        while !stopped.load(Ordering::Acquire) {
            std::thread::sleep(TICK);
            while pass(&near, &far, &mut bytes) == BATCH {}
        }
    };
    let thread = std::thread::Builder::new()
        .name("baseline".to_owned())
        .spawn(relay);
    Relaying {
        stop,
        thread: thread.expect("a thread can be started"),
    }
}

/// One batch; returns how many there were.
fn pass(near: &UdpSocket, far: &UdpSocket, bytes: &mut [u8]) -> usize {
    let mut lengths = [0; BATCH];
    let mut count = 0;
    {
        let mut headers = MultiHeaders::<()>::preallocate(BATCH, None);
        let chunks = bytes.chunks_mut(DATAGRAM_BYTES);
        let mut slices: Vec<_> = chunks.map(|chunk| [IoSliceMut::new(chunk)]).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let received = recvmmsg(
            near.as_raw_fd(),
            &mut headers,
            slices.iter_mut(),
            flags,
            None,
        );
        let Ok(received) = received else { return 0 };
        for (length, message) in lengths.iter_mut().zip(received) {
            *length = message.bytes;
            count += 1;
        }
    }
    let datagrams = bytes.chunks(DATAGRAM_BYTES).zip(lengths).take(count);
    let slices: Vec<_> = datagrams
        .map(|(chunk, length)| [IoSlice::new(&chunk[..length])])
        .collect();
    let mut headers = MultiHeaders::<()>::preallocate(count, None);
    let addresses = vec![None; count];
    // What the kernel does not take is counted as lost where it should have arrived.
    sendmmsg(
        far.as_raw_fd(),
        &mut headers,
        &slices,
        &addresses,
        [],
        MsgFlags::MSG_DONTWAIT,
    )
    .ok();
    count
}
