//! A receiver that takes everything: a thread per connection, no more HTTP than it needs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// How long webhooks may take to come.
const PATIENCE: Duration = Duration::from_mins(2);

/// A body and when it was there.
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone, Default)]
struct Arrivals(Arc<Mutex<Vec<Arrival>>>);

impl Arrivals {
    fn lock(&self) -> MutexGuard<'_, Vec<Arrival>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Receiver {
    address: SocketAddr,
    arrivals: Arrivals,
}

impl Receiver {
    /// Receives until the process ends.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let arrivals = Arrivals::default();
        let shared = arrivals.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let arrivals = shared.clone();
                // It ends when the sender closes the connection.
                std::thread::spawn(move || serve(&stream, &arrivals));
            }
        });
        Ok(Self { address, arrivals })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.arrivals.lock().len()).unwrap_or(u32::MAX)
    }

    /// Waits for so many and takes them.
    pub(crate) fn wait_for(&self, count: u32) -> Result<Vec<Arrival>> {
        let begun = Instant::now();
        loop {
            let came = self.count();
            if came >= count {
                return Ok(std::mem::take(&mut *self.arrivals.lock()));
            }
            ensure!(begun.elapsed() < PATIENCE, "{came} of {count} came");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn serve(stream: &TcpStream, arrivals: &Arrivals) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reading = BufReader::new(stream);
    let mut writing = stream;
    while let Some(length) = read_head(&mut reading)? {
        let mut body = vec![0; length];
        reading.read_exact(&mut body)?;
        let at = Instant::now();
        arrivals.lock().push(Arrival { at, body });
        writing.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
    Ok(())
}

/// The length of the body behind the next head; none when the connection was closed.
fn read_head(reading: &mut impl BufRead) -> io::Result<Option<usize>> {
    let mut length = 0;
    let mut line = String::new();
    while reading.read_line(&mut line)? > 0 {
        if line == "\r\n" {
            return Ok(Some(length));
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        line.clear();
    }
    Ok(None)
}
