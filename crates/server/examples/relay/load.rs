//! Phones that send at an even pace and take what comes, and the CPU that somebody else spends on it.

use std::fs;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

const TICK: Duration = Duration::from_millis(1);
/// How much of a pause is made up for.
const MOST_AT_ONCE: Duration = Duration::from_millis(5);
const SETTLE_TICKS: u32 = 20;
const HEADER_BYTES: usize = 12;
/// 20 ms of G.711.
const PACKET_BYTES: usize = HEADER_BYTES + 160;
const READY_LIMIT: usize = 1_024;

/// What was measured.
pub(crate) struct Outcome {
    pub(crate) micros_per_packet: f64,
    pub(crate) packets: u64,
    pub(crate) lost: u64,
    /// From sending to receiving, through two ticks: the median and 99 %.
    pub(crate) delay_us: [u64; 2],
}

/// The phones. The first `senders` of them send, all receive.
pub(crate) struct Load {
    phones: Vec<UdpSocket>,
    senders: usize,
    packets_per_second: usize,
    epoll: std::os::fd::OwnedFd,
    begun: Instant,
    owed_millionths: usize,
    /// Packets sent since the start.
    turn: usize,
    sent: u64,
    received: u64,
    delays_us: Vec<u64>,
}

impl Load {
    pub(crate) fn new(phones: Vec<UdpSocket>, senders: usize, packets_per_second: usize) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll is there");
        for (phone, token) in phones.iter().zip(0..) {
            phone.set_nonblocking(true).expect("a socket can be set so");
            let token = epoll::EventData::new_u64(token);
            epoll::add(&epoll, phone, token, epoll::EventFlags::IN).expect("epoll has room");
        }
        let (begun, delays_us) = (Instant::now(), Vec::new());
        Self {
            phones,
            senders,
            packets_per_second,
            epoll,
            begun,
            owed_millionths: 0,
            turn: 0,
            sent: 0,
            received: 0,
            delays_us,
        }
    }

    /// Runs for `warm_up` and then `during`, in which the thread of that name is measured.
    pub(crate) fn run(mut self, thread: &str, warm_up: Duration, during: Duration) -> Outcome {
        self.run_for(warm_up);
        (self.sent, self.received) = (0, 0);
        self.delays_us.clear();
        let before = cpu_of(thread);
        self.run_for(during);
        let micros = cpu_of(thread).saturating_sub(before).as_secs_f64() * 1e6;
        self.delays_us.sort_unstable();
        let delay = |percent| {
            self.delays_us
                .get(self.delays_us.len() * percent / 100)
                .copied()
        };
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 packets")]
        let micros_per_packet = micros / self.received as f64;
        Outcome {
            micros_per_packet,
            packets: self.received,
            lost: self.sent.saturating_sub(self.received),
            delay_us: [50, 99].map(|percent| delay(percent).unwrap_or(0)),
        }
    }

    /// Sends for so long, and then waits for the packets that are still on their way.
    fn run_for(&mut self, time: Duration) {
        let begun = Instant::now();
        let mut before = begun;
        while begun.elapsed() < time {
            std::thread::sleep(TICK);
            let now = Instant::now();
            // Who comes late leaves packets out: a burst would measure the sockets' buffers.
            self.send(now.duration_since(before).min(MOST_AT_ONCE));
            self.receive();
            before = now;
        }
        for _ in 0..SETTLE_TICKS {
            std::thread::sleep(TICK);
            self.receive();
        }
    }

    /// Sends what is due after so much time.
    fn send(&mut self, time: Duration) {
        let micros = usize::try_from(time.as_micros()).unwrap_or(0);
        self.owed_millionths += micros * self.packets_per_second;
        while self.owed_millionths >= 1_000_000 {
            self.owed_millionths -= 1_000_000;
            let sequence = u32::try_from(self.turn / self.senders).unwrap_or(0);
            let packet = packet(sequence, self.micros());
            let phone = &self.phones[self.turn % self.senders];
            phone.send(&packet).expect("loopback takes it");
            self.turn += 1;
            self.sent += 1;
        }
    }

    fn receive(&mut self) {
        let mut ready: Vec<epoll::Event> = Vec::with_capacity(READY_LIMIT);
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&at_once)).expect("epoll works");
        let mut packet = [0; PACKET_BYTES];
        for event in ready {
            let phone = usize::try_from(event.data.u64()).unwrap_or(0);
            while self.phones[phone].recv(&mut packet).is_ok() {
                let sent_at: [u8; 8] = std::array::from_fn(|byte| packet[HEADER_BYTES + byte]);
                self.delays_us
                    .push(self.micros() - u64::from_be_bytes(sent_at));
                self.received += 1;
            }
        }
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// One packet of G.711 that carries its time of sending.
fn packet(sequence: u32, micros: u64) -> [u8; PACKET_BYTES] {
    let mut packet = [0xff; PACKET_BYTES];
    let [_, _, high, low] = sequence.to_be_bytes();
    let [t0, t1, t2, t3] = sequence.wrapping_mul(160).to_be_bytes();
    packet[..HEADER_BYTES].copy_from_slice(&[0x80, 0, high, low, t0, t1, t2, t3, 0, 0, 0, 1]);
    packet[HEADER_BYTES..HEADER_BYTES + 8].copy_from_slice(&micros.to_be_bytes());
    packet
}

/// The CPU time of our thread of that name, from the scheduler.
fn cpu_of(thread: &str) -> Duration {
    let tasks = fs::read_dir("/proc/self/task")
        .expect("/proc is there")
        .flatten();
    let named = tasks
        .map(|task| task.path())
        .find(|task| fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == thread));
    let task = named.expect("the thread runs");
    let schedule = fs::read_to_string(task.join("schedstat")).expect("the scheduler tells");
    let nanos = schedule
        .split_whitespace()
        .next()
        .and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("the first field is the time run"))
}
