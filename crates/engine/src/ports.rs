//! The stock of bound RTP port pairs that the media threads have handed up.
//!
//! An offer names a port before anybody listens to the engine again, so ports are bound ahead and
//! taken from here. Both legs of a call must live on one media thread.

use std::collections::BTreeMap;

use media::{Port, ThreadId};

/// Pairs that a new call must find in stock: its own leg and a few devices.
const RESERVE: usize = 4;

/// What is in stock, by media thread.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    stock: BTreeMap<ThreadId, Vec<Port>>,
}

impl Ports {
    /// Puts freshly bound pairs into stock.
    pub(crate) fn add(&mut self, ports: Vec<Port>) {
        for port in ports {
            self.stock.entry(port.path.thread()).or_default().push(port);
        }
    }

    /// How many pairs are in stock.
    pub(crate) fn len(&self) -> usize {
        self.stock.values().map(Vec::len).sum()
    }

    /// Whether a new call would find what it needs.
    pub(crate) fn can_start_call(&self) -> bool {
        self.stock.values().any(|ports| ports.len() >= RESERVE)
    }

    /// A pair on the thread that has most left, which is the one with the least to do.
    pub(crate) fn take(&mut self) -> Option<Port> {
        self.stock
            .values_mut()
            .max_by_key(|ports| ports.len())?
            .pop()
    }

    /// A pair on the thread of `beside`, to be bridged with it.
    pub(crate) fn take_beside(&mut self, beside: Port) -> Option<Port> {
        self.take_on(beside.path.thread())
    }

    /// A pair on that thread.
    pub(crate) fn take_on(&mut self, thread: ThreadId) -> Option<Port> {
        self.stock.get_mut(&thread)?.pop()
    }
}

#[cfg(test)]
mod tests {
    use media::PathId;

    use super::*;

    fn ports(thread: u8, slots: std::ops::Range<u32>) -> Vec<Port> {
        let port = |slot: u32| Port {
            path: PathId::new(ThreadId(thread), slot, 0),
            rtp_port: u16::try_from(20_000 + 2 * slot).unwrap(),
        };
        slots.map(port).collect()
    }

    #[test]
    fn legs_of_one_call_share_a_thread_and_calls_spread() {
        let mut stock = Ports::default();
        assert!(!stock.can_start_call());
        assert_eq!(stock.take(), None);
        stock.add(ports(0, 0..4));
        stock.add(ports(1, 0..5));
        assert!(stock.can_start_call());

        let caller = stock.take().unwrap();
        assert_eq!(caller.path.thread(), ThreadId(1), "the fuller thread");
        while stock.len() > 4 {
            let device = stock.take_beside(caller).unwrap();
            assert_eq!(device.path.thread(), ThreadId(1));
        }
        assert_eq!(
            stock.take_beside(caller),
            None,
            "never one of another thread"
        );
    }
}
